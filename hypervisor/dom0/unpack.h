/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unpack.h - decode a compressed kernel with the packaged libraries (libzstd, zlib; xz is our own)
 *
 * The libraries are Debian's static archives, linked into the image and used only while Dom0 is built. They are
 * compiled for the ordinary ABI: SSE, red zone, stack protector in %fs. codec_enter() makes the CPU fit for that
 * and codec_leave() undoes it; on the host both do nothing. Their input is the kernel the administrator booted:
 * they must not overrun on a bad one, but they do not stand between us and a guest.
 */
#ifndef PARAVANE_UNPACK_H
#define PARAVANE_UNPACK_H

#include "dom0/bzimage.h"

/*
 * Decode @p, which is not PAYLOAD_ELF, into @out of @out_size bytes; *@done gets the length. 0, -EINVAL (corrupt),
 * -ENOSPC (does not fit), -ENOMEM; *@why says so in words. The stream's own checksums have been verified.
 */
MUST_CHECK int payload_unpack(const struct payload *p, uint8_t *out, uint64_t out_size, uint64_t *done, const char **why);

/*
 * codec_metal.c, or the fake. The libraries get 2^order pages of memory. False: there are none, nothing changed.
 * Interrupts are off between the two.
 */
MUST_CHECK bool codec_enter(unsigned order);
void codec_leave(void);

#endif
