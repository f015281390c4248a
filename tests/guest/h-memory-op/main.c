/* SPDX-License-Identifier: GPL-2.0-or-later */
/* H31..H35: memory reservations and exchanges with forged counts, orders, frames and domains. */
#include "hostile.h"

static struct xen_memory_reservation reservation(xen_pfn_t *list, uint64_t n, unsigned order)
{
    struct xen_memory_reservation res = { .nr_extents = n, .extent_order = order, .domid = DOMID_SELF };

    set_xen_guest_handle(res.extent_start, list);
    return res;
}

static void nothing_done(long rc)
{
    CHECK(rc <= 0, "%ld extents were done", rc);
}

static void exchange(void)
{
    void *page = page_alloc();
    xen_pfn_t in = mm_mfn(page), out = mm_pfn(page);
    struct xen_memory_exchange x;

    item("H31");
    memset(&x, 0, sizeof(x));
    x.in = reservation(&in, 1, 0);
    x.out = reservation(&out, 1, 0);
    x.nr_exchanged = 2;
    RC(hc_memory_op(XENMEM_exchange, &x), -XEN_EINVAL);
    x.nr_exchanged = ~0UL;
    RC(hc_memory_op(XENMEM_exchange, &x), -XEN_EINVAL);
    /* XSA-212: an offset that carries the list into the hypervisor. */
    x.nr_exchanged = 0;
    for (unsigned i = 0; i < 2; i++) {
        x.in = reservation(&in, 1UL << 40, 0);
        x.out = reservation(&out, 1UL << 40, 0);
        x.nr_exchanged = i == 0 ? (BAD_HYPERVISOR - (uintptr_t)&out) / 8 : (1UL << 40) - 1;
        long rc = hc_memory_op(XENMEM_exchange, &x);
        CHECK(rc == -XEN_EFAULT || rc == -XEN_EINVAL || rc == -XEN_EPERM, "offset into the hypervisor: %ld", rc);
    }
    CHECK(in == mm_mfn(page), "the list was changed");

    item("H32");
    memset(&x, 0, sizeof(x));
    x.in = reservation(&in, 1, 30);
    x.out = reservation(&out, 1, 30);
    ONE_OF(hc_memory_op(XENMEM_exchange, &x), -XEN_EPERM, -XEN_EINVAL);
    x.in = reservation(&in, 1, 64);
    x.out = reservation(&out, 1, 64);
    ONE_OF(hc_memory_op(XENMEM_exchange, &x), -XEN_EPERM, -XEN_EINVAL);
    x.in = reservation(&in, 1, 0);
    x.out = reservation(&out, 1, 0);
    x.out.domid = 0x7000;
    RC(hc_memory_op(XENMEM_exchange, &x), -XEN_EINVAL);
    x.out = reservation(&out, 2, 0);
    RC(hc_memory_op(XENMEM_exchange, &x), -XEN_EINVAL);
    x.in = reservation(&in, 1UL << 63, 1);
    x.out = reservation(&out, 1, 0);
    ONE_OF(hc_memory_op(XENMEM_exchange, &x), -XEN_EINVAL, -XEN_EPERM);
    x.in = reservation(&in, 1, 0);
    x.out = reservation(&out, 1, 0);
    x.out.mem_flags = XENMEMF_node(1);
    long rc = hc_memory_op(XENMEM_exchange, &x);
    CHECK(rc != 0, "node bits: %ld", rc);

    item("H32-mapped");
    /* The frame is mapped still: taking it away must be refused. */
    x.in = reservation(&in, 1, 0);
    x.out = reservation(&out, 1, 0);
    x.nr_exchanged = 0;
    rc = hc_memory_op(XENMEM_exchange, &x);
    CHECK(rc != 0 && x.nr_exchanged == 0, "exchange of a mapped frame: %ld, %lu done", rc, x.nr_exchanged);
    *(volatile uint64_t *)page = 1;
    if (victim_domid() != DOMID_INVALID) {
        in = victim_frame();
        CHECK(hc_memory_op(XENMEM_exchange, &x) != 0 && x.nr_exchanged == 0, "exchange of a foreign frame");
    }
    page_free(page);
}

static void grow(void)
{
    static xen_pfn_t list[512];
    struct xen_memory_reservation res = reservation(list, 1, 30);

    item("H33");
    list[0] = 100000;
    RC(hc_memory_op(XENMEM_populate_physmap, &res), 0);
    RC(hc_memory_op(XENMEM_increase_reservation, &res), 0);
    res.extent_order = 64;
    ONE_OF(hc_memory_op(XENMEM_populate_physmap, &res), 0, -XEN_EINVAL);
    res.extent_order = 0xffffffff;
    ONE_OF(hc_memory_op(XENMEM_populate_physmap, &res), 0, -XEN_EINVAL);
    long max = hc_memory_op(XENMEM_maximum_reservation, &(domid_t){ DOMID_SELF });
    long now = hc_memory_op(XENMEM_current_reservation, &(domid_t){ DOMID_SELF });
    CHECK(max >= now && now > 0, "reservation %ld of %ld", now, max);
    if (is_initial_domain() || max - now > 400) {
        printf("past the maximum: not tried, %ld of %ld\n", now, max);
    } else {
        for (unsigned i = 0; i < 512; i++)
            list[i] = 100000 + i;
        res = reservation(list, 512, 0);
        long got = hc_memory_op(XENMEM_populate_physmap, &res);
        CHECK(got == max - now, "populate past the maximum: %ld, room was %ld", got, max - now);
        if (got > 0) {
            res = reservation(list, (uint64_t)got, 0);
            RC(hc_memory_op(XENMEM_decrease_reservation, &res), got);
        }
    }
    CHECK(hc_memory_op(XENMEM_current_reservation, &(domid_t){ DOMID_SELF }) == now, "pages are lost");
    res = reservation(list, 1, 0);
    /* These calls count what was done: Xen says 0 where others would name the error. */
    res.domid = 0x7000;
    nothing_done(hc_memory_op(XENMEM_populate_physmap, &res));
    if (victim_domid() != DOMID_INVALID) {
        res.domid = victim_domid();
        nothing_done(hc_memory_op(XENMEM_populate_physmap, &res));
        nothing_done(hc_memory_op(XENMEM_decrease_reservation, &res));
    }
    /* XSA-212's relative: a list longer than any address space. */
    res = reservation(list, ~0UL, 0);
    nothing_done(hc_memory_op(XENMEM_populate_physmap, &res));
}

static void shrink(void)
{
    uint64_t *a = page_alloc(), *b = page_alloc();
    xen_pfn_t list[4] = { mm_mfn(a), FRAME_BEYOND, mm_mfn(b), 0 };
    struct xen_memory_reservation res = reservation(list, 3, 0);
    struct tree t;

    item("H34");
    RC(hc_update_va_mapping((uintptr_t)a, 0, UVMF_INVLPG), 0);
    RC(hc_memory_op(XENMEM_decrease_reservation, &res), 1);      /* stops at the bad one */
    res = reservation(list, 1, 0);
    RC(hc_memory_op(XENMEM_decrease_reservation, &res), 0);      /* the same frame again */
    b[0] = 77;
    list[0] = hypervisor_frame();
    RC(hc_memory_op(XENMEM_decrease_reservation, &res), 0);
    if (victim_domid() != DOMID_INVALID) {
        list[0] = victim_frame();
        RC(hc_memory_op(XENMEM_decrease_reservation, &res), 0);
    }
    /* A frame that is still mapped may be given up but not reused: we go on writing to it. */
    list[0] = mm_mfn(b);
    long rc = hc_memory_op(XENMEM_decrease_reservation, &res);
    CHECK(rc == 0 || rc == 1, "a mapped frame: %ld", rc);
    if (rc == 1) {
        xen_pfn_t fresh[8];
        struct xen_memory_reservation again = reservation(fresh, 1, 0);
        fresh[0] = mm_pfn(a);
        RC(hc_memory_op(XENMEM_populate_physmap, &again), 1);
        CHECK(fresh[0] != mm_mfn(b), "the frame came back while it was mapped");
        CHECK(b[0] == 77, "the mapped frame now reads %lx", b[0]);
        mm_set_mfn(mm_pfn(a), fresh[0]);
        RC(hc_update_va_mapping((uintptr_t)a, PTE(fresh[0], PTE_KERNEL), UVMF_INVLPG), 0);
        CHECK(a[0] == 0 && a[511] == 0, "a fresh frame holds %lx", a[0]);
        RC(hc_update_va_mapping((uintptr_t)b, 0, UVMF_INVLPG), 0);
    }
    /* A pinned table. */
    if (tree_make(&t)) {
        list[0] = mm_mfn(t.l1);
        rc = hc_memory_op(XENMEM_decrease_reservation, &res);
        CHECK(rc == 0 || rc == 1, "a table in use: %ld", rc);
        CHECK(PTE_MFN(t.l1[TREE_SLOT1]) == mm_mfn(t.leaf), "the table changed");
        RC(mm_write_entry(slot_maddr(t.l1, 9), rc == 1 ? 0 : PTE(mm_mfn(t.leaf), PTE_RO)), 0);
        RC(mm_pin(MMUEXT_UNPIN_TABLE, mm_mfn(t.l4)), 0);
    }
}

static void unknown(void)
{
    item("H35");
    /* 25 and up are not for PV guests, or not at all; 63 is the largest the encoding allows. */
    static const unsigned none[] = { 29, 30, 40, 62, 63 };
    for (unsigned i = 0; i < ARRAY_SIZE(none); i++)
        RC(hc_memory_op(none[i], NULL), -XEN_ENOSYS);
    static const unsigned whole[] = { XENMEM_maximum_ram_page, XENMEM_current_reservation, XENMEM_memory_map,
                                      XENMEM_machphys_mapping };
    for (unsigned i = 0; i < ARRAY_SIZE(whole); i++) {
        struct xen_memory_map map = { 0 };
        long rc = hc_memory_op(whole[i] | 5U << 6, &map);
        CHECK(rc == -XEN_EINVAL || rc == -XEN_ENOSYS, "op %u with a start extent: %ld", whole[i], rc);
    }
    xen_pfn_t frame = 100000;
    struct xen_memory_reservation res = reservation(&frame, 1, 0);
    /* Xen believes a start behind the end: "2 of 1 done". */
    ONE_OF(hc_memory_op(XENMEM_populate_physmap | 2U << 6, &res), 2, -XEN_EINVAL);
}

void guest_test(void)
{
    exchange();
    grow();
    shrink();
    unknown();
}
