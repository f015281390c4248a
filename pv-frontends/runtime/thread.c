/* SPDX-License-Identifier: MIT */
/*
 * Cooperative threads. Owns the ring of threads of each vCPU and the stacks.
 *
 *   T1  a vCPU's ring holds the thread it runs and all that can run later; only that vCPU reads or changes it.
 *   T2  a stack is freed by join, when its thread can never run again; freed stacks are kept for the next thread of
 *       the same vCPU (runs of pages are not given back).
 */
#include "thread.h"
#include "mm.h"

#define STACK_PAGES 4U
#define POLL_PORTS 64U                  /* SCHEDOP_poll takes up to 128 */

struct thread {
    struct thread *next;                /* ring; of a free one: the next free */
    struct context context;
    void (*fn)(void *);
    void *arg;
    const struct thread *joins;         /* waits for its end */
    evtchn_port_t port;                 /* waits for it until @when; @when 0: can run */
    uint64_t when;
    bool done;
};

/* The thread each vCPU was born with, and what it runs now (NULL: that one). */
static struct thread first[GUEST_VCPUS];
static struct thread *running[GUEST_VCPUS], *unused[GUEST_VCPUS];

static struct thread *current(void)
{
    unsigned id = this_cpu()->id;

    if (running[id] == NULL) {
        first[id].next = &first[id];
        running[id] = &first[id];
    }
    return running[id];
}

static bool can_run(const struct thread *t, uint64_t now)
{
    if (t->done)
        return false;
    if (t->joins != NULL)
        return t->joins->done;
    return t->when == 0 || evtchn_is_pending(t->port) || t->when <= now;
}

static void run(struct thread *t)
{
    struct thread *me = current();

    if (t == me)
        return;
    running[this_cpu()->id] = t;
    if (context_save(&me->context) == 0)
        context_jump(&t->context, 1);
}

/* Nobody can run: block until a port that somebody waits for is pending, or the first of the times has come. */
static void idle(const struct thread *me)
{
    evtchn_port_t ports[POLL_PORTS];
    struct sched_poll op = { .timeout = UINT64_MAX };
    const struct thread *t = me;

    set_xen_guest_handle(op.ports, ports);
    do {
        if (!t->done && t->joins == NULL) {
            if (t->port != 0 && op.nr_ports < POLL_PORTS)
                ports[op.nr_ports++] = t->port;
            if (t->when < op.timeout)
                op.timeout = t->when;
        }
        t = t->next;
    } while (t != me);
    op.timeout = time_to_system(op.timeout);
    hc_sched_op(SCHEDOP_poll, &op);
}

/* Run others until the caller can go on. */
static void wait(struct thread *me)
{
    for (;;) {
        uint64_t now = time_now();
        struct thread *t = me->next;

        while (!can_run(t, now) && t != me)
            t = t->next;
        if (can_run(t, now)) {
            run(t);
            if (t == me || can_run(me, time_now()))
                return;
        } else {
            idle(me);
        }
    }
}

void thread_yield(void)
{
    wait(current());
}

void thread_wait(evtchn_port_t port, uint64_t when)
{
    struct thread *me = current();

    me->port = port;
    me->when = when > 0 ? when : 1;
    wait(me);
    me->when = 0;
    evtchn_clear(me->port);
}

void thread_forget_ports(void)
{
    struct thread *me = current(), *t = me;

    do {
        t->port = 0;
        if (t->when != 0)
            t->when = 1;
        t = t->next;
    } while (t != me);
}

/* The first frame of every thread but the first. */
static void begin(void)
{
    struct thread *me = current();

    me->fn(me->arg);
    me->done = true;
    wait(me);                           /* whoever joins us; T2: no way back */
}

struct thread *thread_start(void (*fn)(void *), void *arg)
{
    struct thread *me = current(), **list = &unused[this_cpu()->id], *t = *list;
    uint8_t *stack;

    if (t != NULL)
        *list = t->next;
    else
        t = page_alloc_run(STACK_PAGES);
    if (t == NULL)
        return NULL;
    /* The thread lies at the bottom of its own stack. */
    stack = (uint8_t *)t + STACK_PAGES * PAGE_SIZE;
    *t = (struct thread){ .next = me->next, .fn = fn, .arg = arg,
                          .context = { .rip = (uintptr_t)begin, .rsp = (uintptr_t)stack - 8 } };
    me->next = t;
    return t;
}

void thread_join(struct thread *t)
{
    struct thread *me = current(), *before = me;

    me->joins = t;
    while (!t->done)
        wait(me);
    me->joins = NULL;
    while (before->next != t)
        before = before->next;
    before->next = t->next;
    t->next = unused[this_cpu()->id];
    unused[this_cpu()->id] = t;
}
