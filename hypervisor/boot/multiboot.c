/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * multiboot.c - take over what the loader says, before any memory is touched
 *
 * ABI: Multiboot 0.6.96 and Multiboot2 2.0 (abi-map 1.1). The information lies in ordinary RAM below 4 GiB, mapped one
 * to one at this point; strings, modules and the memory map are copied. Lengths are bounded by our arrays; what does
 * not fit is dropped, with a message later from e820_fix().
 */
#include "boot/multiboot.h"

#include "boot/boot_info.h"
#include "lib/lib.h"

#include <string.h>

struct boot_info boot_info;

#define AT(type, address) ((const type *)(uintptr_t)(address))

static void add_e820(uint64_t addr, uint64_t size, uint32_t type)
{
    /* Some loaders leave garbage above bit 31 of a length below 4 GiB. */
    if (addr < 1UL << 32 && size >= 1UL << 32 && addr + size > 1UL << 46)
        size &= 0xffffffff;
    if (boot_info.nr_e820 < MAX_E820 && size)
        boot_info.e820[boot_info.nr_e820++] = (struct e820_entry){ addr, size, type };
}

static void add_module(uint64_t start, uint64_t end, const char *cmdline)
{
    if (boot_info.nr_modules >= MAX_MODULES || end < start)
        return;
    const unsigned i = boot_info.nr_modules++;
    str_copy(boot_info.module_cmdline[i], sizeof(boot_info.module_cmdline[i]), cmdline ? cmdline : "");
    boot_info.module[i] = (struct boot_module){ maddr(start), end - start, boot_info.module_cmdline[i] };
}

/* ---- Multiboot 1 ---- */

struct mb1_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length, mmap_addr,
        drives[2], config, loader;
};
struct mb1_module { uint32_t start, end, string, reserved; };
struct mb1_mmap { uint32_t size; uint64_t addr, len; uint32_t type; } __attribute__((packed));

static void parse_mb1(uint32_t at)
{
    const struct mb1_info *mbi = AT(struct mb1_info, at);
    if (mbi->flags & 1u << 9)
        str_copy(boot_info.loader, sizeof(boot_info.loader), AT(char, mbi->loader));
    if (mbi->flags & 1u << 2)
        str_copy(boot_info.cmdline, sizeof(boot_info.cmdline), AT(char, mbi->cmdline));
    for (uint32_t i = 0; (mbi->flags & 1u << 3) && i < mbi->mods_count && i < MAX_MODULES; i++) {
        const struct mb1_module *m = AT(struct mb1_module, mbi->mods_addr) + i;
        add_module(m->start, m->end, m->string ? AT(char, m->string) : NULL);
    }
    if (!(mbi->flags & 1u << 6)) {
        if (mbi->flags & 1) {
            add_e820(0, mbi->mem_lower * 1024UL, E820_RAM);
            add_e820(0x100000, mbi->mem_upper * 1024UL, E820_RAM);
        }
        return;
    }
    for (uint32_t off = 0; off + sizeof(struct mb1_mmap) <= mbi->mmap_length;) {
        const struct mb1_mmap *m = AT(struct mb1_mmap, mbi->mmap_addr + off);
        add_e820(m->addr, m->len, m->type);
        off += m->size + 4;
        if (m->size < 20)
            break;
    }
}

/* ---- Multiboot 2 ---- */

struct mb2_tag { uint32_t type, size; };

static void parse_mb2_map(const struct mb2_tag *t)
{
    const uint32_t entry_size = *AT(uint32_t, (uintptr_t)t + 8);
    for (uint32_t off = 16; entry_size >= 24 && off + entry_size <= t->size; off += entry_size) {
        const uintptr_t e = (uintptr_t)t + off;
        add_e820(*AT(uint64_t, e), *AT(uint64_t, e + 8), *AT(uint32_t, e + 16));
    }
}

static void parse_mb2_framebuffer(const struct mb2_tag *t)
{
    if (t->size >= 31 && t->size <= sizeof(boot_info.framebuffer)) {
        memcpy(boot_info.framebuffer, t, t->size);
        boot_info.framebuffer_size = t->size;
    }
}

/* A copy of the RSDP, not its place: kept where it is, the information is not overwritten before ACPI is read. */
static void parse_mb2_tag(const struct mb2_tag *t)
{
    const uintptr_t body = (uintptr_t)t + 8;
    switch (t->type) {
    case 1:
        str_copy(boot_info.cmdline, sizeof(boot_info.cmdline), AT(char, body));
        break;
    case 2:
        str_copy(boot_info.loader, sizeof(boot_info.loader), AT(char, body));
        break;
    case 3:
        add_module(*AT(uint32_t, body), *AT(uint32_t, body + 4), AT(char, body + 8));
        break;
    case 6:
        parse_mb2_map(t);
        break;
    case 8:
        parse_mb2_framebuffer(t);
        break;
    case 12:
        boot_info.efi = true;
        boot_info.efi_system_table = *AT(uint64_t, body);
        break;
    case 14:
        if (!boot_info.rsdp)
            boot_info.rsdp = body;
        break;
    case 15:
        boot_info.rsdp = body;
        break;
    }
}

static void parse_mb2(uint32_t at)
{
    const uint32_t total = *AT(uint32_t, at);
    boot_info.info_start = at;
    boot_info.info_size = total;
    for (uint32_t off = 8; off + 8 <= total;) {
        const struct mb2_tag *t = AT(struct mb2_tag, at + off);
        if (t->type == 0 || t->size < 8 || off + t->size > total)
            break;
        parse_mb2_tag(t);
        off += (t->size + 7) & ~7u;
    }
}

/* ---- what the two have in common ---- */

static void drop_first_word(char *s)
{
    size_t i = strlen(s);
    char *rest = strchr(s, ' ');
    if (!rest) {
        s[0] = '\0';
        return;
    }
    while (*rest == ' ')
        rest++;
    i = strlen(rest);
    memmove(s, rest, i + 1);
}

/*
 * Image names are cut off, except with GRUB 2, which does so itself. " -- " moves the rest of our line to Dom0's.
 */
static void cook_cmdlines(void)
{
    const bool grub2 = !strncmp(boot_info.loader, "GRUB 2.", 7);
    if (!grub2) {
        drop_first_word(boot_info.cmdline);
        for (unsigned i = 0; i < boot_info.nr_modules; i++)
            drop_first_word(boot_info.module_cmdline[i]);
    }
    char *dashes = strstr(boot_info.cmdline, " -- ");
    if (dashes) {
        str_copy(boot_info.dom0_extra, sizeof(boot_info.dom0_extra), dashes + 4);
        *dashes = '\0';
    }
}

bool multiboot_parse(uint32_t magic, uint32_t info)
{
    if (magic == 0x2badb002)
        parse_mb1(info);
    else if (magic == 0x36d76289)
        parse_mb2(info);
    else
        return false;
    cook_cmdlines();
    return true;
}
