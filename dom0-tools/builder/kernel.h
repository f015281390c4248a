/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel.h - a guest kernel: from the file to what must be put where
 *
 * kernel_unpack() and kernel_parse() are pure functions over bytes (H112): sizes are capped, nothing
 * is read outside the buffer, and on failure they say why in a static string.
 */
#ifndef VANE_KERNEL_H
#define VANE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_MAX_BYTES (512u << 20)       /* unpacked */
#define KERNEL_MAX_SEGS 16

struct kernel_seg {
    uint64_t pfn;           /* first frame, counted from the start of guest memory */
    uint64_t offset;        /* of the first byte inside that frame */
    const uint8_t *data;
    uint64_t filesz, memsz;
};

struct kernel {
    struct kernel_seg seg[KERNEL_MAX_SEGS];
    unsigned n_seg;
    uint64_t virt_base;     /* where pfn 0 is mapped */
    uint64_t end_pfn;       /* first frame behind the image */
    uint64_t entry;
    uint64_t hypercall_page;        /* virtual address */
    uint64_t init_p2m;              /* virtual address */
    bool has_hypercall_page, has_init_p2m;
    bool unmapped_ramdisk;          /* MOD_START_PFN */
    size_t trimmed;         /* bytes of the ELF file that matter */
};

/*
 * Find and unpack the ELF image inside @file (bzImage, any of its compressions, compressed or plain
 * ELF). *@out is malloc'ed, or NULL with *@plain set when the file itself is the image. 0 or -errno.
 */
int kernel_unpack(const uint8_t *file, size_t len, uint8_t **out, size_t *out_len, bool *plain,
                  const char **why);

/* Judge an ELF image; @k points into @elf. 0 or -errno. */
int kernel_parse(const uint8_t *elf, size_t len, struct kernel *k, const char **why);

#endif
