/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * H26, H27, H46, H65: two vCPUs race over one frame, one tree, one grant entry, one set of ports. Each round
 * must end as if one had gone first; afterwards the guest's own frames are usable as before.
 * rounds= on the command line (default 20000, a million with "long"), and no longer than race_end.
 */
#include "grant.h"
#include "hostile.h"

static volatile unsigned phase;         /* what vCPU 1 does; 0 = nothing */
static volatile unsigned entered, done; /* the phase it has begun, and left */
static uint64_t rounds, race_end;       /* a race ends after so many rounds or at this time */

static uint64_t *frame;                 /* the frame both want */
static uint64_t map_va;
static struct tree t;
static volatile uint64_t results[8];

/* ---- vCPU 1 ---- */

static void pin_frame(void)
{
    uint64_t seed = 77;

    while (phase == 1) {
        if (mm_pin(MMUEXT_PIN_L1_TABLE, mm_mfn(frame)) == 0) {
            results[0]++;
            mm_pin(MMUEXT_UNPIN_TABLE, mm_mfn(frame));
        }
        /* Leave the other side its chance. */
        for (volatile uint64_t spin = random_next(&seed) % 512; spin > 0; spin--)
            ;
    }
}

static void move_children(void)
{
    while (phase == 2) {
        results[1] += mm_write_entry(slot_maddr(t.l3, TREE_SLOT3), 0) == 0;
        results[2] += mm_write_entry(slot_maddr(t.l3, TREE_SLOT3), PTE(mm_mfn(t.l2), PTE_TABLE)) == 0;
        results[1] += mm_write_entry(slot_maddr(t.l4, TREE_SLOT4), 0) == 0;
        results[2] += mm_write_entry(slot_maddr(t.l4, TREE_SLOT4), PTE(mm_mfn(t.l3), PTE_TABLE)) == 0;
    }
}

static void flip_grant(void)
{
    while (phase == 3) {
        struct grant_entry_v1 *e = grant_entry(60);

        WRITE_ONCE(e->frame, (uint32_t)mm_mfn(frame));
        WRITE_ONCE(e->flags, GTF_permit_access);
        WRITE_ONCE(e->frame, (uint32_t)FRAME_BEYOND);
        WRITE_ONCE(e->flags, 0);
        WRITE_ONCE(e->flags, GTF_permit_access | GTF_readonly);
        WRITE_ONCE(e->domid, 0x7000);
        WRITE_ONCE(e->domid, own_domid());
    }
}

static void bind_and_close(void)
{
    while (phase == 4) {
        int port = evtchn_bind_ipi(1);
        if (port > 0) {
            results[3]++;
            evtchn_send((evtchn_port_t)port);
            evtchn_close((evtchn_port_t)port);
        }
        int mine = evtchn_alloc_unbound(DOMID_SELF);
        int other = mine > 0 ? evtchn_bind_interdomain(DOMID_SELF, (evtchn_port_t)mine) : 0;
        if (other > 0) {
            evtchn_send((evtchn_port_t)other);
            evtchn_close((evtchn_port_t)mine);
            evtchn_close((evtchn_port_t)other);
        }
    }
}

static void second(void *arg)
{
    static void (*const work[])(void) = { NULL, pin_frame, move_children, flip_grant, bind_and_close };

    (void)arg;
    event_save_mask();
    for (;;) {
        unsigned p = phase;
        if (p == 99)
            return;
        if (p != done && p != 0) {
            entered = p;
            work[p]();
            done = p;
        }
        asm volatile("pause");
    }
}

static void begin(unsigned p)
{
    phase = p;
    CHECK(wait_for(entered == p, 5 * SECOND), "vCPU 1 does not enter race %u", p);
    race_end = time_now() + effort(1500 * MS, 3600 * SECOND);
}

static bool racing(uint64_t round)
{
    return round < rounds && (round % 16 != 0 || time_now() < race_end);
}

static void end(unsigned p)
{
    phase = 0;
    CHECK(wait_for(done == p, 5 * SECOND), "vCPU 1 does not come back from race %u", p);
}

/* ---- vCPU 0 ---- */

static void writable_against_table(void)
{
    uint64_t maps = 0, lost = 0;
    long last_error = 0;

    item("H26");
    RC(mm_map(map_va, 0, 0), 0);
    memset(frame, 0, PAGE_SIZE);
    RC(hc_update_va_mapping((uintptr_t)frame, 0, UVMF_INVLPG | UVMF_ALL), 0);
    begin(1);
    /* On a busy host one side may hardly run: go on until both had their turn. */
    for (uint64_t i = 0; racing(i) || ((maps == 0 || results[0] < 2) && time_now() < race_end + 5 * SECOND); i++) {
        long rc = hc_update_va_mapping(map_va, PTE(mm_mfn(frame), PTE_KERNEL), UVMF_INVLPG | UVMF_ALL);
        if (rc == 0) {
            maps++;
            /* While we hold a writable mapping the frame is data: what we write must stay, no table may be made of it. */
            *(volatile uint64_t *)(map_va + 64) = PTE(0x1234, PTE_KERNEL);
            for (volatile unsigned k = 0; k < 20; k++)
                ;
            lost += *(volatile uint64_t *)(map_va + 64) != PTE(0x1234, PTE_KERNEL);
            long pin = mm_pin(MMUEXT_PIN_L1_TABLE, mm_mfn(frame));
            CHECK(pin < 0, "a frame with a writable mapping became a table");
            *(volatile uint64_t *)(map_va + 64) = 0;
            hc_update_va_mapping(map_va, 0, UVMF_INVLPG | UVMF_ALL);
        } else {
            last_error = rc;
        }
    }
    end(1);
    printf("%lu writable mappings, %lu pins, last refusal %ld\n", maps, results[0], last_error);
    CHECK(lost == 0, "%lu writes were lost", lost);
    CHECK(maps > 0 && (results[0] > 0 || rounds < 100), "no race: %lu maps, %lu pins", maps, results[0]);
    RC(hc_update_va_mapping((uintptr_t)frame, PTE(mm_mfn(frame), PTE_KERNEL), UVMF_INVLPG | UVMF_ALL), 0);
    frame[0] = 1;
}

static void trees(void)
{
    uint64_t pins = 0;

    item("H27");
    if (!tree_make(&t))
        return;
    begin(2);
    for (uint64_t i = 0; racing(i); i++) {
        /* Under the racing parent: pin and unpin at every level; "in use" is an answer, a broken count is not. */
        pins += mm_pin(MMUEXT_PIN_L2_TABLE, mm_mfn(t.l2)) == 0 && mm_pin(MMUEXT_UNPIN_TABLE, mm_mfn(t.l2)) == 0;
        pins += mm_pin(MMUEXT_PIN_L3_TABLE, mm_mfn(t.l3)) == 0 && mm_pin(MMUEXT_UNPIN_TABLE, mm_mfn(t.l3)) == 0;
        mm_write_entry(slot_maddr(t.l2, TREE_SLOT2), 0);
        mm_write_entry(slot_maddr(t.l2, TREE_SLOT2), PTE(mm_mfn(t.l1), PTE_TABLE));
    }
    end(2);
    printf("%lu pins, %lu unhooks, %lu hooks\n", pins, results[1], results[2]);
    RC(mm_write_entry(slot_maddr(t.l4, TREE_SLOT4), PTE(mm_mfn(t.l3), PTE_TABLE)), 0);
    RC(mm_write_entry(slot_maddr(t.l3, TREE_SLOT3), PTE(mm_mfn(t.l2), PTE_TABLE)), 0);
    RC(mm_write_entry(slot_maddr(t.l2, TREE_SLOT2), PTE(mm_mfn(t.l1), PTE_TABLE)), 0);
    NEGATIVE(mm_unprotect(t.l1));           /* all counts are right: still a table ... */
    tree_free(&t);                          /* ... and not one after the unpin */
}

static void grants(void)
{
    uint64_t good = 0, bad = 0;

    item("H46");
    if (!grant_init())
        return;
    RC(mm_map(map_va, 0, 0), 0);
    frame[0] = 0xabcdef;
    begin(3);
    for (uint64_t i = 0; racing(i); i++) {
        struct gnttab_map_grant_ref m = { .host_addr = map_va, .flags = GNTMAP_host_map, .ref = 60,
                                          .dom = own_domid() };
        if (i % 2)
            m.flags |= GNTMAP_readonly;
        RC(hc_grant_table_op(GNTTABOP_map_grant_ref, &m, 1), 0);
        if (m.status != GNTST_okay) {
            bad++;
            continue;
        }
        good++;
        CHECK(*(volatile uint64_t *)map_va == 0xabcdef, "mapped something else: %lx", *(volatile uint64_t *)map_va);
        struct gnttab_unmap_grant_ref u = { .host_addr = map_va, .handle = m.handle };
        RC(hc_grant_table_op(GNTTABOP_unmap_grant_ref, &u, 1), 0);
        CHECK(u.status == GNTST_okay, "unmap: %d", u.status);
    }
    end(3);
    printf("%lu maps, %lu refused\n", good, bad);
    WRITE_ONCE(grant_entry(60)->flags, 0);
    mm_unmap(map_va);
    RC(mm_protect(frame), 0);               /* no writable reference is left behind: it can become a table */
    RC(mm_unprotect(frame), 0);
    memset(frame, 0, PAGE_SIZE);
    RC(mm_protect(frame), 0);
    RC(mm_pin(MMUEXT_PIN_L1_TABLE, mm_mfn(frame)), 0);
    RC(mm_pin(MMUEXT_UNPIN_TABLE, mm_mfn(frame)), 0);
    RC(mm_unprotect(frame), 0);
}

static void ports(void)
{
    struct evtchn_reset reset = { .dom = DOMID_SELF };
    unsigned open = 0;
    uint64_t ok = 0;

    item("H65");
    if (is_initial_domain()) {
        item_skip("a reset would close the console's channels; done in an unprivileged domain");
        return;
    }
    begin(4);
    for (uint64_t i = 0; racing(i); i++) {
        long rc = hc_event_channel_op(EVTCHNOP_reset, &reset);
        CHECK(rc == 0 || rc == -XEN_EAGAIN || rc == -XEN_EBUSY, "reset: %ld", rc);
        ok += rc == 0;
        int port = evtchn_bind_ipi(0);
        if (port > 0)
            evtchn_send((evtchn_port_t)port);
    }
    end(4);
    long rc;
    do
        rc = hc_event_channel_op(EVTCHNOP_reset, &reset);
    while (rc == -XEN_EAGAIN || rc == -XEN_EBUSY);
    RC(rc, 0);
    for (evtchn_port_t p = 1; p < 1024; p++) {
        struct evtchn_status s = { .dom = DOMID_SELF, .port = p };
        if (hc_event_channel_op(EVTCHNOP_status, &s) == 0 && s.status != EVTCHNSTAT_closed)
            open++;
    }
    CHECK(open == 0, "%u ports are open after the reset", open);
    printf("%lu resets, %lu binds beside them\n", ok, results[3]);
    time_init();
}

void guest_test(void)
{
    rounds = cmdline_number("rounds", effort(20000, 1000000));
    item("setup");
    own_domid();
    if (smp_vcpu_count() < 2) {
        item_skip("one vCPU only");
        return;
    }
    frame = page_alloc();
    map_va = mm_reserve_va(1);
    RC(smp_start(1, second, NULL), 0);
    writable_against_table();
    trees();
    grants();
    ports();
    phase = 99;
}
