/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_image.h - small PV kernels made in memory, for tests of the Dom0 builder */
#ifndef PARAVANE_TESTS_KERNEL_IMAGE_H
#define PARAVANE_TESTS_KERNEL_IMAGE_H

#include <elf.h>
#include <string.h>
#include <xen/elfnote.h>

#include "types.h"

struct image_spec {
    uint64_t virt_base, paddr, memsz, entry;
    uint64_t init_p2m;          /* 0: none */
    uint64_t hypercall_page;    /* 0: none */
    const char *features;       /* NULL: none */
    bool mod_start_pfn;
};

#define IMAGE_TEXT 0x1000u      /* file offset of the segment */

static inline uint8_t *image_note(uint8_t *p, uint32_t type, const void *desc, uint32_t n)
{
    const Elf64_Nhdr h = { 4, n, type };
    memcpy(p, &h, sizeof(h));
    memcpy(p + sizeof(h), "Xen", 4);
    memcpy(p + sizeof(h) + 4, desc, n);
    return p + sizeof(h) + 4 + (n + 3) / 4 * 4;
}

/* Writes the file into @buf (at least 8 KiB), 0x800 bytes of recognisable text; returns its size. */
static inline size_t image_make(uint8_t *buf, const struct image_spec *s)
{
    Elf64_Ehdr eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_EXEC,
                      .e_machine = EM_X86_64, .e_version = 1, .e_entry = s->entry, .e_phoff = sizeof(eh),
                      .e_ehsize = sizeof(eh), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 2 };
    const uint64_t one = 1;
    uint8_t *notes = buf + 0x200, *p = notes;

    memset(buf, 0, 8192);
    p = image_note(p, XEN_ELFNOTE_GUEST_OS, "tiny", 5);
    p = image_note(p, XEN_ELFNOTE_LOADER, "generic", 8);
    p = image_note(p, XEN_ELFNOTE_XEN_VERSION, "xen-3.0", 8);
    p = image_note(p, XEN_ELFNOTE_VIRT_BASE, &s->virt_base, 8);
    p = image_note(p, XEN_ELFNOTE_ENTRY, &s->entry, 8);
    if (s->init_p2m)
        p = image_note(p, XEN_ELFNOTE_INIT_P2M, &s->init_p2m, 8);
    if (s->hypercall_page)
        p = image_note(p, XEN_ELFNOTE_HYPERCALL_PAGE, &s->hypercall_page, 8);
    if (s->features)
        p = image_note(p, XEN_ELFNOTE_FEATURES, s->features, (uint32_t)strlen(s->features));
    if (s->mod_start_pfn)
        p = image_note(p, XEN_ELFNOTE_MOD_START_PFN, &one, 4);
    const Elf64_Phdr ph[2] = {
        { .p_type = PT_LOAD, .p_offset = IMAGE_TEXT, .p_vaddr = s->virt_base + s->paddr, .p_paddr = s->paddr,
          .p_filesz = 0x800, .p_memsz = s->memsz, .p_align = 4096 },
        { .p_type = PT_NOTE, .p_offset = 0x200, .p_filesz = (uint64_t)(p - notes), .p_memsz = (uint64_t)(p - notes) },
    };
    memcpy(buf, &eh, sizeof(eh));
    memcpy(buf + sizeof(eh), ph, sizeof(ph));
    for (unsigned i = 0; i < 0x800; i++)
        buf[IMAGE_TEXT + i] = (uint8_t)(i * 7 + (i >> 8));
    return IMAGE_TEXT + 0x800;
}

#endif
