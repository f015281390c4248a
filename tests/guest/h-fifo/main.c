/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * H67: the FIFO ABI with arguments out of range, pages that lie, are given twice or given away, and two vCPUs that race
 * over it; between them events must come as they should. The guest looks at its queues by hand, upcalls masked; the change
 * of ABI ends with a reset, which only an unprivileged domain survives (Dom0's console has its channels).
 */
#include "hostile.h"

#define WORDS (PAGE_SIZE / sizeof(event_word_t))
#define BIT(n) (1u << EVTCHN_FIFO_##n)

static struct evtchn_fifo_control_block *control;
static event_word_t *array;
static uint32_t head[EVTCHN_FIFO_MAX_QUEUES];

static long init(unsigned vcpu, uint64_t frame, uint32_t offset)
{
    struct evtchn_init_control op = { .control_gfn = frame, .offset = offset, .vcpu = vcpu };
    long rc = hc_event_channel_op(EVTCHNOP_init_control, &op);

    if (rc == 0)
        CHECK(op.link_bits == EVTCHN_FIFO_LINK_BITS, "%u link bits", op.link_bits);
    return rc;
}

static long expand(uint64_t frame)
{
    struct evtchn_expand_array op = { .array_gfn = frame };

    return hc_event_channel_op(EVTCHNOP_expand_array, &op);
}

static long set_priority(evtchn_port_t port, uint32_t priority)
{
    struct evtchn_set_priority op = { .port = port, .priority = priority };

    return hc_event_channel_op(EVTCHNOP_set_priority, &op);
}

static long reset(void)
{
    struct evtchn_reset op = { .dom = DOMID_SELF };
    long rc;

    do
        rc = hc_event_channel_op(EVTCHNOP_reset, &op);
    while (rc == -XEN_EAGAIN || rc == -XEN_EBUSY);
    return rc;
}

/* The first event of the queue of @priority that is pending and not masked, or 0. */
static evtchn_port_t take(unsigned priority)
{
    for (;;) {
        evtchn_port_t port = head[priority] ? head[priority] : READ_ONCE(control->head[priority]);

        if (!(READ_ONCE(control->ready) & 1u << priority) || port == 0 || port >= WORDS)
            return 0;
        event_word_t old = __atomic_fetch_and(&array[port], ~(BIT(LINKED) | (uint32_t)EVTCHN_FIFO_LINK_MASK), __ATOMIC_SEQ_CST);
        head[priority] = old & EVTCHN_FIFO_LINK_MASK;
        if (head[priority] == 0)
            __atomic_fetch_and(&control->ready, ~(1u << priority), __ATOMIC_SEQ_CST);
        if ((old & (BIT(PENDING) | BIT(MASKED))) == BIT(PENDING)) {
            __atomic_fetch_and(&array[port], ~BIT(PENDING), __ATOMIC_SEQ_CST);
            return port;
        }
    }
}

static void refused(void)
{
    uint64_t frame = mm_mfn(page_alloc());
    struct evtchn_init_control *bad = (void *)BAD_NONCANONICAL;

    item("H67");
    RC(expand(frame), -XEN_EOPNOTSUPP);
    int port = evtchn_bind_ipi(0);
    RC(set_priority((evtchn_port_t)port, 3), -XEN_ENOSYS);
    RC(init(8192, frame, 0), -XEN_ENOENT);
    RC(init(0xffffffff, frame, 0), -XEN_ENOENT);
    RC(init(0, frame, 4), -XEN_EINVAL);
    RC(init(0, frame, PAGE_SIZE - 64), -XEN_EINVAL);
    RC(init(0, frame, 0xfffffff8), -XEN_EINVAL);
    RC(init(0, FRAME_BEYOND, 0), -XEN_EINVAL);
    RC(init(0, ~0UL, 0), -XEN_EINVAL);
    RC(init(0, mm_l4_mfn(), 0), -XEN_EINVAL);
    if (hypervisor_frame() != 0)
        RC(init(0, hypervisor_frame(), 0), -XEN_EINVAL);
    if (victim_domid() != DOMID_INVALID)
        RC(init(0, victim_frame(), 0), -XEN_EINVAL);
    RC(hc_event_channel_op(EVTCHNOP_init_control, bad), -XEN_EFAULT);
    RC(hc_event_channel_op(EVTCHNOP_expand_array, bad), -XEN_EFAULT);
    RC(hc_event_channel_op(EVTCHNOP_set_priority, bad), -XEN_EFAULT);
    RC(expand(frame), -XEN_EOPNOTSUPP);             /* none of that has changed the ABI */
    evtchn_send((evtchn_port_t)port);
    CHECK(evtchn_is_pending((evtchn_port_t)port), "two levels do not work any more");
    evtchn_close((evtchn_port_t)port);
}

static void change_over(void)
{
    control = page_alloc();
    array = page_alloc();
    memset(head, 0, sizeof(head));
    for (unsigned i = 0; i < WORDS; i++)
        array[i] = BIT(MASKED);                 /* the timer's and others': not what is looked for here */
    RC(init(0, mm_mfn(control), 0), 0);
    RC(expand(mm_mfn(array)), 0);
}

static evtchn_port_t own_port(void)
{
    int port = evtchn_bind_ipi(0);

    CHECK(port > 0, "bind: %d", port);
    evtchn_unmask((evtchn_port_t)port);
    return (evtchn_port_t)port;
}

static void honest(void)
{
    evtchn_port_t p[4];

    item("H67-order");
    change_over();
    RC(init(0, mm_mfn(control), 0), -XEN_EINVAL);
    RC(init(0, mm_mfn(array), 128), -XEN_EINVAL);
    RC(expand(FRAME_BEYOND), -XEN_EINVAL);
    RC(expand(mm_l4_mfn()), -XEN_EINVAL);
    for (unsigned i = 0; i < ARRAY_SIZE(p); i++)
        p[i] = own_port();
    RC(set_priority(p[3], 0), 0);
    RC(set_priority(p[0], 16), -XEN_EINVAL);
    RC(set_priority(0x20000, 1), -XEN_EINVAL);
    for (unsigned i = 0; i < ARRAY_SIZE(p); i++)
        RC(evtchn_send(p[i]), 0);
    CHECK(take(0) == p[3] && take(0) == 0, "priority 0");
    for (unsigned i = 0; i < 3; i++) {
        evtchn_port_t got = take(EVTCHN_FIFO_PRIORITY_DEFAULT);
        CHECK(got == p[i], "port %u came as number %u, not %u", got, i, p[i]);
    }
    CHECK(take(EVTCHN_FIFO_PRIORITY_DEFAULT) == 0, "one too many");

    __atomic_fetch_or(&array[p[1]], BIT(MASKED), __ATOMIC_SEQ_CST);
    RC(evtchn_send(p[1]), 0);
    CHECK(take(EVTCHN_FIFO_PRIORITY_DEFAULT) == 0, "a masked event came");
    evtchn_unmask(p[1]);
    CHECK(take(EVTCHN_FIFO_PRIORITY_DEFAULT) == p[1], "an unmasked event did not come");

    item("H67-no-control-block");
    int other = evtchn_bind_ipi(smp_vcpu_count() > 1 ? 1 : 0);
    RC(evtchn_send((evtchn_port_t)other), 0);
    CHECK(on_xen() || smp_vcpu_count() == 1 || (array[other] & BIT(PENDING)), "not even pending");     /* Xen drops it */

    item("H67-pages-stay-memory");
    NEGATIVE(mm_pin(MMUEXT_PIN_L1_TABLE, mm_mfn(array)));
    RC(mm_protect(array), 0);                   /* no mapping of ours is writable, but they still hold it */
    NEGATIVE(mm_pin(MMUEXT_PIN_L1_TABLE, mm_mfn(array)));
    RC(mm_unprotect(array), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(p); i++)
        evtchn_close(p[i]);
    evtchn_close((evtchn_port_t)other);
}

/* Every word and the control block as bad as can be, while events are sent through them. */
static void lies(void)
{
    uint64_t seed = cmdline_number("seed", 1) * 2 + 1;
    evtchn_port_t p[8];

    item("H67-lies");
    for (unsigned i = 0; i < ARRAY_SIZE(p); i++) {
        p[i] = (evtchn_port_t)evtchn_bind_ipi(i % smp_vcpu_count());
        RC(set_priority(p[i], i * 2), 0);
    }
    for (unsigned round = 0; round < 500; round++) {
        for (unsigned i = 0; i < 64; i++)
            WRITE_ONCE(array[i], (uint32_t)random_next(&seed));
        WRITE_ONCE(array[random_next(&seed) % WORDS], (uint32_t)random_next(&seed) | BIT(LINKED));
        WRITE_ONCE(control->ready, (uint32_t)random_next(&seed));
        WRITE_ONCE(control->head[random_next(&seed) % 16], (uint32_t)random_next(&seed));
        evtchn_port_t one = p[random_next(&seed) % ARRAY_SIZE(p)];
        evtchn_send(one);
        set_priority(one, (uint32_t)random_next(&seed) % 16);
        evtchn_unmask(p[random_next(&seed) % ARRAY_SIZE(p)]);
        int port = evtchn_bind_ipi(0);
        if (port > 0)
            evtchn_close((evtchn_port_t)port);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(p); i++)
        RC(evtchn_close(p[i]), 0);
    memset(array, 0, PAGE_SIZE);
    memset(control, 0, sizeof(*control));
    memset(head, 0, sizeof(head));
}

/* One page for everything: another vCPU's control block, the rest of the array. */
static void same_page(void)
{
    long rc;
    unsigned n = 1;

    item("H67-same-page");
    if (smp_vcpu_count() > 1)
        RC(init(1, mm_mfn(array), 2048), 0);
    while ((rc = expand(mm_mfn(array))) == 0)
        n++;
    RC(rc, -XEN_ENOSPC);
    CHECK(n == EVTCHN_FIFO_NR_CHANNELS / WORDS, "%u pages", n);
    int port = evtchn_bind_ipi(0);
    RC(evtchn_send((evtchn_port_t)port), 0);
    CHECK(array[port] & BIT(PENDING), "not pending");
    RC(evtchn_close((evtchn_port_t)port), 0);
    RC(reset(), 0);
    RC(expand(mm_mfn(array)), -XEN_EOPNOTSUPP);
    RC(mm_protect(array), 0);                   /* nobody holds it any more */
    RC(mm_unprotect(array), 0);
    memset(array, 0, PAGE_SIZE);
    RC(mm_protect(array), 0);
    RC(mm_pin(MMUEXT_PIN_L1_TABLE, mm_mfn(array)), 0);
    RC(mm_pin(MMUEXT_UNPIN_TABLE, mm_mfn(array)), 0);
    RC(mm_unprotect(array), 0);
}

/* The pages are given back to the hypervisor while they are in use: they stay what they are until the reset. */
static void given_away(void)
{
    xen_pfn_t list[2];
    struct xen_memory_reservation res = { .nr_extents = 2, .domid = DOMID_SELF };

    item("H67-given-away");
    change_over();
    list[0] = mm_mfn(control);
    list[1] = mm_mfn(array);
    RC(hc_update_va_mapping((uintptr_t)control, 0, UVMF_INVLPG), 0);
    RC(hc_update_va_mapping((uintptr_t)array, 0, UVMF_INVLPG), 0);
    set_xen_guest_handle(res.extent_start, list);
    RC(hc_memory_op(XENMEM_decrease_reservation, &res), 2);
    int port = evtchn_bind_ipi(0);
    for (unsigned i = 0; i < 1000; i++)
        RC(evtchn_send((evtchn_port_t)port), 0);
    RC(evtchn_close((evtchn_port_t)port), 0);
    NEGATIVE(init(smp_vcpu_count() > 1 ? 1 : 0, FRAME_BEYOND, 0));
    RC(reset(), 0);
    RC(init(0, list[0], 0), -XEN_EINVAL);       /* now they are gone */
    RC(expand(list[1]), -XEN_EOPNOTSUPP);
}

/* ---- two vCPUs ---- */

static volatile bool racing;

static void other_vcpu(void *arg)
{
    (void)arg;
    while (racing) {
        (void)init(1, mm_mfn(control), 128);
        (void)expand(mm_mfn(array));
        int port = evtchn_bind_ipi(0);
        if (port > 0) {
            evtchn_send((evtchn_port_t)port);
            evtchn_unmask((evtchn_port_t)port);
        }
    }
}

static void races(void)
{
    uint64_t resets = 0, changes = 0;

    item("H67-races");
    if (smp_vcpu_count() < 2) {
        item_skip("one vCPU only");
        return;
    }
    control = page_alloc();
    array = page_alloc();
    racing = true;
    RC(smp_start(1, other_vcpu, NULL), 0);
    for (unsigned round = 0; round < 1000 || resets == 0 || changes == 0; round++) {
        long rc = init(0, mm_mfn(control), 0);
        CHECK(rc == 0 || rc == -XEN_EINVAL, "init: %ld", rc);
        changes += rc == 0;
        rc = expand(mm_mfn(array));
        CHECK(rc == 0 || rc == -XEN_EOPNOTSUPP || rc == -XEN_ENOSPC, "expand: %ld", rc);
        struct evtchn_reset op = { .dom = DOMID_SELF };
        rc = hc_event_channel_op(EVTCHNOP_reset, &op);
        CHECK(rc == 0 || rc == -XEN_EAGAIN || rc == -XEN_EBUSY, "reset: %ld", rc);
        resets += rc == 0;
    }
    racing = false;
    CHECK(wait_for(!smp_is_up(1), 60 * SECOND), "vCPU 1 does not come back");
    RC(reset(), 0);
    RC(expand(mm_mfn(array)), -XEN_EOPNOTSUPP);
    RC(mm_protect(array), 0);
    printf("%lu resets, %lu changes\n", resets, changes);
}

void guest_test(void)
{
    event_save_mask();
    refused();
    honest();
    lies();
    if (is_initial_domain()) {
        item("H67-after-reset");
        item_skip("a reset would close the console's channels; done in an unprivileged domain");
        return;
    }
    same_page();
    given_away();
    races();
}
