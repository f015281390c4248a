/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * areas.c - memory of the guest's kernel that is kept up to date: runstate and the second time record
 *
 * Addresses are the guest kernel's. They are written through its own page tables with ordinary fault handling: a
 * guest that unmaps one loses the updates, nothing else. While its user tables are loaded, a write would fault or hit
 * a user page (abi-map pitfall 20): it waits for time_kernel_entered().
 *
 * ABI: vcpu.h VCPUOP_register_runstate_memory_area, VCPUOP_register_vcpu_time_memory_area.
 */
#include "time/areas.h"

#include "hv_errno.h"
#include "machine.h"
#include "sched/sched.h"

static void put(gva_t base, size_t offset, const void *src, size_t n)
{
    if (guest_copy_out(gva(base.n + offset), src, n))
        return;                                         /* not mapped now: the guest's choice */
}

static void write_runstate(struct vcpu *v, struct vcpu_runstate_info *r)
{
    const gva_t area = gva(READ_ONCE(v->time.runstate_area.n));
    const size_t entry = offsetof(struct vcpu_runstate_info, state_entry_time);

    if (!(v->domain->vm_assist & (1UL << VMASST_TYPE_runstate_update_flag))) {
        put(area, 0, r, sizeof(*r));
        return;
    }
    /* ABI: flag first, then the record, then the flag off; each a separate store, in order on x86. */
    const uint64_t since = r->state_entry_time;
    r->state_entry_time = since | XEN_RUNSTATE_UPDATE;
    put(area, entry, &r->state_entry_time, sizeof(since));
    put(area, 0, r, sizeof(*r));
    put(area, entry, &since, sizeof(since));
}

static void write_time_area(struct vcpu *v)
{
    const gva_t area = gva(READ_ONCE(v->time.time_area.n));
    struct vcpu_time_info t;

    time_tuple(v->domain, &t);
    t.version = ++v->time.area_version | 1;
    put(area, offsetof(struct vcpu_time_info, version), &t.version, sizeof(t.version));
    put(area, 0, &t, sizeof(t));
    t.version = v->time.area_version = t.version + 1;
    put(area, offsetof(struct vcpu_time_info, version), &t.version, sizeof(t.version));
}

/* @v is current and its kernel's tables are loaded. */
static void write_stale_areas(struct vcpu *v)
{
    struct vcpu_time *t = &v->time;

    t->areas_pending = false;
    if (t->runstate_stale) {
        struct vcpu_runstate_info r;
        t->runstate_stale = false;
        sched_runstate_snapshot(v, &r);
        write_runstate(v, &r);
    }
    if (t->time_area_stale) {
        t->time_area_stale = false;
        write_time_area(v);
    }
}

static void write_or_defer(struct vcpu *v)
{
    if (!v->time.runstate_stale && !v->time.time_area_stale)
        return;
    if (v->cpu.kernel_mode)
        write_stale_areas(v);
    else
        v->time.areas_pending = true;
}

void time_vcpu_switch_in(struct vcpu *v)
{
    if (time_publish_if_stale(v) && READ_ONCE(v->time.time_area.n))
        v->time.time_area_stale = true;
    v->time.runstate_stale = READ_ONCE(v->time.runstate_area.n) != 0;
    vcpu_timers_switch_in(v);
    write_or_defer(v);
}

void time_vcpu_switch_out(struct vcpu *v)
{
    v->time.runstate_stale = READ_ONCE(v->time.runstate_area.n) != 0;
    vcpu_timers_switch_out(v);
    write_or_defer(v);                                  /* others look whether a lock's holder runs */
}

void time_kernel_entered(struct vcpu *v)
{
    write_stale_areas(v);
}

int vcpu_register_runstate(struct vcpu *v, gva_t area)
{
    struct vcpu_runstate_info r;

    if (!guest_range_ok(area, sizeof(r)))
        return -EFAULT;
    WRITE_ONCE(v->time.runstate_area.n, area.n);
    if (area.n) {
        sched_runstate_snapshot(v, &r);
        write_runstate(v, &r);
    }
    return 0;
}

int vcpu_register_time_area(struct vcpu *v, gva_t area)
{
    if (area.n && !guest_range_ok(area, sizeof(struct vcpu_time_info)))
        return -EFAULT;
    WRITE_ONCE(v->time.time_area.n, area.n);
    if (area.n)
        write_time_area(v);
    return 0;
}

int time_vcpu_create(struct vcpu *v)
{
    vcpu_timers_create(v);
    if (v->info)
        time_publish(v);
    return 0;
}

void time_vcpu_destroy(struct vcpu *v)
{
    vcpu_timers_destroy(v);
}
