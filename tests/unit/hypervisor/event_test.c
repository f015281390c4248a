/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event_test.c - ports, bindings, delivery, through the module and through hypercall 32
 *
 * Dom0 (privileged) and two guests with four vCPUs each; evtchn_audit() of all of them ends every test.
 */
#include "../unit.h"

#include "event/evtchn.h"
#include "heap.h"
#include "hv_errno.h"
#include "hypercall/hypercall.h"
#include "machine_fake.h"
#include "sched/sched.h"
#include "time/time.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NR_D 3
#define NR_V 4
#define LAST_PORT 1023u

static struct domain dom[NR_D];
static struct vcpu vcpu[NR_D][NR_V];
static struct shared_info page[NR_D];

static void setup(void)
{
    fake_machine_init(64);
    for (unsigned c = 0; c < 4; c++) {
        timer_init_cpu(c);
        sched_init_cpu(c);
    }
    memset(page, 0, sizeof(page));
    for (unsigned i = 0; i < NR_D; i++) {
        fake_domain_init(&dom[i], (domid_t)i);
        dom[i].shared_info = &page[i];
        for (unsigned n = 0; n < NR_V; n++) {
            fake_vcpu_init(&vcpu[i][n], &dom[i], n);
            vcpu[i][n].info = &page[i].vcpu_info[n];
            atomic_store(&vcpu[i][n].pause_flags, VPF_DOWN);
            CU_ASSERT_EQUAL(sched_vcpu_create(&vcpu[i][n]), 0);
            CU_ASSERT_EQUAL(time_vcpu_create(&vcpu[i][n]), 0);
        }
        CU_ASSERT_EQUAL(evtchn_domain_create(&dom[i], LAST_PORT), 0);
    }
}

static void teardown(void)
{
    for (unsigned i = 0; i < NR_D; i++)
        evtchn_audit(&dom[i]);
    for (unsigned i = 0; i < NR_D; i++)
        CU_ASSERT_EQUAL(evtchn_domain_relinquish(&dom[i]), 0);
    for (unsigned i = 0; i < NR_D; i++) {
        evtchn_audit(&dom[i]);
        evtchn_domain_destroy(&dom[i]);
    }
}

static bool pending(unsigned d, uint32_t port) { return evtchn_port_pending(&dom[d], port); }
static bool upcall(unsigned d, unsigned v) { return vcpu[d][v].info->evtchn_upcall_pending; }
static bool selected(unsigned d, unsigned v, uint32_t port)
{
    return (vcpu[d][v].info->evtchn_pending_sel >> (port / 64)) & 1;
}

static void guest_clears(unsigned d)
{
    memset(page[d].evtchn_pending, 0, sizeof(page[d].evtchn_pending));
    for (unsigned n = 0; n < NR_V; n++)
        vcpu[d][n].info->evtchn_upcall_pending = 0, vcpu[d][n].info->evtchn_pending_sel = 0;
}

static uint32_t state(unsigned d, uint32_t port, struct evtchn_status *st)
{
    *st = (struct evtchn_status){ .port = port };
    CU_ASSERT_EQUAL(evtchn_status(&dom[d], st), 0);
    return st->status;
}

/* A connected pair: port *@a of domain @da, *@b of @db. */
static void connect(unsigned da, unsigned db, uint32_t *a, uint32_t *b)
{
    CU_ASSERT_EQUAL(evtchn_alloc_unbound(&dom[da], dom[db].id, a), 0);
    CU_ASSERT_EQUAL(evtchn_bind_interdomain(&dom[db], &dom[da], *a, b), 0);
}

static void test_lowest_free_port_and_limit(void)
{
    uint32_t port;

    setup();
    for (uint32_t want = 1; want <= LAST_PORT; want++) {
        CU_ASSERT_EQUAL(evtchn_alloc_unbound(&dom[1], 0, &port), 0);
        CU_ASSERT_EQUAL(port, want);
    }
    CU_ASSERT_EQUAL(evtchn_alloc_unbound(&dom[1], 0, &port), -ENOSPC);
    CU_ASSERT_EQUAL(evtchn_close(&dom[1], 500), 0);
    CU_ASSERT_EQUAL(evtchn_close(&dom[1], 5), 0);
    CU_ASSERT_EQUAL(evtchn_alloc_unbound(&dom[1], 0, &port), 0);
    CU_ASSERT_EQUAL(port, 5);
    teardown();
}

/* H63, XSA-496: no room for the port, so nothing happened. */
static void test_exhausted_bind_has_no_effect(void)
{
    uint32_t port, remote;

    setup();
    CU_ASSERT_EQUAL(evtchn_alloc_unbound(&dom[2], 1, &remote), 0);
    for (uint32_t i = 1; i <= LAST_PORT; i++)
        CU_ASSERT_EQUAL(evtchn_alloc_unbound(&dom[1], 0, &port), 0);
    CU_ASSERT_EQUAL(evtchn_bind_virq(&dom[1], VIRQ_TIMER, 1, &port), -ENOSPC);
    CU_ASSERT_EQUAL(evtchn_bind_ipi(&dom[1], 1, &port), -ENOSPC);
    CU_ASSERT_EQUAL(evtchn_bind_pirq(&dom[1], 4, 0, &port), -ENOSPC);
    CU_ASSERT_EQUAL(evtchn_bind_interdomain(&dom[1], &dom[2], remote, &port), -ENOSPC);
    struct evtchn_status st;
    CU_ASSERT_EQUAL(state(2, remote, &st), EVTCHNSTAT_unbound);
    CU_ASSERT_EQUAL(evtchn_close(&dom[1], 7), 0);
    CU_ASSERT_EQUAL(evtchn_bind_virq(&dom[1], VIRQ_TIMER, 1, &port), 0);
    CU_ASSERT_EQUAL(port, 7);
    teardown();
}

/* No memory for the next chunk: an error, and the table still works. */
static void test_bad_ports(void)
{
    static const uint32_t out_of_range[] = { 64, 1023, 1024, 4095, 4096, 1u << 31, UINT32_MAX };

    setup();
    for (unsigned i = 0; i < ARRAY_SIZE(out_of_range); i++) {
        struct evtchn_status st = { .port = out_of_range[i] };
        uint32_t port;
        CU_ASSERT_EQUAL(evtchn_send(&dom[1], out_of_range[i]), -EINVAL);
        CU_ASSERT_EQUAL(evtchn_close(&dom[1], out_of_range[i]), -EINVAL);
        CU_ASSERT_EQUAL(evtchn_unmask(&dom[1], out_of_range[i]), -EINVAL);
        CU_ASSERT_EQUAL(evtchn_bind_vcpu(&dom[1], out_of_range[i], 0), -EINVAL);
        CU_ASSERT_EQUAL(evtchn_status(&dom[1], &st), -EINVAL);
        CU_ASSERT_EQUAL(evtchn_bind_interdomain(&dom[1], &dom[2], out_of_range[i], &port), -EINVAL);
        CU_ASSERT_FALSE(evtchn_port_valid(&dom[1], out_of_range[i]));
    }
    for (uint32_t p = 0; p < 2; p++) {                          /* in range, not in use */
        struct evtchn_status st;
        CU_ASSERT_EQUAL(evtchn_send(&dom[1], p), -EINVAL);
        CU_ASSERT_EQUAL(evtchn_close(&dom[1], p), -EINVAL);
        CU_ASSERT_EQUAL(evtchn_bind_vcpu(&dom[1], p, 0), -EINVAL);
        CU_ASSERT_EQUAL(state(1, p, &st), EVTCHNSTAT_closed);
    }
    CU_ASSERT_EQUAL(evtchn_bind_vcpu(&dom[1], 1, NR_V), -ENOENT);
    teardown();
}

static void test_interdomain(void)
{
    struct evtchn_status st;
    uint32_t a, b, c;

    setup();
    CU_ASSERT_EQUAL(evtchn_alloc_unbound(&dom[1], 0, &a), 0);
    CU_ASSERT_EQUAL(state(1, a, &st), EVTCHNSTAT_unbound);
    CU_ASSERT_EQUAL(st.u.unbound.dom, 0);
    CU_ASSERT_EQUAL(evtchn_send(&dom[1], a), 0);                /* nobody there: silent */
    CU_ASSERT_EQUAL(evtchn_bind_interdomain(&dom[2], &dom[1], a, &c), -EINVAL);         /* not for d2 */
    CU_ASSERT_EQUAL(evtchn_bind_interdomain(&dom[0], &dom[1], a, &b), 0);
    CU_ASSERT_TRUE(pending(0, b));                              /* the binder looks at once */
    CU_ASSERT_FALSE(pending(1, a));
    CU_ASSERT_EQUAL(evtchn_bind_interdomain(&dom[0], &dom[1], a, &c), -EINVAL);         /* bound */

    guest_clears(0);
    CU_ASSERT_EQUAL(evtchn_send(&dom[1], a), 0);
    CU_ASSERT_TRUE(pending(0, b));
    CU_ASSERT_TRUE(selected(0, 0, b));
    CU_ASSERT_TRUE(upcall(0, 0));
    CU_ASSERT_EQUAL(evtchn_send(&dom[0], b), 0);
    CU_ASSERT_TRUE(pending(1, a));
    CU_ASSERT_EQUAL(state(0, b, &st), EVTCHNSTAT_interdomain);
    CU_ASSERT_EQUAL(st.u.interdomain.dom, 1);
    CU_ASSERT_EQUAL(st.u.interdomain.port, a);

    /* One end closes: the other is unbound, for the closer only, and its sends vanish. */
    guest_clears(1);
    CU_ASSERT_EQUAL(evtchn_close(&dom[0], b), 0);
    CU_ASSERT_FALSE(pending(0, b));
    CU_ASSERT_EQUAL(state(1, a, &st), EVTCHNSTAT_unbound);
    CU_ASSERT_EQUAL(st.u.unbound.dom, 0);
    CU_ASSERT_EQUAL(evtchn_send(&dom[1], a), 0);
    CU_ASSERT_EQUAL(evtchn_bind_interdomain(&dom[2], &dom[1], a, &c), -EINVAL);
    CU_ASSERT_EQUAL(evtchn_bind_interdomain(&dom[0], &dom[1], a, &b), 0);
    CU_ASSERT_EQUAL(evtchn_close(&dom[1], a), 0);               /* and the other way round */
    CU_ASSERT_EQUAL(state(0, b, &st), EVTCHNSTAT_unbound);
    CU_ASSERT_EQUAL(st.u.unbound.dom, 1);
    teardown();
}

static void test_loop_to_oneself(void)
{
    struct evtchn_status st;
    uint32_t a, b;

    setup();
    connect(1, 1, &a, &b);
    guest_clears(1);
    CU_ASSERT_EQUAL(evtchn_send(&dom[1], a), 0);
    CU_ASSERT_TRUE(pending(1, b));
    CU_ASSERT_FALSE(pending(1, a));
    CU_ASSERT_EQUAL(evtchn_close(&dom[1], a), 0);
    CU_ASSERT_EQUAL(state(1, b, &st), EVTCHNSTAT_unbound);
    CU_ASSERT_EQUAL(evtchn_close(&dom[1], b), 0);
    teardown();
}

static void test_virq(void)
{
    uint32_t timer0, timer1, exc, port;

    setup();
    CU_ASSERT_EQUAL(evtchn_bind_virq(&dom[0], VIRQ_TIMER, 0, &timer0), 0);
    CU_ASSERT_EQUAL(evtchn_bind_virq(&dom[0], VIRQ_TIMER, 1, &timer1), 0);
    CU_ASSERT_EQUAL(evtchn_bind_virq(&dom[0], VIRQ_TIMER, 1, &port), -EEXIST);
    CU_ASSERT_EQUAL(evtchn_bind_virq(&dom[0], VIRQ_TIMER, NR_V, &port), -ENOENT);
    CU_ASSERT_EQUAL(evtchn_bind_virq(&dom[0], NR_VIRQS, 0, &port), -EINVAL);
    CU_ASSERT_EQUAL(evtchn_bind_virq(&dom[0], VIRQ_DOM_EXC, 1, &port), -EINVAL);        /* global: vCPU 0 */
    CU_ASSERT_EQUAL(evtchn_bind_virq(&dom[0], VIRQ_DOM_EXC, 0, &exc), 0);
    CU_ASSERT_EQUAL(evtchn_send(&dom[0], exc), -EINVAL);

    virq_send_vcpu(&vcpu[0][1], VIRQ_TIMER);
    CU_ASSERT_TRUE(pending(0, timer1));
    CU_ASSERT_FALSE(pending(0, timer0));
    CU_ASSERT_TRUE(upcall(0, 1));
    CU_ASSERT_FALSE(upcall(0, 0));
    virq_send_vcpu(&vcpu[0][2], VIRQ_TIMER);                    /* not bound */

    CU_ASSERT_EQUAL(evtchn_bind_vcpu(&dom[0], timer1, 0), -EINVAL);
    CU_ASSERT_EQUAL(evtchn_bind_vcpu(&dom[0], exc, 3), 0);
    virq_send_global(&dom[0], VIRQ_DOM_EXC);
    CU_ASSERT_TRUE(pending(0, exc));
    CU_ASSERT_TRUE(upcall(0, 3));
    CU_ASSERT_EQUAL(evtchn_bind_virq(&dom[0], VIRQ_DOM_EXC, 0, &port), -EEXIST);        /* moved, still bound */

    CU_ASSERT_EQUAL(evtchn_close(&dom[0], exc), 0);
    virq_send_global(&dom[0], VIRQ_DOM_EXC);
    CU_ASSERT_FALSE(pending(0, exc));
    CU_ASSERT_EQUAL(evtchn_bind_virq(&dom[0], VIRQ_DOM_EXC, 0, &port), 0);
    teardown();
}

static void test_ipi_and_two_levels(void)
{
    uint32_t ports[70], p;

    setup();
    for (unsigned i = 0; i < ARRAY_SIZE(ports); i++)
        CU_ASSERT_EQUAL(evtchn_bind_ipi(&dom[1], 2, &ports[i]), 0);
    CU_ASSERT_EQUAL(evtchn_bind_ipi(&dom[1], NR_V, &p), -ENOENT);
    p = ports[68];
    CU_ASSERT_EQUAL(evtchn_bind_vcpu(&dom[1], p, 1), -EINVAL);

    /* masked: pending only; the guest may not see an upcall */
    page[1].evtchn_mask[p / 64] = 1UL << (p % 64);
    CU_ASSERT_EQUAL(evtchn_send(&dom[1], p), 0);
    CU_ASSERT_TRUE(pending(1, p));
    CU_ASSERT_FALSE(selected(1, 2, p));
    CU_ASSERT_FALSE(upcall(1, 2));
    CU_ASSERT_EQUAL(evtchn_unmask(&dom[1], p), 0);
    CU_ASSERT_EQUAL(page[1].evtchn_mask[p / 64], 0);
    CU_ASSERT_TRUE(selected(1, 2, p));
    CU_ASSERT_TRUE(upcall(1, 2));
    CU_ASSERT_EQUAL(vcpu[1][2].info->evtchn_pending_sel, 1UL << (p / 64));

    /* already pending: no second upcall */
    vcpu[1][2].info->evtchn_upcall_pending = 0;
    CU_ASSERT_EQUAL(evtchn_send(&dom[1], p), 0);
    CU_ASSERT_FALSE(upcall(1, 2));

    guest_clears(1);
    evtchn_force_scan(&vcpu[1][3]);
    CU_ASSERT_EQUAL(vcpu[1][3].info->evtchn_pending_sel, ~0UL);
    CU_ASSERT_TRUE(upcall(1, 3));
    teardown();
}

/* A running vCPU elsewhere is kicked; one here, or not running, is not. */
static void test_kick(void)
{
    uint32_t p;

    setup();
    CU_ASSERT_EQUAL(evtchn_bind_ipi(&dom[1], 1, &p), 0);
    atomic_store(&vcpu[1][1].sched.running, true);
    vcpu[1][1].sched.cpu = 3;
    fake_cpu = 0;
    CU_ASSERT_EQUAL(evtchn_send(&dom[1], p), 0);
    CU_ASSERT_EQUAL(fake_log.kicks[3], 1);
    guest_clears(1);
    fake_cpu = 3;
    CU_ASSERT_EQUAL(evtchn_send(&dom[1], p), 0);
    CU_ASSERT_EQUAL(fake_log.kicks[3], 1);
    atomic_store(&vcpu[1][1].sched.running, false);
    guest_clears(1);
    fake_cpu = 0;
    CU_ASSERT_EQUAL(evtchn_send(&dom[1], p), 0);
    CU_ASSERT_EQUAL(fake_log.kicks[3], 1);
    teardown();
}

static void test_reset_is_preemptible(void)
{
    uint32_t a, b, port;
    unsigned calls = 0;
    int rc;

    setup();
    for (unsigned i = 0; i < 300; i++)
        connect(1, 2, &a, &b);
    CU_ASSERT_EQUAL(evtchn_bind_virq(&dom[1], VIRQ_TIMER, 2, &port), 0);
    fake_preempt_at(1, 1);
    do {
        rc = evtchn_reset(&dom[1]);
        evtchn_audit(&dom[1]);
        evtchn_audit(&dom[2]);
        calls++;
    } while (rc == -ERESTART && calls < 1000);
    fake_preempt_at(0, 0);
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT(calls > 5);
    CU_ASSERT_EQUAL(bitmap_next_set(dom[1].events->used, LAST_PORT + 1, 0), LAST_PORT + 1);
    struct evtchn_status st;
    CU_ASSERT_EQUAL(state(2, b, &st), EVTCHNSTAT_unbound);
    CU_ASSERT_EQUAL(evtchn_bind_virq(&dom[1], VIRQ_TIMER, 2, &port), 0);
    CU_ASSERT_EQUAL(port, 1);
    teardown();
}

static void test_dying_domain_binds_nothing(void)
{
    uint32_t a, b, c;

    setup();
    connect(1, 2, &a, &b);
    CU_ASSERT_EQUAL(evtchn_alloc_unbound(&dom[2], 1, &c), 0);
    CU_ASSERT_EQUAL(evtchn_domain_relinquish(&dom[1]), 0);
    CU_ASSERT_EQUAL(evtchn_alloc_unbound(&dom[1], 0, &a), -EINVAL);
    CU_ASSERT_EQUAL(evtchn_bind_ipi(&dom[1], 0, &a), -EINVAL);
    CU_ASSERT_EQUAL(evtchn_bind_interdomain(&dom[1], &dom[2], c, &a), -EINVAL);
    CU_ASSERT_EQUAL(evtchn_send(&dom[2], b), 0);
    CU_ASSERT_EQUAL(dom[1].refs, 1);
    CU_ASSERT_EQUAL(dom[2].refs, 1);
    teardown();
}

/* ---- hypercall 32 ---- */

static long call(struct vcpu *v, unsigned cmd, void *arg, size_t size)
{
    struct hcall h = { .arg = { cmd, (uintptr_t)arg } };

    fake_guest_reset();
    fake_guest_share(arg, size);
    fake_set_current(v);
    return do_event_channel_op(v, &h);
}
#define CALL(v, cmd, s) call(v, cmd, &(s), sizeof(s))

static void test_hypercall_permissions(void)
{
    setup();
    struct vcpu *guest = &vcpu[1][0], *dom0v = &vcpu[0][0];
    struct evtchn_alloc_unbound au = { .dom = 2, .remote_dom = 1 };
    CU_ASSERT_EQUAL(CALL(guest, EVTCHNOP_alloc_unbound, au), -EPERM);
    au.dom = 9;
    CU_ASSERT_EQUAL(CALL(guest, EVTCHNOP_alloc_unbound, au), -ESRCH);
    au = (struct evtchn_alloc_unbound){ .dom = 2, .remote_dom = DOMID_SELF };
    CU_ASSERT_EQUAL(CALL(dom0v, EVTCHNOP_alloc_unbound, au), 0);
    CU_ASSERT_EQUAL(au.port, 1);
    struct evtchn_status st = { .dom = 2, .port = 1 };
    CU_ASSERT_EQUAL(CALL(guest, EVTCHNOP_status, st), -EPERM);
    CU_ASSERT_EQUAL(CALL(dom0v, EVTCHNOP_status, st), 0);
    CU_ASSERT_EQUAL(st.status, EVTCHNSTAT_unbound);
    CU_ASSERT_EQUAL(st.u.unbound.dom, 0);
    struct evtchn_reset rs = { .dom = 2 };
    CU_ASSERT_EQUAL(CALL(guest, EVTCHNOP_reset, rs), -EPERM);
    CU_ASSERT_EQUAL(CALL(dom0v, EVTCHNOP_reset, rs), 0);
    struct evtchn_bind_interdomain bi = { .remote_dom = 9, .remote_port = 1 };
    CU_ASSERT_EQUAL(CALL(guest, EVTCHNOP_bind_interdomain, bi), -ESRCH);
    teardown();
}

static void test_hypercall_unknown(void)
{
    setup();
    struct evtchn_set_priority sp = { .port = 1 };
    CU_ASSERT_EQUAL(CALL(&vcpu[1][0], 14, sp), -ENOSYS);
    CU_ASSERT_EQUAL(CALL(&vcpu[1][0], 0x80000001u, sp), -ENOSYS);
    teardown();
}

static void test_hypercall_faults(void)
{
    struct hcall h = { .arg = { 0, 0x1000 } };

    setup();
    fake_guest_reset();
    fake_set_current(&vcpu[1][0]);
    for (unsigned cmd = 0; cmd <= EVTCHNOP_set_priority; cmd++) {
        h.arg[0] = cmd;
        CU_ASSERT_EQUAL(do_event_channel_op(&vcpu[1][0], &h), -EFAULT);
    }
    teardown();
}

static void test_hypercall_life_of_a_port(void)
{
    setup();
    struct vcpu *v = &vcpu[1][0];
    struct evtchn_bind_ipi ipi = { .vcpu = 1 };
    CU_ASSERT_EQUAL(CALL(v, EVTCHNOP_bind_ipi, ipi), 0);
    struct evtchn_send s = { .port = ipi.port };
    CU_ASSERT_EQUAL(CALL(v, EVTCHNOP_send, s), 0);
    CU_ASSERT_TRUE(pending(1, ipi.port));
    struct evtchn_unmask u = { .port = ipi.port };
    CU_ASSERT_EQUAL(CALL(v, EVTCHNOP_unmask, u), 0);
    struct evtchn_bind_vcpu bv = { .port = ipi.port, .vcpu = 2 };
    CU_ASSERT_EQUAL(CALL(v, EVTCHNOP_bind_vcpu, bv), -EINVAL);
    struct evtchn_bind_virq vq = { .virq = VIRQ_TIMER, .vcpu = 0 };
    CU_ASSERT_EQUAL(CALL(v, EVTCHNOP_bind_virq, vq), 0);
    struct evtchn_close c = { .port = ipi.port };
    CU_ASSERT_EQUAL(CALL(v, EVTCHNOP_close, c), 0);
    CU_ASSERT_EQUAL(CALL(v, EVTCHNOP_close, c), -EINVAL);
    teardown();
}

/* ---- many CPUs ---- */

/* Each thread is a CPU that makes random calls for random domains; the audits judge what is left. */
static void *storm(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;

    fake_cpu = seed;
    for (unsigned n = 0; n < 60000; n++) {
        struct domain *d = &dom[rand_r(&seed) % NR_D], *o = &dom[rand_r(&seed) % NR_D];
        uint32_t port = (uint32_t)rand_r(&seed) % 24;
        switch (rand_r(&seed) % 12) {
        case 0:
        case 1:
            (void)evtchn_alloc_unbound(d, o->id, &port);
            break;
        case 2:
        case 3:
            (void)evtchn_bind_interdomain(d, o, port, &port);
            break;
        case 4:
            (void)evtchn_bind_virq(d, (unsigned)rand_r(&seed) % NR_VIRQS, (unsigned)rand_r(&seed) % NR_V, &port);
            break;
        case 5:
            (void)evtchn_bind_vcpu(d, port, (unsigned)rand_r(&seed) % NR_V);
            break;
        case 6:
            virq_send_vcpu(d->vcpus[rand_r(&seed) % NR_V], VIRQ_TIMER);
            break;
        case 7:
            if (rand_r(&seed) % 64 == 0)
                (void)evtchn_reset(d);
            break;
        case 8:
        case 9:
            (void)evtchn_send(d, port);
            (void)evtchn_unmask(d, port);
            break;
        default:
            (void)evtchn_close(d, port);
            break;
        }
    }
    return NULL;
}

static void test_storm(void)
{
    pthread_t t[4];

    setup();
    for (uintptr_t i = 0; i < ARRAY_SIZE(t); i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&t[i], NULL, storm, (void *)i), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
        pthread_join(t[i], NULL);
    for (unsigned i = 0; i < NR_D; i++)
        CU_ASSERT_EQUAL(dom[i].refs, 1);
    teardown();
}

/* Every event sent while the receiver sleeps wakes it: send and block race on two threads, 100k times. */
static _Atomic bool sender_stop;
static uint32_t race_port;
static _Atomic uint64_t sends;

static void *sender(void *arg)
{
    (void)arg;
    fake_cpu = 1;
    while (!atomic_load(&sender_stop))
        sends += evtchn_send(&dom[1], race_port) == 0;
    return NULL;
}

static void test_no_lost_wakeup(void)
{
    struct vcpu *v = &vcpu[1][0];
    pthread_t t;

    setup();
    CU_ASSERT_EQUAL(evtchn_bind_ipi(&dom[1], 0, &race_port), 0);
    atomic_store(&v->pause_flags, 0);
    atomic_store(&v->sched.running, true);                      /* as if on CPU 0: nobody queues it */
    atomic_store(&sender_stop, false);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, sender, NULL), 0);
    unsigned lost = 0;
    for (unsigned n = 0; n < 100000 && !lost; n++) {
        /* the guest: upcall flag, selector, pending word, in Linux's order; then it blocks */
        __atomic_store_n(&v->info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
        __atomic_store_n(&v->info->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
        (void)bitmap_atomic_clear(page[1].evtchn_pending, race_port);
        vcpu_block(v);
        /* asleep: the next send that begins from now on must unblock it, however long the sender sleeps itself */
        const uint64_t before = atomic_load(&sends);
        while (!lost && (atomic_load(&v->pause_flags) & VPF_BLOCKED))
            lost += atomic_load(&sends) > before + 2 && (atomic_load(&v->pause_flags) & VPF_BLOCKED);
    }
    atomic_store(&sender_stop, true);
    pthread_join(t, NULL);
    CU_ASSERT_EQUAL(lost, 0);
    atomic_store(&v->sched.running, false);
    teardown();
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_lowest_free_port_and_limit), UNIT(test_exhausted_bind_has_no_effect), UNIT(test_bad_ports),
        UNIT(test_interdomain), UNIT(test_loop_to_oneself), UNIT(test_virq), UNIT(test_ipi_and_two_levels),
        UNIT(test_kick), UNIT(test_reset_is_preemptible), UNIT(test_dying_domain_binds_nothing),
        UNIT(test_hypercall_permissions), UNIT(test_hypercall_unknown), UNIT(test_hypercall_faults),
        UNIT(test_hypercall_life_of_a_port), UNIT(test_storm), UNIT(test_no_lost_wakeup), { 0 },
    };
    return unit_main("event", cases);
}
