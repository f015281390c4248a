/* SPDX-License-Identifier: GPL-2.0-or-later */
/* codec_fake.c - a process is already what the decompression libraries expect */
#include "dom0/unpack.h"

bool codec_enter(unsigned order) { return order > 0; }
void codec_leave(void) {}
