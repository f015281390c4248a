/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * elf_image.h - an ELF64 x86-64 file in memory, read with every offset checked
 *
 * Nothing in the file is believed: each header is copied out after its range was found inside the file, and a
 * segment is handed out only if its bytes are in the file and its memory size covers them without wrapping.
 */
#ifndef PARAVANE_ELF_IMAGE_H
#define PARAVANE_ELF_IMAGE_H

#include "types.h"

struct elf_image {
    const uint8_t *data;
    uint64_t size;
    uint64_t entry;
    uint64_t phoff, shoff;
    unsigned phnum, shnum, shstrndx;
};

struct elf_segment {
    uint32_t type;              /* PT_* */
    uint64_t vaddr, paddr;
    uint64_t filesz, memsz;     /* filesz <= memsz; paddr + memsz does not wrap */
    const uint8_t *bytes;       /* filesz of them, inside the file */
    uint64_t align;
};

struct elf_section {
    uint32_t type;              /* SHT_* */
    const char *name;           /* terminated inside the file, or "" */
    const uint8_t *bytes;       /* size of them, inside the file; NULL for SHT_NOBITS */
    uint64_t size;
    uint64_t align;
};

/* Is this an ELF file at all? */
bool elf_is_elf(const void *data, uint64_t size);
/* 0, or -EINVAL with *@why set to a reason to print. */
MUST_CHECK int elf_open(struct elf_image *e, const void *data, uint64_t size, const char **why);
/* Segment or section @i (below phnum, shnum); false when its description is not sane. */
MUST_CHECK bool elf_segment(const struct elf_image *e, unsigned i, struct elf_segment *out);
MUST_CHECK bool elf_section(const struct elf_image *e, unsigned i, struct elf_section *out);

#endif
