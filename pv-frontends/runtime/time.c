/* SPDX-License-Identifier: MIT */
/*
 * Time from the pages the hypervisor publishes, and the one-shot timer. Owns the timer ports and the distance between
 * the guest's time and the machine's, which is not 0 once we have moved to another machine.
 *
 * ABI: xen.h vcpu_time_info: odd version = being written; scale is 32.32 with a shift.
 */
#include "suspend.h"

static int timer_port[GUEST_VCPUS];
static uint64_t ahead;                  /* of the machine's time, modulo 2^64 */

static uint64_t tsc(void)
{
    uint32_t lo, hi;

    asm volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi));
    return ((uint64_t)hi << 32) | lo;
}

static uint64_t system_now(void)
{
    const volatile struct vcpu_time_info *t = &shared_info->vcpu_info[this_cpu()->id].time;
    uint32_t version;
    uint64_t ns;

    do {
        version = t->version;
        asm volatile("" ::: "memory");
        uint64_t delta = tsc() - t->tsc_timestamp;
        delta = t->tsc_shift >= 0 ? delta << t->tsc_shift : delta >> -t->tsc_shift;
        ns = t->system_time + (uint64_t)(((unsigned __int128)delta * t->tsc_to_system_mul) >> 32);
        asm volatile("" ::: "memory");
    } while ((version & 1) || version != t->version);
    return ns;
}

uint64_t time_now(void)
{
    return system_now() + ahead;
}

uint64_t time_to_system(uint64_t when)
{
    /* A time before the machine's start has come; "never" stays never. */
    return when == UINT64_MAX ? when : (int64_t)(when - ahead) < 1 ? 1 : when - ahead;
}

void time_continue(uint64_t then)
{
    ahead = then - system_now();
}

uint64_t time_wall(void)
{
    const volatile struct shared_info *s = shared_info;
    uint32_t version;
    uint64_t ns;

    do {
        version = s->wc_version;
        asm volatile("" ::: "memory");
        ns = (((uint64_t)s->wc_sec_hi << 32) | s->wc_sec) * SECOND + s->wc_nsec;
        asm volatile("" ::: "memory");
    } while ((version & 1) || version != s->wc_version);
    return ns + system_now();
}

static void tick(evtchn_port_t port, void *arg)
{
    (void)port;
    (void)arg;
}

void time_init(void)
{
    unsigned id = this_cpu()->id;

    hc_vcpu_op(VCPUOP_stop_periodic_timer, id, NULL);
    timer_port[id] = evtchn_bind_virq(VIRQ_TIMER, id);
    if (timer_port[id] > 0)
        evtchn_set_handler((evtchn_port_t)timer_port[id], tick, NULL);
}

void time_block_until(uint64_t when)
{
    struct vcpu_set_singleshot_timer timer = { .timeout_abs_ns = time_to_system(when) };
    unsigned id = this_cpu()->id;

    /* Masked: a timer that fires before we block must stay pending, or nothing would wake us. Blocking unmasks. */
    event_save_mask();
    if (hc_vcpu_op(VCPUOP_set_singleshot_timer, id, &timer) == 0)
        hc_sched_op(SCHEDOP_block, NULL);
    event_enable();
}
