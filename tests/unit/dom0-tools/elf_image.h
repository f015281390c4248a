/* SPDX-License-Identifier: GPL-2.0-or-later */
/* elf_image.h - a small ELF kernel made by hand, for the loader's tests */
#ifndef ELF_IMAGE_H
#define ELF_IMAGE_H

#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE_BASE 0xffffffff80000000ull
#define IMAGE_P2M 0x8000000000ull

struct image {
    uint8_t bytes[64 * 1024];
    size_t len;
    unsigned notes;             /* length of the note segment so far */
};

static inline Elf64_Ehdr *image_eh(struct image *m)
{
    return (Elf64_Ehdr *)(void *)m->bytes;
}

static inline Elf64_Phdr *image_ph(struct image *m, unsigned i)
{
    return (Elf64_Phdr *)(void *)(m->bytes + sizeof(Elf64_Ehdr)) + i;
}

#define NOTES_AT 0x1000u
#define DATA_AT 0x2000u

static inline void image_note(struct image *m, uint32_t type, const void *desc, uint32_t n)
{
    uint8_t *p = m->bytes + NOTES_AT + m->notes;
    Elf64_Nhdr h = { 4, n, type };

    memcpy(p, &h, sizeof(h));
    memcpy(p + sizeof(h), "Xen", 4);
    memcpy(p + sizeof(h) + 4, desc, n);
    m->notes += (unsigned)sizeof(h) + 4 + ((n + 3) & ~3u);
    image_ph(m, 2)->p_filesz = m->notes;
}

static inline void image_note_u(struct image *m, uint32_t type, uint64_t value)
{
    image_note(m, type, &value, 8);
}

/* Two segments at 1 MiB (two pages and a bit, bss behind) and 2 MiB; notes like Linux has. */
static inline void image_make(struct image *m)
{
    Elf64_Ehdr *eh = image_eh(m);

    memset(m, 0, sizeof(*m));
    memcpy(eh->e_ident, "\177ELF\2\1\1", 7);
    eh->e_machine = EM_X86_64;
    eh->e_phentsize = sizeof(Elf64_Phdr);
    eh->e_phoff = sizeof(*eh);
    eh->e_phnum = 3;
    *image_ph(m, 0) = (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = DATA_AT, .p_paddr = 0x100000,
                                    .p_vaddr = IMAGE_BASE + 0x100000, .p_filesz = 0x2345,
                                    .p_memsz = 0x5000 };
    *image_ph(m, 1) = (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = DATA_AT + 0x3000,
                                    .p_paddr = 0x200010, .p_filesz = 0x100, .p_memsz = 0x100 };
    *image_ph(m, 2) = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = NOTES_AT };
    for (unsigned i = 0; i < 0x4000; i++)
        m->bytes[DATA_AT + i] = (uint8_t)(i * 7 + 1);
    m->len = DATA_AT + 0x4000;
    image_note_u(m, 3, IMAGE_BASE);             /* VIRT_BASE */
    image_note_u(m, 1, IMAGE_BASE + 0x100040);  /* ENTRY */
    image_note_u(m, 15, IMAGE_P2M);             /* INIT_P2M */
    image_note_u(m, 16, 1);                     /* MOD_START_PFN */
    image_note(m, 10, "!writable_page_tables|pae_pgdir_above_4gb", 41);
}

#endif
