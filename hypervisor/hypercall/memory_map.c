/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory_map.c - XENMEM calls about where memory is: E820 maps, the machine-to-physical table, grant frames to map
 *
 * ABI: memory.h memory_map, machine_memory_map, set_memory_map, machphys_mfn_list, machphys_mapping,
 * acquire_resource; abi-map 1.7, 2.6.
 */
#include "hypercall/memory_op.h"

#include <string.h>

#include "boot/boot_info.h"
#include "boot/map_boot.h"
#include "domain/io_caps.h"
#include "grant/grant.h"
#include "heap.h"
#include "layout.h"
#include "mm/frame.h"

#define M2P_CHUNK_FRAMES (1UL << (21 - 3))      /* frames whose entries fill 2 MiB of the table */
#define LIST_BATCH 32u

struct domain_e820 {
    unsigned nr;
    struct e820_entry entry[MAX_E820];
};

/* Copy @nr entries out if they fit, and the count; @x is the caller's structure at @arg. */
static long put_map(gva_t arg, struct xen_memory_map *x, const struct e820_entry *entries, unsigned nr)
{
    if (guest_copy_out(gva((uint64_t)x->buffer.p), entries, nr * sizeof(*entries)) != 0)
        return -EFAULT;
    x->nr_entries = nr;
    return guest_copy_out(arg, x, sizeof(*x));
}

long memory_guest_map(struct vcpu *v, struct hcall *h, gva_t arg, uint64_t start)
{
    struct domain *d = v->domain;
    struct xen_memory_map x;
    long rc = -ENOSYS;

    (void)h, (void)start;
    if (guest_copy_in(&x, arg, sizeof(x)) != 0)
        return -EFAULT;
    struct domain_e820 *copy = heap_alloc(sizeof(*copy));       /* no guest access under the lock */
    if (!copy)
        return -ENOMEM;
    spin_lock(&d->lock);
    if (d->e820)
        *copy = *d->e820;
    spin_unlock(&d->lock);
    if (copy->nr > 0)
        rc = put_map(arg, &x, copy->entry, MIN(copy->nr, x.nr_entries));
    heap_free(copy);
    return rc;
}

long memory_set_map(struct vcpu *v, struct hcall *h, gva_t arg, uint64_t start)
{
    struct xen_foreign_memory_map x;
    struct domain *d;

    (void)h, (void)start;
    if (guest_copy_in(&x, arg, sizeof(x)) != 0)
        return -EFAULT;
    if (x.map.nr_entries > MAX_E820)
        return -E2BIG;
    int rc = memory_target(v, x.domid, &d);
    if (rc != 0)
        return rc;
    struct domain_e820 *map = heap_alloc(sizeof(*map));
    rc = map ? 0 : -ENOMEM;
    if (rc == 0)
        rc = guest_copy_in(map->entry, gva((uint64_t)x.map.buffer.p), x.map.nr_entries * sizeof(map->entry[0]));
    if (rc == 0) {
        map->nr = x.map.nr_entries;
        spin_lock(&d->lock);
        struct domain_e820 *old = d->e820;
        d->e820 = map;
        spin_unlock(&d->lock);
        map = old;
    }
    heap_free(map);
    domain_put(d);
    return rc;
}

/* Is [first, last] (frames) inside an entry of the firmware's map that is not RAM? */
static bool listed_as_reserved(uint64_t first, uint64_t last)
{
    for (unsigned i = 0; i < boot_info.nr_e820; i++) {
        const struct e820_entry *e = &boot_info.e820[i];
        if (e->type != E820_RAM && first << PAGE_SHIFT >= e->addr && (last + 1) << PAGE_SHIFT <= e->addr + e->size)
            return true;
    }
    return false;
}

/* The machine's map, and what Dom0 may not touch as reserved, so that it puts nothing there. */
long memory_machine_map(struct vcpu *v, struct hcall *h, gva_t arg, uint64_t start)
{
    struct xen_memory_map x;
    uint64_t first, last;

    (void)v, (void)h, (void)start;
    if (guest_copy_in(&x, arg, sizeof(x)) != 0)
        return -EFAULT;
    if (x.nr_entries < boot_info.nr_e820 + 1)
        return -EINVAL;
    struct domain_e820 *map = heap_alloc(sizeof(*map));
    if (!map)
        return -ENOMEM;
    map->nr = boot_info.nr_e820;
    memcpy(map->entry, boot_info.e820, map->nr * sizeof(map->entry[0]));
    for (unsigned i = 0; io_caps_denied_mem(i, &first, &last) && map->nr < MIN((unsigned)MAX_E820, x.nr_entries); i++)
        if (!listed_as_reserved(first, last))
            map->entry[map->nr++] = (struct e820_entry){ .addr = first << PAGE_SHIFT,
                                                         .size = (last - first + 1) << PAGE_SHIFT,
                                                         .type = E820_RESERVED };
    const long rc = put_map(arg, &x, map->entry, map->nr);
    heap_free(map);
    return rc;
}

/* ABI: one frame number a 2 MiB chunk of the table; a hole repeats the one before it. */
long memory_machphys_list(struct vcpu *v, struct hcall *h, gva_t arg, uint64_t start)
{
    struct xen_machphys_mfn_list x;
    uint64_t last = 0;

    (void)v, (void)h, (void)start;
    if (guest_copy_in(&x, arg, sizeof(x)) != 0)
        return -EFAULT;
    const uint64_t chunks = ROUND_UP(max_mfn, M2P_CHUNK_FRAMES) / M2P_CHUNK_FRAMES;
    const unsigned nr = (unsigned)MIN((uint64_t)x.max_extents, chunks);
    for (unsigned i = 0; i < nr; i++) {
        const mfn_t m = m2p_chunk_frame(i);
        if (!mfn_eq(m, MFN_INVALID))
            last = m.n;
        if (guest_copy_out(gva((uint64_t)x.extent_start.p + i * sizeof(last)), &last, sizeof(last)) != 0)
            return -EFAULT;
    }
    x.nr_extents = nr;
    return guest_copy_out(arg, &x, sizeof(x));
}

/*
 * Linux asks once, at boot, and takes a frame above max_mfn for nobody's. A guest may go on where more memory is, so it is
 * told of the whole window, and faults on what is not mapped, as on Xen. Dom0 stays here and is told what is mapped: it reads
 * the entry of every MMIO frame below max_mfn, and each fault costs (131,000 of them, for the PCI configuration window alone).
 */
long memory_machphys_mapping(struct vcpu *v, struct hcall *h, gva_t arg, uint64_t start)
{
    const uint64_t window = (M2P_RO_END - M2P_RO_START) / sizeof(uint64_t);
    const uint64_t mapped = m2p_chunk_count() * (0x200000UL / sizeof(uint64_t));
    const struct xen_machphys_mapping x = { .v_start = M2P_RO_START,
                                            .v_end = M2P_RO_END,
                                            .max_mfn = (v->domain->privileged ? mapped : window) - 1 };

    (void)h, (void)start;
    return guest_copy_out(arg, &x, sizeof(x));
}

static int put_grant_frames(struct domain *d, const struct xen_mem_acquire_resource *x)
{
    uint64_t list[LIST_BATCH];

    for (unsigned done = 0; done < x->nr_frames;) {
        const unsigned n = MIN(x->nr_frames - done, LIST_BATCH);
        for (unsigned i = 0; i < n; i++) {
            mfn_t m;
            const int rc = grant_table_frame(d, (unsigned)x->frame + done + i, &m);
            if (rc != 0)
                return rc;
            list[i] = m.n;
        }
        if (guest_copy_out(gva((uint64_t)x->frame_list.p + done * sizeof(list[0])), list, n * sizeof(list[0])) != 0)
            return -EFAULT;
        done += n;
    }
    return 0;
}

long memory_acquire_resource(struct vcpu *v, struct hcall *h, gva_t arg, uint64_t start)
{
    struct xen_mem_acquire_resource x;

    (void)h, (void)start;
    if (guest_copy_in(&x, arg, sizeof(x)) != 0)
        return -EFAULT;
    if (x.pad != 0)
        return -EINVAL;
    if (x.type != XENMEM_resource_grant_table)
        return -EOPNOTSUPP;
    if (x.id != XENMEM_resource_grant_table_id_shared)          /* status frames: version 2 only */
        return -EINVAL;
    struct domain *d = domain_lookup_self(v, x.domid);
    if (!d)
        return -ESRCH;
    if (d == v->domain) {
        domain_put(d);
        return -EPERM;
    }

    const unsigned limit = grant_table_max_frames(d);
    long rc;
    if (x.nr_frames == 0 && x.frame_list.p == NULL) {
        x.nr_frames = limit;
        rc = guest_copy_out(arg, &x, sizeof(x));
    } else if (x.frame >= limit || x.nr_frames > limit - x.frame) {
        rc = -EINVAL;
    } else {
        rc = put_grant_frames(d, &x);
    }
    domain_put(d);
    return rc;
}
