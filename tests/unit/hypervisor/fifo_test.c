/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fifo_test.c - FIFO event channels against a guest that follows the protocol as the ABI has it, and one that lies
 *
 * Two guests with four vCPUs. Every test ends with the audits, a reset or the domain's end, and all references given back
 * (fx_end() demands the exact counts).
 */
#include "../unit.h"

#include "event/fifo.h"
#include "mm/dirty_log.h"
#include "mm_fixture.h"
#include "sched/sched.h"
#include "time/time.h"

#include <pthread.h>

#define NR_V 4
#define NR_QUEUES EVTCHN_FIFO_MAX_QUEUES
#define BIT(n) (1u << EVTCHN_FIFO_##n)

static struct fx x;
static struct vcpu more[2];                     /* vCPUs 2 and 3 of a */
static struct shared_info page[3];
static struct vcpu *va[NR_V];

static void setup_limit(unsigned last_port)
{
    struct domain *const all[] = { &x.dom0, &x.a, &x.b };

    fx_init(&x);
    memset(page, 0, sizeof(page));
    for (unsigned c = 0; c < 4; c++) {
        timer_init_cpu(c);
        sched_init_cpu(c);
    }
    fake_vcpu_init(&more[0], &x.a, 2);
    fake_vcpu_init(&more[1], &x.a, 3);
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        all[i]->shared_info = &page[i];
        domain_for_each_vcpu(all[i], v) {
            v->info = (struct vcpu_info *)&page[i].vcpu_info[v->id];
            v->info_mfn = MFN_INVALID;
            atomic_store(&v->pause_flags, VPF_DOWN);
            CU_ASSERT_EQUAL_FATAL(sched_vcpu_create(v), 0);
            CU_ASSERT_EQUAL_FATAL(time_vcpu_create(v), 0);
        }
        CU_ASSERT_EQUAL_FATAL(evtchn_domain_create(all[i], last_port), 0);
    }
    for (unsigned n = 0; n < NR_V; n++)
        va[n] = domain_vcpu(&x.a, n);
}

static void setup(void) { setup_limit(2047); }

static void teardown(void)
{
    struct domain *const all[] = { &x.dom0, &x.a, &x.b };

    page_type_audit(true);                              /* with the pages it holds */
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
        evtchn_audit(all[i]);
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
        CU_ASSERT_EQUAL(evtchn_domain_relinquish(all[i]), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        evtchn_audit(all[i]);
        CU_ASSERT_PTR_NULL(evtchn_fifo(all[i]->events));
        evtchn_domain_destroy(all[i]);
        all[i]->shared_info = NULL;
    }
    fx_end(&x);
}

/* ---- the guest: what it knows of its queues ---- */

static uint32_t head[NR_V][NR_QUEUES];
static unsigned handled[4096];

/* Frame 0..3: control blocks; 10, 11, ...: the array. */
static struct evtchn_fifo_control_block *control(unsigned v)
{
    return (void *)((char *)frame_ptr(x.fa[v]) + 8 * v);
}

static event_word_t *word(uint32_t port)
{
    return (event_word_t *)frame_ptr(x.fa[10 + port / FIFO_WORDS_PER_PAGE]) + port % FIFO_WORDS_PER_PAGE;
}

static int init(unsigned v) { return evtchn_init_control(&x.a, v, gfn(x.fa[v].n), 8 * v); }
static int expand(unsigned i) { return evtchn_expand_array(&x.a, gfn(x.fa[10 + i].n)); }

static void change_over(unsigned pages)
{
    memset(head, 0, sizeof(head));
    memset(handled, 0, sizeof(handled));
    for (unsigned v = 0; v < NR_V; v++) {
        memset(control(v), 0, sizeof(*control(v)));
        CU_ASSERT_EQUAL_FATAL(init(v), 0);
    }
    for (unsigned i = 0; i < pages; i++) {
        memset(word(i * FIFO_WORDS_PER_PAGE), 0, PAGE_SIZE);
        CU_ASSERT_EQUAL_FATAL(expand(i), 0);
    }
}

/* Take the first event of the queue of @priority; 0: it was the last. Calls @handle for an event that is to be seen. */
static uint32_t take(unsigned v, unsigned priority, void (*handle)(uint32_t port))
{
    uint32_t port = head[v][priority];

    if (port == 0)
        port = __atomic_load_n(&control(v)->head[priority], __ATOMIC_ACQUIRE);
    if (port == 0)
        return 0;
    event_word_t old = __atomic_load_n(word(port), __ATOMIC_SEQ_CST);
    while (!__atomic_compare_exchange_n(word(port), &old, old & ~(BIT(LINKED) | (uint32_t)EVTCHN_FIFO_LINK_MASK), false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    head[v][priority] = old & EVTCHN_FIFO_LINK_MASK;
    if ((__atomic_load_n(word(port), __ATOMIC_SEQ_CST) & (BIT(PENDING) | BIT(MASKED))) == BIT(PENDING)) {
        __atomic_fetch_and(word(port), ~BIT(PENDING), __ATOMIC_SEQ_CST);
        handle(port);
    }
    return head[v][priority];
}

/* The upcall of vCPU @v: everything that is ready, the first priority first. */
static void upcall(unsigned v, void (*handle)(uint32_t port))
{
    uint32_t ready;

    if (!__atomic_exchange_n(&va[v]->info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST))
        return;
    ready = __atomic_exchange_n(&control(v)->ready, 0, __ATOMIC_SEQ_CST);
    while (ready) {
        const unsigned priority = (unsigned)__builtin_ctz(ready);
        if (take(v, priority, handle) == 0)
            ready &= ~(1u << priority);
        ready |= __atomic_exchange_n(&control(v)->ready, 0, __ATOMIC_SEQ_CST);
    }
}

static uint32_t order[64];
static unsigned nr_order;
static void note(uint32_t port)
{
    if (nr_order < ARRAY_SIZE(order))
        order[nr_order++] = port;
}

static void expect(unsigned v, const uint32_t *ports, unsigned n)
{
    nr_order = 0;
    upcall(v, note);
    CU_ASSERT_EQUAL(nr_order, n);
    for (unsigned i = 0; i < n && i < nr_order; i++)
        CU_ASSERT_EQUAL(order[i], ports[i]);
}
#define EXPECT(v, ...) expect(v, (const uint32_t[]){ __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))
#define EXPECT_NONE(v) expect(v, NULL, 0)

static uint32_t ipi(unsigned v)
{
    uint32_t port = 0;
    CU_ASSERT_EQUAL(evtchn_bind_ipi(&x.a, v, &port), 0);
    return port;
}

static void send(uint32_t port) { CU_ASSERT_EQUAL(evtchn_send(&x.a, port), 0); }

/* ---- tests ---- */

/* H67, XSA-188 */
static void test_arguments(void)
{
    uint32_t port;

    setup();
    struct domain *a = &x.a;
    CU_ASSERT_EQUAL(evtchn_init_control(a, NR_V, gfn(x.fa[0].n), 0), -ENOENT);
    CU_ASSERT_EQUAL(evtchn_init_control(a, ~0u, gfn(x.fa[0].n), 0), -ENOENT);
    CU_ASSERT_EQUAL(evtchn_init_control(a, 0, gfn(x.fa[0].n), 4), -EINVAL);
    CU_ASSERT_EQUAL(evtchn_init_control(a, 0, gfn(x.fa[0].n), PAGE_SIZE - 64), -EINVAL);
    CU_ASSERT_EQUAL(evtchn_init_control(a, 0, gfn(x.fa[0].n), ~0u & ~7u), -EINVAL);
    CU_ASSERT_EQUAL(evtchn_init_control(a, 0, gfn(0), 0), -EINVAL);
    CU_ASSERT_EQUAL(evtchn_init_control(a, 0, gfn(~0UL), 0), -EINVAL);
    CU_ASSERT_EQUAL(evtchn_init_control(a, 0, gfn(x.fb[0].n), 0), -EINVAL);             /* somebody else's */
    CU_ASSERT_EQUAL(page_get_and_type(x.fa[5], a, PGT_L1), 0);
    CU_ASSERT_EQUAL(evtchn_init_control(a, 0, gfn(x.fa[5].n), 0), -EINVAL);             /* a table */
    CU_ASSERT_EQUAL(evtchn_expand_array(a, gfn(x.fa[10].n)), -EOPNOTSUPP);
    CU_ASSERT_EQUAL(evtchn_bind_ipi(a, 0, &port), 0);
    CU_ASSERT_EQUAL(evtchn_set_priority(a, port, 0), -ENOSYS);
    CU_ASSERT_PTR_NULL(evtchn_fifo(a->events));

    CU_ASSERT_EQUAL(evtchn_init_control(a, 1, gfn(x.fa[1].n), PAGE_SIZE - 72), 0);      /* any vCPU may be the first */
    CU_ASSERT_EQUAL(evtchn_init_control(a, 1, gfn(x.fa[1].n), 0), -EINVAL);             /* once */
    CU_ASSERT_EQUAL(evtchn_init_control(a, 0, gfn(x.fb[0].n), 0), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(evtchn_fifo(a->events));
    CU_ASSERT_EQUAL(evtchn_expand_array(a, gfn(x.fa[5].n)), -EINVAL);
    CU_ASSERT_EQUAL(evtchn_expand_array(a, gfn(x.fb[0].n)), -EINVAL);
    CU_ASSERT_EQUAL(evtchn_set_priority(a, port, 16), -EINVAL);
    CU_ASSERT_EQUAL(evtchn_set_priority(a, 5000, 1), -EINVAL);
    CU_ASSERT_EQUAL(evtchn_set_priority(a, port, 15), 0);
    page_type_put_leaf(x.fa[5], a);
    page_ref_put(x.fa[5]);
    for (unsigned i = 0; i < FIFO_ARRAY_PAGES; i++)                                     /* one page serves for all: bits and words */
        CU_ASSERT_EQUAL(evtchn_expand_array(a, gfn(x.fa[1].n)), 0);
    CU_ASSERT_EQUAL(evtchn_expand_array(a, gfn(x.fa[1].n)), -ENOSPC);
    evtchn_audit(a);
    CU_ASSERT_EQUAL(page_get_and_type(x.fa[1], a, PGT_L1), -EBUSY);                     /* stays writable memory */
    teardown();
}

/* No memory for the state: an error, two levels, and no reference kept. */
static void test_no_memory(void)
{
    setup();
    fake_heap_fail_at(1);
    CU_ASSERT_EQUAL(init(0), -ENOMEM);
    fake_heap_fail_at(0);
    CU_ASSERT_PTR_NULL(evtchn_fifo(x.a.events));
    CU_ASSERT_EQUAL(init(0), 0);
    teardown();
}

static void test_order(void)
{
    uint32_t p[6];

    setup();
    change_over(2);
    for (unsigned i = 0; i < 6; i++)
        p[i] = ipi(1);
    CU_ASSERT_EQUAL(evtchn_set_priority(&x.a, p[4], 0), 0);
    CU_ASSERT_EQUAL(evtchn_set_priority(&x.a, p[0], 15), 0);
    for (unsigned i = 0; i < 6; i++)
        send(p[i]);
    send(p[2]);                                                 /* pending already */
    CU_ASSERT_TRUE(va[1]->info->evtchn_upcall_pending);
    CU_ASSERT_FALSE(va[0]->info->evtchn_upcall_pending);
    CU_ASSERT_TRUE(evtchn_port_pending(&x.a, p[3]));
    EXPECT(1, p[4], p[1], p[2], p[3], p[5], p[0]);
    CU_ASSERT_FALSE(evtchn_port_pending(&x.a, p[3]));
    EXPECT_NONE(1);
    send(p[3]);
    EXPECT(1, p[3]);
    send(p[3]);                                                 /* the tail, taken and sent again */
    send(p[1]);
    EXPECT(1, p[3], p[1]);
    teardown();
}

static void test_mask(void)
{
    setup();
    change_over(1);
    const uint32_t p = ipi(0), q = ipi(0);
    *word(p) |= BIT(MASKED);
    send(p);
    CU_ASSERT_TRUE(evtchn_port_pending(&x.a, p));
    CU_ASSERT_TRUE(evtchn_port_masked(&x.a, p));
    CU_ASSERT_FALSE(va[0]->info->evtchn_upcall_pending);
    CU_ASSERT_EQUAL(evtchn_unmask(&x.a, p), 0);
    EXPECT(0, p);
    CU_ASSERT_EQUAL(evtchn_unmask(&x.a, q), 0);                 /* nothing pending */
    EXPECT_NONE(0);
    send(p);
    *word(p) |= BIT(MASKED);                                    /* masked while it is queued: passed over, found by unmask */
    send(q);
    EXPECT(0, q);
    CU_ASSERT_EQUAL(evtchn_unmask(&x.a, p), 0);
    EXPECT(0, p);
    teardown();
}

/* What was pending with two levels, and what comes before its page of the array. */
static void test_changing_over(void)
{
    setup();
    const uint32_t p = ipi(2), q = ipi(2);
    send(p);
    memset(head, 0, sizeof(head));
    CU_ASSERT_EQUAL(init(2), 0);
    CU_ASSERT_EQUAL(page[1].evtchn_pending[0], 0);
    CU_ASSERT_TRUE(evtchn_port_pending(&x.a, p));
    CU_ASSERT_FALSE(evtchn_port_pending(&x.a, q));
    send(q);
    CU_ASSERT_EQUAL(evtchn_close(&x.a, q), 0);                  /* closed: forgotten */
    CU_ASSERT_EQUAL(ipi(2), q);
    va[2]->info->evtchn_upcall_pending = 0;
    CU_ASSERT_EQUAL(expand(0), 0);
    EXPECT(2, p);
    CU_ASSERT_EQUAL(control(3)->ready, 0);
    const uint32_t r = ipi(3);
    send(r);                                                    /* vCPU 3 has no control block: as if masked */
    CU_ASSERT_TRUE(evtchn_port_pending(&x.a, r));
    CU_ASSERT_EQUAL(init(3), 0);
    EXPECT_NONE(3);
    CU_ASSERT_EQUAL(evtchn_unmask(&x.a, r), 0);
    EXPECT(3, r);
    teardown();
}

/* A port that moves to another vCPU or priority while it is linked, and as the tail of its old queue. */
static void test_moving(void)
{
    uint32_t a, b, c;

    setup();
    change_over(1);
    CU_ASSERT_EQUAL(evtchn_alloc_unbound(&x.a, 1, &a), 0);
    CU_ASSERT_EQUAL(evtchn_bind_interdomain(&x.a, &x.a, a, &b), 0);
    c = ipi(0);
    EXPECT(0, b);                                               /* the binder looks at once */
    send(c);
    send(a);                                                    /* to b, behind c on vCPU 0 */
    CU_ASSERT_EQUAL(evtchn_bind_vcpu(&x.a, b, 1), 0);
    send(a);                                                    /* still linked there */
    EXPECT_NONE(1);
    EXPECT(0, c, b);
    send(a);                                                    /* b was the tail of vCPU 0's queue */
    send(c);
    EXPECT(0, c);
    EXPECT(1, b);
    CU_ASSERT_EQUAL(evtchn_set_priority(&x.a, b, 3), 0);
    send(a);
    CU_ASSERT_EQUAL(evtchn_bind_vcpu(&x.a, b, 0), 0);
    CU_ASSERT_EQUAL(evtchn_set_priority(&x.a, b, 7), 0);
    EXPECT(1, b);
    send(a);
    EXPECT(0, b);
    teardown();
}

/* A number is not given away while its last event is still queued, unless the guest has linked them all. */
static void test_reuse_of_numbers(void)
{
    setup();
    change_over(2);
    const uint32_t p = ipi(0), q = ipi(0);
    send(p);
    CU_ASSERT_EQUAL(evtchn_close(&x.a, p), 0);
    const uint32_t r = ipi(1);
    CU_ASSERT_EQUAL(r, q + 1);
    EXPECT_NONE(0);                                             /* taken, and nothing is pending there */
    CU_ASSERT_EQUAL(ipi(1), p);
    for (uint32_t i = 0; i < 2048; i++)
        *word(i) |= BIT(LINKED);
    unsigned n = 3;                                             /* p, q, r */
    uint32_t port;
    while (evtchn_bind_ipi(&x.a, 0, &port) == 0)
        n++;
    CU_ASSERT_EQUAL(n, 2047);                                   /* every one can be had all the same */
    teardown();
}

static void test_more_ports_than_two_levels_have(void)
{
    uint32_t port = 0;

    setup_limit(MAX_EVTCHNS - 1);
    for (unsigned i = 1; i < 4096; i++)
        (void)ipi(0);
    CU_ASSERT_EQUAL(evtchn_bind_ipi(&x.a, 0, &port), -ENOSPC);  /* two levels end here */
    change_over(1);
    for (unsigned i = 1; i < 8; i++)
        CU_ASSERT_EQUAL(evtchn_expand_array(&x.a, gfn(x.fa[10 + i].n)), 0);
    for (unsigned i = 4096; i < 8192 + 10; i++)
        CU_ASSERT_EQUAL(ipi(1), i);
    send(8000);
    EXPECT(1, 8000);
    send(8200);                                                 /* its page is still to come */
    CU_ASSERT_TRUE(evtchn_port_pending(&x.a, 8200));
    CU_ASSERT_EQUAL(evtchn_reset(&x.a), 0);
    CU_ASSERT_PTR_NULL(evtchn_fifo(x.a.events));
    CU_ASSERT_EQUAL(evtchn_send(&x.a, 8000), -EINVAL);
    CU_ASSERT_EQUAL(ipi(0), 1);
    /* A delivery that was under way may still come, and finds nothing it could write to. */
    evtchn_deliver(&x.a, 8000, evtchn_find(x.a.events, 8000));
    (void)fifo_raise(&x.a, x.a.events->fifo_made, 8000, evtchn_find(x.a.events, 8000));
    CU_ASSERT_FALSE(evtchn_port_pending(&x.a, 8000));
    change_over(2);                                             /* and again, as after a restore */
    const uint32_t p = ipi(0);
    send(p);
    EXPECT(0, p);
    teardown();
}

/* Every page that the hypervisor writes is in the log. */
static void test_dirty_log(void)
{
    static uint64_t bits[64];
    uint32_t dirty, faults;

    setup();
    change_over(2);
    const uint32_t p = ipi(3);
    fake_pku = true;
    CU_ASSERT_EQUAL(dirty_log_enable(&x.a), 0);
    fake_guest_share(bits, sizeof(bits));
    CU_ASSERT_EQUAL(dirty_log_read(&x.a, fake_gva(bits), FX_OWN, true, &dirty, &faults), 0);
    send(p);
    memset(bits, 0, sizeof(bits));
    CU_ASSERT_EQUAL(dirty_log_read(&x.a, fake_gva(bits), FX_OWN, true, &dirty, &faults), 0);
    CU_ASSERT_TRUE(bitmap_test(bits, 3));                       /* the control block */
    CU_ASSERT_TRUE(bitmap_test(bits, 10));                      /* the word */
    CU_ASSERT_FALSE(bitmap_test(bits, 2) || bitmap_test(bits, 11));
    CU_ASSERT_EQUAL(dirty_log_off(&x.a), 0);
    fake_guest_reset();
    teardown();
}

/* ---- many CPUs ---- */

static _Atomic bool stop;
static _Atomic unsigned long raised;
static uint32_t race_port[24];

/* Senders of other domains: they move and reprioritise ports, too, as another vCPU of the guest would. */
static void *sender(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;

    fake_cpu = seed;
    for (unsigned n = 0; n < 20000; n++) {
        const uint32_t port = race_port[(unsigned)rand_r(&seed) % ARRAY_SIZE(race_port)];
        switch (rand_r(&seed) % 16) {
        case 0:
            (void)evtchn_set_priority(&x.a, port, (unsigned)rand_r(&seed) % NR_QUEUES);
            break;
        case 1:
            (void)evtchn_bind_vcpu(&x.a, port, (unsigned)rand_r(&seed) % 2);
            break;
        case 2:
            __atomic_fetch_or(word(port), BIT(MASKED), __ATOMIC_SEQ_CST);
            (void)evtchn_unmask(&x.a, port);
            break;
        default:
            evtchn_deliver(&x.a, port, evtchn_find(x.a.events, port));
            atomic_fetch_add(&raised, 1);
            break;
        }
    }
    return NULL;
}

static void handle(uint32_t port) { __atomic_fetch_add(&handled[port], 1, __ATOMIC_RELAXED); }

static void *consumer(void *arg)
{
    const unsigned v = (unsigned)(uintptr_t)arg;

    while (!atomic_load(&stop))
        upcall(v, handle);
    upcall(v, handle);
    return NULL;
}

/* Whatever order senders and vCPUs work in: when all is quiet nothing is pending that nobody was told of. */
static void test_nothing_is_lost(void)
{
    pthread_t s[2], c[2];

    setup();
    change_over(1);
    for (unsigned i = 0; i < ARRAY_SIZE(race_port); i++) {
        uint32_t other;
        CU_ASSERT_EQUAL(evtchn_alloc_unbound(&x.a, 1, &other), 0);
        CU_ASSERT_EQUAL(evtchn_bind_interdomain(&x.a, &x.a, other, &race_port[i]), 0);
    }
    atomic_store(&stop, false);
    for (uintptr_t i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&s[i], NULL, sender, (void *)(i + 1)), 0);
        CU_ASSERT_EQUAL_FATAL(pthread_create(&c[i], NULL, consumer, (void *)i), 0);
    }
    for (unsigned i = 0; i < 2; i++)
        pthread_join(s[i], NULL);
    atomic_store(&stop, true);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(c[i], NULL);
    for (unsigned i = 0; i < ARRAY_SIZE(race_port); i++) {
        CU_ASSERT_EQUAL(*word(race_port[i]), 0);                /* not pending, linked, busy, nor pointing anywhere */
        CU_ASSERT(handled[race_port[i]] > 0);
    }
    CU_ASSERT_EQUAL(control(0)->ready | control(1)->ready, 0);
    teardown();
}

/* A guest that writes anything anywhere, at any time, and changes its mind about the ABI. */
static void *liar(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg + 100;

    while (!atomic_load(&stop)) {
        for (unsigned i = 0; i < ARRAY_SIZE(race_port); i++)
            __atomic_store_n(word(race_port[i]), (uint32_t)rand_r(&seed) * 3u, __ATOMIC_RELAXED);
        __atomic_store_n(&control(0)->head[(unsigned)rand_r(&seed) % NR_QUEUES], (uint32_t)rand_r(&seed), __ATOMIC_RELAXED);
        __atomic_store_n(&control(0)->ready, (uint32_t)rand_r(&seed), __ATOMIC_RELAXED);
    }
    return NULL;
}

static void *changer(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg + 200;
    uint32_t port;

    fake_cpu = (unsigned)(uintptr_t)arg;
    for (unsigned n = 0; n < 8000; n++) {
        switch (rand_r(&seed) % 8) {
        case 0:
            (void)evtchn_reset(&x.a);
            break;
        case 1:
            (void)init((unsigned)rand_r(&seed) % NR_V);
            break;
        case 2:
            (void)evtchn_expand_array(&x.a, gfn(x.fa[10].n));
            break;
        case 3:
            (void)evtchn_bind_virq(&x.a, VIRQ_TIMER, (unsigned)rand_r(&seed) % NR_V, &port);
            break;
        case 4:
            virq_send_vcpu(va[(unsigned)rand_r(&seed) % NR_V], VIRQ_TIMER);
            break;
        case 5:
            (void)evtchn_close(&x.a, (uint32_t)rand_r(&seed) % 32);
            break;
        default:
            if (evtchn_bind_ipi(&x.a, (unsigned)rand_r(&seed) % NR_V, &port) == 0) {
                (void)evtchn_send(&x.a, port);
                (void)evtchn_unmask(&x.a, port);
                (void)evtchn_port_pending(&x.a, port);
            }
            break;
        }
    }
    return NULL;
}

static void test_liars_and_races(void)
{
    pthread_t l, c[3];

    setup();
    for (unsigned i = 0; i < ARRAY_SIZE(race_port); i++)
        race_port[i] = i + 1;
    atomic_store(&stop, false);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&l, NULL, liar, NULL), 0);
    for (uintptr_t i = 0; i < ARRAY_SIZE(c); i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&c[i], NULL, changer, (void *)(i + 1)), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(c); i++)
        pthread_join(c[i], NULL);
    atomic_store(&stop, true);
    pthread_join(l, NULL);
    CU_ASSERT_EQUAL(x.a.refs, 1);
    teardown();
}

/* ---- hypercall 32 ---- */

static long call(unsigned cmd, void *arg, size_t size)
{
    struct hcall h = { .arg = { cmd, (uintptr_t)arg } };

    fake_guest_reset();
    fake_guest_share(arg, size);
    fake_set_current(va[0]);
    return do_event_channel_op(va[0], &h);
}
#define CALL(cmd, s) call(cmd, &(s), sizeof(s))

static void test_hypercall(void)
{
    setup();
    struct evtchn_init_control ic = { .control_gfn = x.fa[0].n, .vcpu = NR_V };
    struct evtchn_expand_array ea = { .array_gfn = x.fa[10].n };
    struct evtchn_set_priority sp = { .port = 1, .priority = 2 };
    struct evtchn_reset rs = { .dom = DOMID_SELF };
    CU_ASSERT_EQUAL(CALL(EVTCHNOP_set_priority, sp), -ENOSYS);
    CU_ASSERT_EQUAL(CALL(EVTCHNOP_expand_array, ea), -EOPNOTSUPP);
    CU_ASSERT_EQUAL(CALL(EVTCHNOP_init_control, ic), -ENOENT);
    ic.vcpu = 0;
    CU_ASSERT_EQUAL(CALL(EVTCHNOP_init_control, ic), 0);
    CU_ASSERT_EQUAL(ic.link_bits, 17);
    CU_ASSERT_EQUAL(CALL(EVTCHNOP_expand_array, ea), 0);
    CU_ASSERT_EQUAL(CALL(EVTCHNOP_set_priority, sp), 0);
    CU_ASSERT_EQUAL(CALL(EVTCHNOP_reset, rs), 0);
    CU_ASSERT_EQUAL(CALL(EVTCHNOP_expand_array, ea), -EOPNOTSUPP);
    fake_guest_reset();
    teardown();
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_arguments), UNIT(test_no_memory), UNIT(test_order), UNIT(test_mask), UNIT(test_changing_over),
        UNIT(test_moving), UNIT(test_reuse_of_numbers), UNIT(test_more_ports_than_two_levels_have), UNIT(test_dirty_log),
        UNIT(test_nothing_is_lost), UNIT(test_liars_and_races), UNIT(test_hypercall), { 0 },
    };
    return unit_main("fifo", cases);
}
