/* SPDX-License-Identifier: GPL-2.0-or-later */
/* multiboot.h - fills boot_info from the loader's information; false for a loader that speaks neither version */
#ifndef PARAVANE_MULTIBOOT_H
#define PARAVANE_MULTIBOOT_H

#include "types.h"

bool multiboot_parse(uint32_t magic, uint32_t info);

#endif
