/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event_fuzz.c - three domains, any sequence of event channel operations, preemption anywhere, deaths in between
 *
 * Oracles after every step: evtchn_audit() of every domain (pairs point at each other, VIRQ rows, used bits, FIFO queues) and
 * references; at the end nobody is left in a dead domain's tables and no page is held. Shared words, also those of FIFO
 * pages, are scribbled over by the guests.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "domain/io_caps.h"
#include "event/evtchn.h"
#include "hypercall/hypercall.h"
#include "irq/irq.h"
#include "machine_fake.h"
#include "mm/frame_alloc.h"
#include "mm/page_type.h"
#include "sched/runq.h"
#include "sched/sched.h"
#include "time/time.h"

#define NR_D 3
#define NR_V 2
#define NR_F 4                  /* frames of each domain */

struct input { const uint8_t *p, *end; };

static struct domain dom[NR_D];
static struct vcpu vcpu[NR_D][NR_V];
static struct shared_info page[NR_D];
static bool dead[NR_D];
static mfn_t frame[NR_D][NR_F];

static unsigned byte(struct input *in) { return in->p < in->end ? *in->p++ : 0; }

static uint32_t any_port(struct input *in)
{
    const unsigned b = byte(in);

    return b < 200 ? b % 16 : b < 240 ? b : b < 250 ? 4095 + b - 245 : UINT32_MAX - (b - 250);
}

static domid_t any_domid(struct input *in)
{
    static const domid_t ids[] = { 0, 1, 2, 3, DOMID_SELF, DOMID_XEN, 0xffff };

    return ids[byte(in) % ARRAY_SIZE(ids)];
}

/* Usually one of its own, or anybody's, or none. */
static uint64_t any_frame(const struct domain *d, struct input *in)
{
    const unsigned b = byte(in);

    return b < 240 ? frame[b % 16 ? d->id : b / 16 % NR_D][b % NR_F].n : b < 250 ? 0 : ~0UL - b;
}

static void setup(void)
{
    fake_machine_init(64);
    atomic_store(&idle_cpus, 0);
    atomic_store(&nr_waiting, 0);
    memset(page, 0, sizeof(page));
    memset(dead, 0, sizeof(dead));
    for (unsigned c = 0; c < 4; c++) {
        timer_init_cpu(c);
        sched_init_cpu(c);
    }
    for (unsigned i = 0; i < NR_D; i++) {
        fake_domain_init(&dom[i], (domid_t)i);
        dom[i].shared_info = &page[i];
        for (unsigned n = 0; n < NR_V; n++) {
            fake_vcpu_init(&vcpu[i][n], &dom[i], n);
            vcpu[i][n].info = &page[i].vcpu_info[n];
            atomic_store(&vcpu[i][n].pause_flags, VPF_DOWN);
            if (sched_vcpu_create(&vcpu[i][n]) || time_vcpu_create(&vcpu[i][n]))
                abort();
        }
        for (unsigned n = 0; n < NR_F; n++) {
            if (frame_alloc_domain(&dom[i], 0, 0, &frame[i][n]))
                abort();
        }
        if (io_caps_create(&dom[i]) || evtchn_domain_create(&dom[i], 200) || pirq_domain_create(&dom[i]))
            abort();
    }
}

static void check(void)
{
    for (unsigned i = 0; i < NR_D; i++) {
        evtchn_audit(&dom[i]);
        if (dom[i].refs != 1)
            abort();
    }
}

union args {
    struct evtchn_alloc_unbound au;
    struct evtchn_bind_interdomain bi;
    struct evtchn_bind_virq bv;
    struct evtchn_bind_pirq bp;
    struct evtchn_bind_ipi ipi;
    struct evtchn_bind_vcpu vc;
    struct evtchn_status st;
    struct evtchn_reset rs;
    struct evtchn_init_control ic;
    struct evtchn_expand_array ea;
    struct evtchn_set_priority sp;
    uint32_t port;
};

static void hypercall(struct vcpu *v, struct input *in)
{
    union args a = { 0 };
    const unsigned cmd = byte(in) % 16;
    struct hcall h = { .arg = { cmd, (uintptr_t)&a } };

    switch (cmd) {
    case EVTCHNOP_alloc_unbound:
        a.au.dom = any_domid(in);
        a.au.remote_dom = any_domid(in);
        break;
    case EVTCHNOP_bind_interdomain:
        a.bi.remote_dom = any_domid(in);
        a.bi.remote_port = any_port(in);
        break;
    case EVTCHNOP_bind_virq:
        a.bv.virq = byte(in) % (NR_VIRQS + 2);
        a.bv.vcpu = byte(in) % (NR_V + 1);
        break;
    case EVTCHNOP_bind_pirq:
        a.bp.pirq = byte(in);
        a.bp.flags = byte(in);
        break;
    case EVTCHNOP_bind_ipi:
        a.ipi.vcpu = byte(in) % (NR_V + 1);
        break;
    case EVTCHNOP_bind_vcpu:
        a.vc.port = any_port(in);
        a.vc.vcpu = byte(in) % (NR_V + 1);
        break;
    case EVTCHNOP_status:
        a.st.dom = any_domid(in);
        a.st.port = any_port(in);
        break;
    case EVTCHNOP_reset:
        a.rs.dom = any_domid(in);
        break;
    case EVTCHNOP_init_control:
        a.ic.control_gfn = any_frame(v->domain, in);
        a.ic.offset = byte(in) * 8 + (byte(in) == 1);
        a.ic.vcpu = byte(in) % (NR_V + 1);
        break;
    case EVTCHNOP_expand_array:
        a.ea.array_gfn = any_frame(v->domain, in);
        break;
    case EVTCHNOP_set_priority:
        a.sp.port = any_port(in);
        a.sp.priority = byte(in) % 18;
        break;
    default:
        a.port = any_port(in);
        break;
    }
    fake_guest_reset();
    if (byte(in) % 16 != 15)
        fake_guest_map((uintptr_t)&a, &a, sizeof(a), byte(in) % 16 != 15);
    /* A guest may abandon a preempted call. */
    for (unsigned i = 0; i < 50 && do_event_channel_op(v, &h) == -ERESTART; i++)
        check();
}

static void others(struct vcpu *v, struct input *in)
{
    struct domain *d = v->domain;
    const unsigned what = byte(in) % 8;

    switch (what) {
    case 0:
        virq_send_vcpu(v, VIRQ_TIMER);
        break;
    case 1:
        virq_send_global(d, VIRQ_DOM_EXC);
        break;
    case 2:
        (void)evtchn_send_pirq(d, any_port(in));
        break;
    case 3: {
        const uint32_t ports[2] = { any_port(in), any_port(in) };
        (void)vcpu_poll(v, ports, byte(in) % 3, 0);
        vcpu_unblock(v);
        if (atomic_load(&v->poll_port))
            abort();
        break;
    }
    case 4:
        evtchn_force_scan(v);
        break;
    case 5:                                             /* the guest writes what it likes */
        ((uint8_t *)&page[d->id])[(byte(in) << 8 | byte(in)) % sizeof(page[0])] = (uint8_t)byte(in);
        break;
    case 6:
        ((uint8_t *)frame_ptr(frame[d->id][byte(in) % NR_F]))[(byte(in) << 8 | byte(in)) % PAGE_SIZE] = (uint8_t)byte(in);
        break;
    default:
        if (byte(in) % 8 == 0) {
            while (evtchn_domain_relinquish(d) == -ERESTART)
                check();
            dead[d->id] = true;
        }
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, data + size };

    if (size > 4096)
        return 0;
    setup();
    while (in.p < in.end) {
        const unsigned op = byte(&in), who = byte(&in) % (NR_D * NR_V);
        struct vcpu *v = &vcpu[who / NR_V][who % NR_V];
        if (dead[v->domain->id])
            continue;                                   /* it does not run any more */
        fake_set_current(v);
        fake_preempt_at(op & 0x80 ? 1 + byte(&in) % 4 : 0, 1 + byte(&in) % 4);
        if (op % 8)
            hypercall(v, &in);
        else
            others(v, &in);
        fake_preempt_at(0, 0);
        check();
    }
    for (unsigned i = 0; i < NR_D; i++)
        while (evtchn_domain_relinquish(&dom[i]) == -ERESTART)
            ;
    check();
    for (unsigned i = 0; i < NR_D; i++) {
        if (bitmap_next_set(dom[i].events->used, dom[i].events->limit, 0) != dom[i].events->limit)
            abort();
        for (unsigned n = 0; n < NR_F; n++) {
            if (page_type_peek(frame[i][n]) != PGT_NONE ||
                (atomic_load(&frame_of(frame[i][n])->ref) & FRAME_COUNT_MASK) != 1)
                abort();
        }
        pirq_domain_relinquish(&dom[i]);
        pirq_domain_destroy(&dom[i]);
        evtchn_domain_destroy(&dom[i]);
        io_caps_destroy(&dom[i]);
    }
    return 0;
}
