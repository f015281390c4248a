/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_op_test.c - XENMEM_*: what changes hands, what does not, and H31..H38 of the checklist */
#include "../unit.h"

#include <string.h>

#include <xen/memory.h>

#include "boot_fake.h"
#include "domain/io_caps.h"
#include "grant/grant.h"
#include "boot/map_boot.h"
#include "heap.h"
#include "heap_fake.h"
#include "hv_errno.h"
#include "hypercall/hypercall.h"
#include "layout.h"
#include "machine_fake.h"
#include "mm/dirty_log.h"
#include "mm/frame_alloc.h"
#include "mm/page_ref.h"
#include "mm/page_type.h"

#define FRAMES 8192u
#define HOLE ((void *)0xffff800000000000)

static struct domain d0, d1, d2;
static struct vcpu v0, v1;
static struct shared_info shared;
static uint64_t list[4096], out_list[4096];
static uint64_t free_at_start;

static void setup(void)
{
    fake_machine_init(FRAMES);
    fake_guest_reset();
    fake_domain_init(&d0, 0);
    fake_domain_init(&d1, 1);
    fake_domain_init(&d2, 2);
    fake_vcpu_init(&v0, &d0, 0);
    fake_vcpu_init(&v1, &d1, 0);
    d1.shared_info = &shared;
    fake_guest_share(list, sizeof(list));
    fake_guest_share(out_list, sizeof(out_list));
    free_at_start = frame_free_count();
}

/* The guest: calls again, with the registers it was left with, until the answer is not "again". */
static long memory_op(struct vcpu *v, uint64_t cmd, void *arg)
{
    struct hcall h = { .arg = { cmd, (uintptr_t)arg } };
    long rc;

    while ((rc = do_memory_op(v, &h)) == -ERESTART)
        ;
    CU_ASSERT_EQUAL(h.arg[0] & 63, cmd & 63);
    return rc;
}

static long reserve(struct vcpu *v, unsigned cmd, uint64_t n, unsigned order, domid_t id)
{
    struct xen_memory_reservation r = { .nr_extents = n, .extent_order = order, .domid = id };

    r.extent_start.p = list;
    fake_guest_share(&r, sizeof(r));
    const long rc = memory_op(v, cmd, &r);
    fake_guest_reset();
    fake_guest_share(list, sizeof(list));
    fake_guest_share(out_list, sizeof(out_list));
    return rc;
}

static void audit(void)
{
    frame_alloc_audit();
    page_type_audit(true);
}

static void give_all_back(void)
{
    while (d1.mm.first) {
        list[0] = d1.mm.first;
        CU_ASSERT_EQUAL(reserve(&v1, XENMEM_decrease_reservation, 1, 0, DOMID_SELF), 1);
    }
    CU_ASSERT_EQUAL(d1.mm.tot_pages, 0);
    CU_ASSERT_EQUAL(frame_free_count(), free_at_start);
    audit();
}

static void populate(uint64_t n, unsigned order, uint64_t first_pfn)
{
    for (uint64_t i = 0; i < n; i++)
        list[i] = first_pfn + (i << order);
    CU_ASSERT_EQUAL(reserve(&v1, XENMEM_populate_physmap, n, order, DOMID_SELF), (long)n);
}

static void test_populate_and_decrease(void)
{
    setup();
    populate(10, 0, 100);
    CU_ASSERT_EQUAL(d1.mm.tot_pages, 10);
    for (unsigned i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(frame_owner(frame_of(mfn(list[i]))), 1);
        CU_ASSERT_EQUAL(m2p_get(mfn(list[i])), 100 + i);
    }
    populate(2, 3, 1000);
    CU_ASSERT_EQUAL(d1.mm.tot_pages, 26);
    CU_ASSERT_EQUAL(m2p_get(mfn(list[1] + 7)), 1015);
    give_all_back();
}

/* Pages that come and pages that go: who copies the domain hears of both. */
static void test_changes_are_logged(void)
{
    static uint64_t bits[4];
    uint32_t dirty, faults;

    setup();
    populate(2, 0, 100);
    CU_ASSERT_EQUAL(dirty_log_enable(&d1), 0);
    populate(2, 0, 110);
    list[0] = d1.mm.first;                                      /* the last one that came */
    CU_ASSERT_EQUAL(m2p_get(mfn(list[0])), 111);
    fake_guest_share(bits, sizeof(bits));
    CU_ASSERT_EQUAL(dirty_log_read(&d1, fake_gva(bits), 256, true, &dirty, &faults), 0);
    CU_ASSERT_EQUAL(bits[1], 3UL << (110 - 64));
    CU_ASSERT_EQUAL(reserve(&v1, XENMEM_decrease_reservation, 1, 0, DOMID_SELF), 1);
    fake_guest_share(bits, sizeof(bits));
    CU_ASSERT_EQUAL(dirty_log_read(&d1, fake_gva(bits), 256, true, &dirty, &faults), 0);
    CU_ASSERT_EQUAL(bits[1], 1UL << (111 - 64));
    CU_ASSERT_EQUAL(dirty, 1);
    CU_ASSERT_EQUAL(dirty_log_off(&d1), 0);
    dirty_log_destroy(&d1);
    give_all_back();
}

/* Progress survives any number of interruptions; each extent is done once. */
static void test_preemption(void)
{
    setup();
    fake_preempt_at(1, 1);
    populate(50, 0, 0);
    CU_ASSERT_EQUAL(d1.mm.tot_pages, 50);
    fake_preempt_at(2, 3);
    CU_ASSERT_EQUAL(reserve(&v1, XENMEM_decrease_reservation, 50, 0, DOMID_SELF), 50);
    CU_ASSERT_EQUAL(d1.mm.tot_pages, 0);
    fake_preempt_at(0, 0);
    give_all_back();
}

/* H33 */
static void test_h33_limits(void)
{
    setup();
    d1.mm.max_pages = 20;
    for (unsigned i = 0; i < 30; i++)
        list[i] = i;
    CU_ASSERT_EQUAL(reserve(&v1, XENMEM_populate_physmap, 30, 0, DOMID_SELF), 20);
    CU_ASSERT_EQUAL(d1.mm.tot_pages, 20);
    CU_ASSERT_EQUAL(reserve(&v1, XENMEM_increase_reservation, 1, 0, DOMID_SELF), 0);
    const uint64_t free_now = frame_free_count();
    for (unsigned order = 10; order < 64; order++)
        CU_ASSERT_EQUAL(reserve(&v1, XENMEM_populate_physmap, 1, order, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(reserve(&v1, XENMEM_populate_physmap, 1, 0xffffffff, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(reserve(&v1, XENMEM_populate_physmap, ~0UL, 0, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(reserve(&v1, XENMEM_populate_physmap, ~0UL >> 9, 0, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(frame_free_count(), free_now);
    give_all_back();
}

static void test_memory_runs_out(void)
{
    setup();
    d1.mm.max_pages = ~0UL;
    for (unsigned i = 0; i < 4096; i++)
        list[i] = i;
    CU_ASSERT_EQUAL(reserve(&v1, XENMEM_populate_physmap, 4096, 0, DOMID_SELF), 4096);
    const long second = reserve(&v1, XENMEM_increase_reservation, 4096, 0, DOMID_SELF);
    CU_ASSERT_TRUE(second > 0 && second < 4096);
    CU_ASSERT_EQUAL((uint64_t)(4096 + second), d1.mm.tot_pages);
    give_all_back();
}

/* H34 */
static void test_h34_decrease(void)
{
    setup();
    populate(5, 0, 0);
    uint64_t mine[5];
    memcpy(mine, list, sizeof(mine));
    static const uint64_t bad[] = { 0, FRAMES, ~0UL, 1UL << 40 };
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        list[0] = bad[i];
        CU_ASSERT_EQUAL(reserve(&v1, XENMEM_decrease_reservation, 1, 0, DOMID_SELF), 0);
    }
    list[0] = mine[0], list[1] = mine[0], list[2] = mine[1];    /* repeated: stops there */
    CU_ASSERT_EQUAL(reserve(&v1, XENMEM_decrease_reservation, 3, 0, DOMID_SELF), 1);
    CU_ASSERT_EQUAL(d1.mm.tot_pages, 4);

    /* Mapped: success for the guest, but the frame stays until the last reference goes. */
    CU_ASSERT_TRUE(page_ref_get(mfn(mine[2]), &d1));
    list[0] = mine[2];
    const uint64_t free_now = frame_free_count();
    CU_ASSERT_EQUAL(reserve(&v1, XENMEM_decrease_reservation, 1, 0, DOMID_SELF), 1);
    CU_ASSERT_EQUAL(frame_owner(frame_of(mfn(mine[2]))), 1);
    CU_ASSERT_EQUAL(frame_free_count(), free_now);
    CU_ASSERT_EQUAL(reserve(&v1, XENMEM_decrease_reservation, 1, 0, DOMID_SELF), 0);
    page_ref_put(mfn(mine[2]));
    CU_ASSERT_EQUAL(frame_free_count(), free_now + 1);
    give_all_back();
}

static void test_foreign_targets(void)
{
    setup();
    list[0] = 0;
    CU_ASSERT_EQUAL(reserve(&v1, XENMEM_populate_physmap, 1, 0, 2), -EPERM);
    CU_ASSERT_EQUAL(reserve(&v1, XENMEM_populate_physmap, 1, 0, 999), -EPERM);  /* no oracle */
    CU_ASSERT_EQUAL(reserve(&v0, XENMEM_populate_physmap, 1, 0, 999), 0);
    CU_ASSERT_EQUAL(reserve(&v0, XENMEM_populate_physmap, 1, 0, 1), 1);
    CU_ASSERT_EQUAL(d1.mm.tot_pages, 1);
    list[0] = d1.mm.first;
    CU_ASSERT_EQUAL(reserve(&v0, XENMEM_decrease_reservation, 1, 0, DOMID_SELF), 0);    /* not Dom0's own */
    give_all_back();
}

/* A list that turns out not to be writable: the frame is not lost (I1). */
static void test_list_faults(void)
{
    static uint64_t readonly_list[4] = { 1, 2, 3, 4 };
    struct xen_memory_reservation r = { .nr_extents = 4, .domid = DOMID_SELF };

    setup();
    fake_guest_map((uintptr_t)readonly_list, readonly_list, sizeof(readonly_list), false);
    fake_guest_share(&r, sizeof(r));
    r.extent_start.p = readonly_list;
    CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_populate_physmap, &r), 0);
    CU_ASSERT_EQUAL(d1.mm.tot_pages, 0);
    r.extent_start.p = HOLE;
    CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_populate_physmap, &r), 0);
    r.extent_start.p = NULL;
    CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_decrease_reservation, &r), 0);
    give_all_back();
}

/* ---- exchange ---- */

static struct xen_memory_exchange x;

static long exchange(uint64_t n_in, unsigned order_in, uint64_t n_out, unsigned order_out, unsigned bits)
{
    x = (struct xen_memory_exchange){ .in = { .nr_extents = n_in, .extent_order = order_in, .domid = DOMID_SELF },
                                      .out = { .nr_extents = n_out, .extent_order = order_out, .domid = DOMID_SELF,
                                               .mem_flags = bits } };
    x.in.extent_start.p = list;
    x.out.extent_start.p = out_list;
    fake_guest_share(&x, sizeof(x));
    return memory_op(&v1, XENMEM_exchange, &x);
}

static void test_exchange_to_contiguous(void)
{
    setup();
    populate(64, 0, 500);
    out_list[0] = 500;
    CU_ASSERT_EQUAL(exchange(64, 0, 1, 6, 32), 0);
    CU_ASSERT_EQUAL(x.nr_exchanged, 64);
    CU_ASSERT_EQUAL(d1.mm.tot_pages, 64);
    CU_ASSERT_EQUAL(out_list[0] % 64, 0);
    for (unsigned i = 0; i < 64; i++) {
        CU_ASSERT_EQUAL(m2p_get(mfn(out_list[0] + i)), 500 + i);
        CU_ASSERT_EQUAL(frame_owner(frame_of(mfn(out_list[0] + i))), 1);
    }
    audit();
    /* And back: one extent for 64 single frames. */
    list[0] = out_list[0];
    for (unsigned i = 0; i < 64; i++)
        out_list[i] = 900 + i;
    CU_ASSERT_EQUAL(exchange(1, 6, 64, 0, 0), 0);
    CU_ASSERT_EQUAL(x.nr_exchanged, 1);
    CU_ASSERT_EQUAL(m2p_get(mfn(out_list[63])), 963);
    give_all_back();
}

static void test_exchange_preempted(void)
{
    setup();
    populate(64, 0, 500);
    for (unsigned i = 0; i < 8; i++)
        out_list[i] = 500 + 8 * i;
    fake_preempt_at(1, 1);
    CU_ASSERT_EQUAL(exchange(64, 0, 8, 3, 0), 0);
    fake_preempt_at(0, 0);
    CU_ASSERT_EQUAL(x.nr_exchanged, 64);
    CU_ASSERT_EQUAL(d1.mm.tot_pages, 64);
    give_all_back();
}

/* One frame of a chunk is in use, or not ours, or there twice: every other one is back where it was, with its pfn. */
static void test_exchange_is_all_or_nothing(void)
{
    uint64_t mine[8];

    setup();
    for (unsigned bad = 0; bad < 4; bad++) {
        populate(8, 0, 700);
        memcpy(mine, list, sizeof(mine));
        const uint64_t free_now = frame_free_count();
        if (bad == 0)
            CU_ASSERT_TRUE(page_ref_get(mfn(mine[5]), &d1));
        if (bad == 1)
            list[5] = mine[2];
        if (bad == 2)
            list[5] = ~0UL;
        if (bad == 3)
            fake_heap_fail_at(1);
        out_list[0] = 700;
        CU_ASSERT_EQUAL(exchange(8, 0, 1, 3, 0), bad == 3 ? -ENOMEM : -EINVAL);
        CU_ASSERT_EQUAL(x.nr_exchanged, 0);
        if (bad == 0)
            page_ref_put(mfn(mine[5]));
        CU_ASSERT_EQUAL(frame_free_count(), free_now);
        CU_ASSERT_EQUAL(d1.mm.tot_pages, 8);
        for (unsigned i = 0; i < 8; i++) {
            CU_ASSERT_EQUAL(m2p_get(mfn(mine[i])), 700 + i);
            CU_ASSERT_EQUAL(frame_owner(frame_of(mfn(mine[i]))), 1);
        }
        give_all_back();
        fake_guest_reset();
        fake_guest_share(list, sizeof(list));
        fake_guest_share(out_list, sizeof(out_list));
    }
}

/* H31 (XSA-212), H32 (XSA-231) */
static void test_h31_h32_exchange_arguments(void)
{
    setup();
    populate(8, 0, 0);
    CU_ASSERT_EQUAL(exchange(8, 0, 1, 3, 0), 0);
    list[0] = out_list[0];
    out_list[0] = 0;
    fake_guest_share(&x, sizeof(x));

    static const uint64_t forged[] = { 2, 9, 1UL << 32, ~0UL, ~0UL - 7 };
    for (unsigned i = 0; i < ARRAY_SIZE(forged); i++) {
        exchange(0, 0, 0, 0, 0);
        x.in.nr_extents = x.out.nr_extents = 1;
        x.nr_exchanged = forged[i];
        CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_exchange, &x), -EINVAL);
    }
    CU_ASSERT_EQUAL(exchange(1, 10, 1, 10, 0), -EPERM);
    CU_ASSERT_EQUAL(exchange(1, 0, 2, 0, 0), -EINVAL);
    CU_ASSERT_EQUAL(exchange(1UL << 58, 0, 1UL << 49, 9, 0), -EINVAL);
    CU_ASSERT_EQUAL(exchange(1, 0, 1, 0, XENMEMF_node(3)), -EINVAL);
    CU_ASSERT_EQUAL(exchange(1, 0, 1, 0, 1u << 31), -EINVAL);
    exchange(0, 0, 0, 0, 0);
    x.in.nr_extents = x.out.nr_extents = 1;
    x.out.domid = 2;
    CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_exchange, &x), -EINVAL);
    x.in.domid = 2;
    CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_exchange, &x), -EPERM);
    x.in.domid = x.out.domid = DOMID_SELF;
    x.in.extent_start.p = HOLE;
    CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_exchange, &x), -EFAULT);
    x.in.extent_start.p = list;
    x.out.extent_start.p = (void *)0xffff87fffffffff8;
    CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_exchange, &x), -EFAULT);
    x.out.extent_start.p = (void *)0x0000800000000000;
    CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_exchange, &x), -EFAULT);
    CU_ASSERT_EQUAL(d1.mm.tot_pages, 8);
    give_all_back();
}

/* Died between taking and giving: nothing is given, nothing stays charged. */
static void test_exchange_of_dying_domain(void)
{
    setup();
    populate(8, 0, 0);
    d1.dying = DYING_RELINQUISH;
    CU_ASSERT_EQUAL(exchange(8, 0, 1, 3, 0), 0);
    CU_ASSERT_EQUAL(d1.mm.tot_pages, 0);
    CU_ASSERT_EQUAL(frame_free_count(), free_at_start);
    audit();
}

/* ---- everything else ---- */

/* H35 */
static void test_h35_unknown(void)
{
    struct xen_machphys_mapping m;

    setup();
    fake_guest_share(&m, sizeof(m));
    for (unsigned cmd = 29; cmd < 64; cmd++)
        CU_ASSERT_EQUAL(memory_op(&v0, cmd, NULL), -ENOSYS);
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_machphys_mapping | 1 << 6, &m), -EINVAL);
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_exchange | 5 << 6, &m), -EINVAL);
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_maximum_ram_page | 1UL << 63, NULL), -EINVAL);
}

/* H36: the argument structure itself, for every operation and both callers. */
static void test_h36_pointers(void)
{
    void *const pointers[] = { NULL, (void *)0x0000800000000000, (void *)0x00007ffffffffff8, HOLE, (void *)DIRECTMAP_START,
                               (void *)0xffff87fffffffff8, (void *)~0UL };

    setup();
    for (unsigned cmd = 0; cmd < 64; cmd++)
        for (unsigned i = 0; i < ARRAY_SIZE(pointers); i++) {
            const long a = memory_op(&v0, cmd, pointers[i]), b = memory_op(&v1, cmd, pointers[i]);
            if (cmd == XENMEM_increase_reservation || cmd == XENMEM_decrease_reservation || cmd == XENMEM_populate_physmap ||
                cmd == XENMEM_get_sharing_freed_pages || cmd == XENMEM_get_sharing_shared_pages)
                CU_ASSERT_TRUE(a == 0 && b == 0)            /* "no extent done" */
            else if (cmd != XENMEM_maximum_ram_page)
                CU_ASSERT_TRUE(a < 0 && b < 0);
        }
    CU_ASSERT_EQUAL(d1.mm.tot_pages, 0);
}

static void test_questions(void)
{
    struct xen_memory_domain who = { .domid = DOMID_SELF };
    struct xen_machphys_mapping m;

    setup();
    fake_guest_share(&who, sizeof(who));
    fake_guest_share(&m, sizeof(m));
    populate(3, 0, 0);
    fake_guest_share(&who, sizeof(who));
    fake_guest_share(&m, sizeof(m));
    d1.mm.max_pages = 77;
    CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_current_reservation, &who), 3);
    CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_maximum_reservation, &who), 77);
    shared.arch.max_pfn = 1000;
    CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_maximum_gpfn, &who), 999);
    shared.arch.max_pfn = 0;                    /* the guest writes what it likes; no error code comes of it */
    CU_ASSERT_TRUE(memory_op(&v1, XENMEM_maximum_gpfn, &who) >= 0);
    who.domid = 2;
    CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_current_reservation, &who), -EPERM);
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_current_reservation, &who), 0);
    who.domid = 999;
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_current_reservation, &who), -ESRCH);
    CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_machphys_mapping, &m), 0);
    CU_ASSERT_EQUAL(m.v_start, 0xffff800000000000);
    CU_ASSERT_EQUAL(m.v_end, 0xffff804000000000);
    CU_ASSERT_EQUAL(m.max_mfn, 0x4000000000 / 8 - 1);                   /* wherever it goes, its frames are below */
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_machphys_mapping, &m), 0);
    CU_ASSERT_EQUAL(m.max_mfn, 0x40000 - 1);                            /* one chunk is mapped here */
    CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_machphys_mfn_list, &m), -EPERM);
    CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_machine_memory_map, &m), -EPERM);
    CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_add_to_physmap, &m), -EACCES);
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_maximum_ram_page, NULL), FRAMES);
    give_all_back();
}

static void test_guest_memory_map(void)
{
    static struct e820_entry in[3] = { { 0, 0x9f000, 1 }, { 0x100000, 0x700000, 1 }, { 0xfec00000, 0x1000, 2 } }, out[8];
    struct xen_foreign_memory_map f = { .domid = 1, .map = { .nr_entries = 3 } };
    struct xen_memory_map m = { .nr_entries = 8 };

    setup();
    fake_guest_share(in, sizeof(in));
    fake_guest_share(out, sizeof(out));
    fake_guest_share(&f, sizeof(f));
    fake_guest_share(&m, sizeof(m));
    f.map.buffer.p = in;
    m.buffer.p = out;
    CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_memory_map, &m), -ENOSYS);
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_set_memory_map, &f), 0);
    CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_memory_map, &m), 0);
    CU_ASSERT_EQUAL(m.nr_entries, 3);
    CU_ASSERT_EQUAL(memcmp(in, out, sizeof(in)), 0);
    m.nr_entries = 2;
    memset(out, 0xa5, sizeof(out));
    CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_memory_map, &m), 0);
    CU_ASSERT_EQUAL(m.nr_entries, 2);
    CU_ASSERT_EQUAL(((uint8_t *)&out[2])[0], 0xa5);
    f.map.nr_entries = 129;
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_set_memory_map, &f), -E2BIG);
    f.domid = 2;
    f.map.nr_entries = 1;
    CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_set_memory_map, &f), -EPERM);
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_set_memory_map, &f), 0);
    f.map.buffer.p = HOLE;
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_set_memory_map, &f), -EFAULT);
    heap_free(d1.e820);
    heap_free(d2.e820);
    CU_ASSERT_EQUAL(fake_heap_live, 0);
}

static void test_machine_memory_map(void)
{
    static struct e820_entry out[130];
    struct xen_memory_map m = { .nr_entries = 130 };

    setup();
    boot_info.nr_e820 = 2;
    boot_info.e820[0] = (struct e820_entry){ 0, 0x80000000, E820_RAM };
    boot_info.e820[1] = (struct e820_entry){ 0xfee00000, 0x1000000, E820_RESERVED };
    io_caps_deny_all_mem(0xfec00, 0xfec00);
    io_caps_deny_all_mem(0xfee00, 0xfeeff);     /* the firmware says so itself */
    fake_guest_share(out, sizeof(out));
    fake_guest_share(&m, sizeof(m));
    m.buffer.p = out;
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_machine_memory_map, &m), 0);
    CU_ASSERT_EQUAL(m.nr_entries, 3);
    CU_ASSERT_EQUAL(out[2].addr, 0xfec00000);
    CU_ASSERT_EQUAL(out[2].size, 0x1000);
    CU_ASSERT_EQUAL(out[2].type, E820_RESERVED);
    m.nr_entries = 2;
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_machine_memory_map, &m), -EINVAL);
    CU_ASSERT_EQUAL(fake_heap_live, 0);
}

static void test_machphys_list(void)
{
    struct xen_machphys_mfn_list l = { .max_extents = 100 };

    setup();
    fake_guest_share(&l, sizeof(l));
    l.extent_start.p = list;
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_machphys_mfn_list, &l), 0);
    CU_ASSERT_EQUAL(l.nr_extents, 1);           /* 8192 frames: one chunk */
    CU_ASSERT_EQUAL(list[0], m2p_chunk_frame(0).n);
    l.max_extents = 0;
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_machphys_mfn_list, &l), 0);
    CU_ASSERT_EQUAL(l.nr_extents, 0);
}

static void test_acquire_resource(void)
{
    struct xen_mem_acquire_resource a = { .domid = 1, .type = XENMEM_resource_grant_table };

    setup();
    CU_ASSERT_EQUAL(grant_domain_create(&d1, 8, 16), 0);
    fake_guest_share(&a, sizeof(a));
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_acquire_resource, &a), 0);
    CU_ASSERT_EQUAL(a.nr_frames, 8);
    a.frame_list.p = list;
    a.nr_frames = 2;
    list[2] = 0xa5a5;
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_acquire_resource, &a), 0);
    CU_ASSERT_EQUAL(frame_owner(frame_of(mfn(list[0]))), 1);
    CU_ASSERT_EQUAL(list[2], 0xa5a5);
    a.frame = 7;
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_acquire_resource, &a), -EINVAL);
    a.frame = ~0UL;
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_acquire_resource, &a), -EINVAL);
    a.frame = 0;
    a.pad = 1;
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_acquire_resource, &a), -EINVAL);
    a.pad = 0;
    a.domid = 0;
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_acquire_resource, &a), -EPERM);
    a.domid = 9;
    CU_ASSERT_EQUAL(memory_op(&v0, XENMEM_acquire_resource, &a), -ESRCH);
    CU_ASSERT_EQUAL(memory_op(&v1, XENMEM_acquire_resource, &a), -EPERM);
    grant_domain_destroy(&d1);
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_populate_and_decrease),      UNIT(test_preemption),          UNIT(test_h33_limits),
        UNIT(test_memory_runs_out),            UNIT(test_h34_decrease),        UNIT(test_foreign_targets),
        UNIT(test_list_faults),                UNIT(test_exchange_to_contiguous), UNIT(test_exchange_preempted),
        UNIT(test_exchange_is_all_or_nothing), UNIT(test_h31_h32_exchange_arguments), UNIT(test_exchange_of_dying_domain),
        UNIT(test_h35_unknown),                UNIT(test_h36_pointers),        UNIT(test_questions),
        UNIT(test_guest_memory_map),           UNIT(test_machine_memory_map),  UNIT(test_machphys_list),
        UNIT(test_acquire_resource),           UNIT(test_changes_are_logged),  { 0 },
    };
    return unit_main("memory_op", cases);
}
