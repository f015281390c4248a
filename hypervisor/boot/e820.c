/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * e820.c - make the firmware's memory map one we can rely on, and hand out RAM before there is an allocator
 */
#include "boot/boot_info.h"
#include "boot/memory.h"
#include "machine.h"
#include "mm/frame.h"
#include "mm/frame_alloc.h"
#include "print.h"

#include <string.h>

extern const char image_start[], image_end[];
#define IMAGE_OFFSET 0xffff828000000000UL

/* ---- the map ---- */

static uint32_t type_rank(uint32_t type)
{
    return type == E820_RAM ? 0 : type == E820_UNUSABLE ? 2 : 1;
}

/* Type of the bytes at @a: the most restrictive entry that covers it; 0 for a hole. @next: where that may change. */
static uint32_t type_at(const struct e820_entry *in, unsigned n, uint64_t a, uint64_t *next)
{
    uint32_t type = 0;
    *next = ~0UL;
    for (unsigned i = 0; i < n; i++) {
        const uint64_t start = in[i].addr, end = start + in[i].size;
        if (start > a && start < *next)
            *next = start;
        if (start > a || end <= a)
            continue;
        if (end < *next)
            *next = end;
        if (!type || type_rank(in[i].type) > type_rank(type))
            type = in[i].type;
    }
    return type;
}

static void append(uint64_t start, uint64_t end, uint32_t type)
{
    struct e820_entry *last = boot_info.nr_e820 ? &boot_info.e820[boot_info.nr_e820 - 1] : NULL;
    if (type == E820_RAM) {
        start = ROUND_UP(start, PAGE_SIZE);
        end &= PAGE_MASK;
    }
    if (start >= end)
        return;
    if (last && last->type == type && last->addr + last->size == start)
        last->size = end - last->addr;
    else if (boot_info.nr_e820 < MAX_E820)
        boot_info.e820[boot_info.nr_e820++] = (struct e820_entry){ start, end - start, type };
}

void e820_fix(void)
{
    static struct e820_entry in[MAX_E820];
    const unsigned n = boot_info.nr_e820;
    memcpy(in, boot_info.e820, sizeof(in));
    boot_info.nr_e820 = 0;
    uint64_t next;
    for (uint64_t a = 0; a != ~0UL; a = next) {
        const uint32_t type = type_at(in, n, a, &next);
        if (type)
            append(a, next, type);
    }
}

void e820_print(void)
{
    static const char *const name[] = { "?", "RAM", "reserved", "ACPI data", "ACPI NVS", "unusable" };
    for (unsigned i = 0; i < boot_info.nr_e820; i++) {
        const struct e820_entry *e = &boot_info.e820[i];
        pr_info("memory: %012lx-%012lx %s\n", e->addr, e->addr + e->size - 1,
                e->type < ARRAY_SIZE(name) ? name[e->type] : "other");
    }
}

uint64_t e820_ram_end(void)
{
    uint64_t end = 0;
    for (unsigned i = 0; i < boot_info.nr_e820; i++) {
        const struct e820_entry *e = &boot_info.e820[i];
        if (e->type == E820_RAM && e->addr + e->size > end)
            end = e->addr + e->size;
    }
    return MIN(end, 1UL << MAX_PHYS_BITS);
}

bool e820_all(uint64_t start, uint64_t end, uint32_t type)
{
    for (unsigned i = 0; i < boot_info.nr_e820; i++) {
        const struct e820_entry *e = &boot_info.e820[i];
        if (e->addr <= start && e->addr + e->size >= end)
            return e->type == type;
    }
    return false;
}

/* ---- early allocation ---- */

#define MAX_RANGES 256
static struct range { uint64_t start, end; } range[MAX_RANGES];
static unsigned nr_ranges;

static void add_range(uint64_t start, uint64_t end)
{
    if (start >= end)
        return;
    if (nr_ranges == MAX_RANGES)
        machine_panic("the memory map is too fragmented (%u ranges)", MAX_RANGES);
    range[nr_ranges++] = (struct range){ start, end };
}

static void reserve(uint64_t start, uint64_t end)
{
    start &= PAGE_MASK;
    end = ROUND_UP(end, PAGE_SIZE);
    const unsigned n = nr_ranges;
    for (unsigned i = 0; i < n; i++) {
        struct range *r = &range[i];
        if (r->end <= start || r->start >= end)
            continue;
        const uint64_t tail = r->end;
        r->end = MAX(start, r->start);
        if (r->end == r->start && tail > end)
            r->start = end, r->end = tail;
        else
            add_range(end, tail);
    }
}

void boot_alloc_init(void)
{
    for (unsigned i = 0; i < boot_info.nr_e820; i++) {
        const struct e820_entry *e = &boot_info.e820[i];
        if (e->type == E820_RAM)
            add_range(e->addr, MIN(e->addr + e->size, 1UL << MAX_PHYS_BITS));
    }
    reserve(0, 0x100000);
    reserve((uint64_t)image_start - IMAGE_OFFSET, (uint64_t)image_end - IMAGE_OFFSET);
    for (unsigned i = 0; i < boot_info.nr_modules; i++)
        reserve(boot_info.module[i].start.n, boot_info.module[i].start.n + boot_info.module[i].size);
    if (boot_info.info_size)
        reserve(boot_info.info_start, boot_info.info_start + boot_info.info_size);
}

uint64_t boot_alloc(uint64_t size, uint64_t align, uint64_t below)
{
    struct range *best = NULL;
    uint64_t best_at = 0;
    for (unsigned i = 0; i < nr_ranges; i++) {
        struct range *r = &range[i];
        const uint64_t end = MIN(r->end, below);
        if (end < size || end <= r->start)
            continue;
        const uint64_t at = (end - size) & ~(align - 1);
        if (at >= r->start && at >= best_at)
            best = r, best_at = at;
    }
    if (!best)
        return 0;
    const uint64_t tail = best->end;
    best->end = best_at;
    add_range(best_at + size, tail);
    return best_at;
}

void boot_alloc_finish(void)
{
    /* All RAM is ours first; then what is free is handed over. */
    for (unsigned i = 0; i < boot_info.nr_e820; i++) {
        const struct e820_entry *e = &boot_info.e820[i];
        if (e->type == E820_RAM && e->addr + e->size > 0x100000)
            frame_mark_hv(mfn(MAX(e->addr, 0x100000UL) >> PAGE_SHIFT), mfn((e->addr + e->size) >> PAGE_SHIFT));
    }
    for (unsigned i = 0; i < nr_ranges; i++) {
        if (range[i].start < range[i].end)
            frame_alloc_add(mfn(range[i].start >> PAGE_SHIFT), mfn(range[i].end >> PAGE_SHIFT));
    }
    nr_ranges = 0;
}
