/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * elf_image.c - see elf_image.h
 *
 *   I1  no pointer into the file is formed before [offset, offset + length) was found inside [0, size).
 *   I2  headers are copied out with memcpy: the file may sit at any alignment.
 *
 * Refuses: anything but 64-bit little-endian x86-64 with standard header sizes.
 */
#include "dom0/elf_image.h"

#include <elf.h>
#include <string.h>

#include "hv_errno.h"

/* [off, off + n) lies in the file: n <= size and off <= size - n, so that nothing wraps. */
static bool inside(const struct elf_image *e, uint64_t off, uint64_t n)
{
    return n <= e->size && off <= e->size - n;
}

bool elf_is_elf(const void *data, uint64_t size)
{
    return size >= SELFMAG && memcmp(data, ELFMAG, SELFMAG) == 0;
}

int elf_open(struct elf_image *e, const void *data, uint64_t size, const char **why)
{
    Elf64_Ehdr h;

    *e = (struct elf_image){ .data = data, .size = size };
    *why = "not an ELF file";
    if (!elf_is_elf(data, size))
        return -EINVAL;
    *why = "truncated ELF header";
    if (!inside(e, 0, sizeof(h)))
        return -EINVAL;
    memcpy(&h, data, sizeof(h));

    *why = "not a 64-bit x86-64 ELF file";
    if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB || h.e_machine != EM_X86_64)
        return -EINVAL;
    *why = "no program headers, or truncated";
    if (h.e_phnum == 0 || h.e_phentsize != sizeof(Elf64_Phdr) ||
        !inside(e, h.e_phoff, (uint64_t)h.e_phnum * sizeof(Elf64_Phdr)))
        return -EINVAL;

    e->entry = h.e_entry;
    e->phoff = h.e_phoff;
    e->phnum = h.e_phnum;
    /* Sections are optional: a stripped or cut table only means there are none. */
    if (h.e_shentsize == sizeof(Elf64_Shdr) && inside(e, h.e_shoff, (uint64_t)h.e_shnum * sizeof(Elf64_Shdr))) {
        e->shoff = h.e_shoff;
        e->shnum = h.e_shnum;
        e->shstrndx = h.e_shstrndx;
    }
    return 0;
}

bool elf_segment(const struct elf_image *e, unsigned i, struct elf_segment *out)
{
    Elf64_Phdr p;

    if (i >= e->phnum)
        return false;
    memcpy(&p, e->data + e->phoff + i * sizeof(p), sizeof(p));
    if (!inside(e, p.p_offset, p.p_filesz) || p.p_filesz > p.p_memsz || p.p_paddr + p.p_memsz < p.p_paddr)
        return false;
    *out = (struct elf_segment){
        .type = p.p_type, .vaddr = p.p_vaddr, .paddr = p.p_paddr, .filesz = p.p_filesz, .memsz = p.p_memsz,
        .bytes = e->data + p.p_offset, .align = p.p_align,
    };
    return true;
}

static bool read_shdr(const struct elf_image *e, unsigned i, Elf64_Shdr *s)
{
    if (i >= e->shnum)
        return false;
    memcpy(s, e->data + e->shoff + i * sizeof(*s), sizeof(*s));
    return s->sh_type == SHT_NOBITS || inside(e, s->sh_offset, s->sh_size);
}

/* The name at @off of the string section, "" when there is no terminated one. */
static const char *section_name(const struct elf_image *e, uint32_t off)
{
    Elf64_Shdr s;

    if (!read_shdr(e, e->shstrndx, &s) || s.sh_type != SHT_STRTAB || off >= s.sh_size)
        return "";
    const char *name = (const char *)e->data + s.sh_offset + off;
    const uint64_t max = s.sh_size - off;
    return strnlen(name, max) < max ? name : "";
}

bool elf_section(const struct elf_image *e, unsigned i, struct elf_section *out)
{
    Elf64_Shdr s;

    if (!read_shdr(e, i, &s))
        return false;
    *out = (struct elf_section){
        .type = s.sh_type, .name = section_name(e, s.sh_name), .size = s.sh_size, .align = s.sh_addralign,
        .bytes = s.sh_type == SHT_NOBITS ? NULL : e->data + s.sh_offset,
    };
    return true;
}
