/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * elf.c - judge an ELF kernel and read its Xen notes
 *
 *   I1  every offset and length is checked against the file before use; sums cannot wrap.
 *   I2  segments lie inside guest memory that starts at pfn 0, do not overlap, and end below 1 TiB.
 *
 * ABI: elfnote.h; segments are placed by p_paddr (Linux's per-cpu segment has p_vaddr 0), and a
 * physical address becomes virtual by adding VIRT_BASE - PADDR_OFFSET.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xen/elfnote.h>

#include "kernel.h"

#define PHYS_LIMIT (1ull << 40)

struct notes {
    uint64_t virt_base, paddr_offset, entry, hypercall_page, init_p2m;
    bool has_virt_base, has_paddr_offset, has_entry, has_hypercall, has_p2m, mod_start_pfn;
    bool xen;               /* a note that only a Xen kernel carries was seen */
    bool bad_features;
};

static bool inside(uint64_t off, uint64_t n, size_t len)
{
    return off <= len && n <= len - off;
}

static uint64_t note_number(const uint8_t *desc, uint32_t n)
{
    uint64_t r = 0;

    memcpy(&r, desc, n >= 8 ? 8 : n >= 4 ? 4 : 0);
    return r;
}

/* Required features that a PV guest cannot have. @s is not terminated. */
static bool feature_refused(const uint8_t *s, uint32_t n)
{
    static const char bad[] = "!supervisor_mode_kernel";

    for (uint32_t i = 0; i + sizeof(bad) - 1 <= n; i++) {
        if (memcmp(s + i, bad, sizeof(bad) - 1) == 0)
            return true;
    }
    return false;
}

static void take_note(struct notes *t, uint32_t type, const uint8_t *desc, uint32_t n)
{
    uint64_t u = note_number(desc, n);

    t->xen = true;
    switch (type) {
    case XEN_ELFNOTE_ENTRY:
        t->entry = u;
        t->has_entry = true;
        break;
    case XEN_ELFNOTE_HYPERCALL_PAGE:
        t->hypercall_page = u;
        t->has_hypercall = true;
        break;
    case XEN_ELFNOTE_VIRT_BASE:
        t->virt_base = u;
        t->has_virt_base = true;
        break;
    case XEN_ELFNOTE_PADDR_OFFSET:
        t->paddr_offset = u;
        t->has_paddr_offset = true;
        break;
    case XEN_ELFNOTE_INIT_P2M:
        t->init_p2m = u;
        t->has_p2m = true;
        break;
    case XEN_ELFNOTE_MOD_START_PFN:
        t->mod_start_pfn = u != 0;
        break;
    case XEN_ELFNOTE_FEATURES:
        t->bad_features = feature_refused(desc, n);
        break;
    default:
        break;
    }
}

static void read_notes(const uint8_t *p, uint64_t len, struct notes *t)
{
    uint64_t at = 0;

    while (len - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr h;
        uint64_t name, desc;

        memcpy(&h, p + at, sizeof(h));
        name = at + sizeof(h);
        desc = name + (((uint64_t)h.n_namesz + 3) & ~3ull);
        if (desc > len || h.n_descsz > len - desc)
            return;
        if (h.n_namesz == 4 && memcmp(p + name, "Xen", 4) == 0)
            take_note(t, h.n_type, p + desc, h.n_descsz);
        at = desc + (((uint64_t)h.n_descsz + 3) & ~3ull);
        if (at > len)
            return;
    }
}

/* Notes from PT_NOTE, or from note sections when no segment holds any. */
static void find_notes(const uint8_t *elf, size_t len, const Elf64_Ehdr *eh, struct notes *t,
                       uint64_t *used)
{
    for (unsigned i = 0; i < eh->e_phnum; i++) {
        Elf64_Phdr ph;

        memcpy(&ph, elf + eh->e_phoff + i * sizeof(ph), sizeof(ph));
        if (ph.p_type == PT_NOTE && inside(ph.p_offset, ph.p_filesz, len)) {
            read_notes(elf + ph.p_offset, ph.p_filesz, t);
            if (*used < ph.p_offset + ph.p_filesz)
                *used = ph.p_offset + ph.p_filesz;
        }
    }
    if (t->xen || eh->e_shentsize != sizeof(Elf64_Shdr) ||
        !inside(eh->e_shoff, (uint64_t)eh->e_shnum * sizeof(Elf64_Shdr), len))
        return;
    for (unsigned i = 0; i < eh->e_shnum; i++) {
        Elf64_Shdr sh;

        memcpy(&sh, elf + eh->e_shoff + i * sizeof(sh), sizeof(sh));
        if (sh.sh_type == SHT_NOTE && inside(sh.sh_offset, sh.sh_size, len))
            read_notes(elf + sh.sh_offset, sh.sh_size, t);
    }
    if (t->xen)
        *used = len;                /* the section headers matter here: keep the whole file */
}

/* "KEY=value,..." of the section __xen_guest, the form before notes. */
static void find_legacy(const uint8_t *elf, size_t len, const Elf64_Ehdr *eh, struct notes *t,
                        uint64_t *used)
{
    Elf64_Shdr str, sh;

    if (eh->e_shentsize != sizeof(sh) || eh->e_shstrndx >= eh->e_shnum ||
        !inside(eh->e_shoff, (uint64_t)eh->e_shnum * sizeof(sh), len))
        return;
    memcpy(&str, elf + eh->e_shoff + eh->e_shstrndx * sizeof(sh), sizeof(str));
    for (unsigned i = 0; i < eh->e_shnum; i++) {
        static const char name[] = "__xen_guest", key[] = "VIRT_BASE=";
        const char *p;

        memcpy(&sh, elf + eh->e_shoff + i * sizeof(sh), sizeof(sh));
        if (!inside(str.sh_offset, str.sh_size, len) || sh.sh_name > str.sh_size ||
            str.sh_size - sh.sh_name < sizeof(name) ||
            memcmp(elf + str.sh_offset + sh.sh_name, name, sizeof(name)) != 0 ||
            !inside(sh.sh_offset, sh.sh_size, len) || sh.sh_size == 0 ||
            elf[sh.sh_offset + sh.sh_size - 1] != '\0')
            continue;
        t->xen = true;
        *used = len;
        p = strstr((const char *)elf + sh.sh_offset, key);
        if (p) {
            t->virt_base = strtoull(p + sizeof(key) - 1, NULL, 0);
            t->has_virt_base = true;
        }
        if (!t->has_paddr_offset)
            t->paddr_offset = t->virt_base;
        t->has_paddr_offset = true;
    }
}

static int take_segment(struct kernel *k, const uint8_t *elf, size_t len, const Elf64_Phdr *ph,
                        uint64_t paddr_offset, const char **why)
{
    unsigned slot = k->n_seg;
    struct kernel_seg *s;
    uint64_t at = ph->p_paddr - paddr_offset;

    if (ph->p_memsz == 0)
        return 0;
    *why = "too many segments";
    if (k->n_seg == KERNEL_MAX_SEGS)
        return -EINVAL;
    *why = "a segment lies outside the file or the guest";
    if (!inside(ph->p_offset, ph->p_filesz, len) || ph->p_filesz > ph->p_memsz ||
        ph->p_paddr < paddr_offset || at >= PHYS_LIMIT || ph->p_memsz >= PHYS_LIMIT - at)
        return -EINVAL;                                                     /* I1, I2 */
    *why = "two segments overlap";
    for (unsigned i = 0; i < k->n_seg; i++) {
        uint64_t o = k->seg[i].pfn * 4096 + k->seg[i].offset;

        if (at < o + k->seg[i].memsz && o < at + ph->p_memsz)
            return -EINVAL;
    }
    /* in order of address: build.c zeroes to the end of a segment's last frame before the next one */
    for (; slot > 0 && k->seg[slot - 1].pfn * 4096 + k->seg[slot - 1].offset > at; slot--)
        k->seg[slot] = k->seg[slot - 1];
    s = &k->seg[slot];
    s->pfn = at / 4096;
    s->offset = at % 4096;
    s->data = elf + ph->p_offset;
    s->filesz = ph->p_filesz;
    s->memsz = ph->p_memsz;
    if (k->end_pfn < (at + ph->p_memsz + 4095) / 4096)
        k->end_pfn = (at + ph->p_memsz + 4095) / 4096;
    if (k->trimmed < ph->p_offset + ph->p_filesz)
        k->trimmed = ph->p_offset + ph->p_filesz;
    k->n_seg++;
    return 0;
}

int kernel_parse(const uint8_t *elf, size_t len, struct kernel *k, const char **why)
{
    struct notes t = {0};
    uint64_t used = sizeof(Elf64_Ehdr);
    Elf64_Ehdr eh;

    memset(k, 0, sizeof(*k));
    *why = "not a 64-bit x86 ELF kernel";
    if (len < sizeof(eh))
        return -EINVAL;
    memcpy(&eh, elf, sizeof(eh));
    if (memcmp(eh.e_ident, "\177ELF\2\1", 6) != 0 || eh.e_machine != EM_X86_64 ||
        eh.e_phentsize != sizeof(Elf64_Phdr) || eh.e_phnum == 0 || eh.e_phnum > 64 ||
        !inside(eh.e_phoff, (uint64_t)eh.e_phnum * sizeof(Elf64_Phdr), len))
        return -EINVAL;
    if (used < eh.e_phoff + eh.e_phnum * sizeof(Elf64_Phdr))
        used = eh.e_phoff + eh.e_phnum * sizeof(Elf64_Phdr);
    find_notes(elf, len, &eh, &t, &used);
    if (!t.xen)
        find_legacy(elf, len, &eh, &t, &used);
    *why = "no Xen notes: the kernel was built without CONFIG_XEN_PV";
    if (!t.xen)
        return -EINVAL;
    *why = "the kernel requires supervisor_mode_kernel, which no PV guest has";
    if (t.bad_features)
        return -EINVAL;
    k->trimmed = used;
    for (unsigned i = 0; i < eh.e_phnum; i++) {
        Elf64_Phdr ph;
        int rc;

        memcpy(&ph, elf + eh.e_phoff + i * sizeof(ph), sizeof(ph));
        rc = ph.p_type == PT_LOAD ? take_segment(k, elf, len, &ph, t.paddr_offset, why) : 0;
        if (rc < 0)
            return rc;
    }
    *why = "nothing to load, or addresses that are not page aligned";
    if (k->n_seg == 0 || t.virt_base % 4096 || (t.has_p2m && t.init_p2m % 4096) ||
        (t.has_hypercall && t.hypercall_page % 4096))
        return -EINVAL;
    k->virt_base = t.virt_base;
    k->entry = t.has_entry ? t.entry : eh.e_entry;
    k->has_hypercall_page = t.has_hypercall;
    k->hypercall_page = t.hypercall_page;
    k->has_init_p2m = t.has_p2m;
    k->init_p2m = t.init_p2m;
    k->unmapped_ramdisk = t.mod_start_pfn;
    *why = NULL;
    return 0;
}
