/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domain.c - domains come into being, are found, and cease to be
 *
 *   I1  table[id] names a domain from its creation until its last reference is gone; that includes zombies, whose
 *       frames others still map. An id is therefore never reused while anything of its domain is left.
 *   I2  the existence reference is dropped once, by deferred.c, when the domain is dead and owns no frame.
 *
 * What a domain consists of is the table of units below: created from top to bottom, undone from bottom to top.
 */
#include "domain/domain.h"

#include <string.h>
#include <xen/sched.h>

#include "console/console.h"
#include "cpu/cpuid_policy.h"
#include "domain/deferred.h"
#include "domain/io_caps.h"
#include "domain/watchdog.h"
#include "event/event.h"
#include "grant/grant.h"
#include "heap.h"
#include "hv_errno.h"
#include "irq/irq.h"
#include "machine.h"
#include "mm/descriptor.h"
#include "mm/frame_alloc.h"
#include "mm/page_ref.h"
#include "mm/page_type.h"
#include "mm/pt_update.h"
#include "print.h"
#include "sched/sched.h"
#include "time/time.h"

_Static_assert(sizeof(struct shared_info) <= PAGE_SIZE, "shared_info is one page");

struct domain *dom0;

static spinlock_t list_lock = SPINLOCK_INIT(DOMLIST);
/* written under list_lock */
static struct domain *table[MAX_DOMID];
static uint64_t used[BITMAP_WORDS(MAX_DOMID)];
static domid_t last_id;

/* ---- look-up ---- */

static bool get_unless_gone(struct domain *d)
{
    uint32_t refs = atomic_load(&d->refs);
    while (refs) {
        if (atomic_compare_exchange_weak(&d->refs, &refs, refs + 1))
            return true;
    }
    return false;
}

struct domain *domain_lookup(domid_t id)
{
    struct domain *d = NULL;
    if (id >= MAX_DOMID)
        return NULL;
    spin_lock(&list_lock);
    if (table[id] && get_unless_gone(table[id]))
        d = table[id];
    spin_unlock(&list_lock);
    return d;
}

struct domain *domain_lookup_self(struct vcpu *self, domid_t id)
{
    if (id != DOMID_SELF)
        return domain_lookup(id);
    domain_get(self->domain);
    return self->domain;
}

struct domain *domain_lookup_from(domid_t id)
{
    struct domain *d = NULL;
    spin_lock(&list_lock);
    for (unsigned i = id; (i = bitmap_next_set(used, MAX_DOMID, i)) < MAX_DOMID; i++) {
        if (get_unless_gone(table[i])) {
            d = table[i];
            break;
        }
    }
    spin_unlock(&list_lock);
    return d;
}

struct domain *domain_by_id_unreferenced(domid_t id)
{
    return id < MAX_DOMID ? __atomic_load_n(&table[id], __ATOMIC_ACQUIRE) : NULL;
}

void domain_get(struct domain *d)
{
    const uint32_t old = atomic_fetch_add(&d->refs, 1);
    BUG_ON(old == 0 || old == UINT32_MAX);
}

void domain_put(struct domain *d)
{
    const uint32_t old = atomic_fetch_sub(&d->refs, 1);
    BUG_ON(old == 0);
    if (old == 1)
        domain_defer(d);        /* locks may be held here: the rest happens in a softirq */
}

/* ---- units ---- */

struct unit {
    const char *name;
    int (*create)(struct domain *d, const struct domain_create_args *a);
    void (*destroy)(struct domain *d);
};

static int create_mm(struct domain *d, const struct domain_create_args *a)
{
    (void)a;
    return domain_mm_create(d);
}

static int create_shared_info(struct domain *d, const struct domain_create_args *a)
{
    (void)a;
    d->shared_info = heap_alloc_pages(0);
    if (!d->shared_info)
        return -ENOMEM;
    d->shared_info_mfn = ptr_frame(d->shared_info);
    frame_share_with_guest(d->shared_info_mfn, d);
    return 0;
}

static void destroy_shared_info(struct domain *d)
{
    if (mfn_eq(d->shared_info_mfn, MFN_INVALID))
        return;
    wallclock_forget(d);
    frame_unshare(d->shared_info_mfn, d);
    d->shared_info_mfn = MFN_INVALID;
}

static int create_vcpu_table(struct domain *d, const struct domain_create_args *a)
{
    d->vcpus = heap_alloc_array(a->max_vcpus, sizeof(struct vcpu *));
    return d->vcpus ? 0 : -ENOMEM;
}

static void destroy_vcpu(struct vcpu *v)
{
    sched_vcpu_destroy(v);
    time_vcpu_destroy(v);
    machine_vcpu_destroy(v);
    heap_free(v);
}

static void destroy_vcpus(struct domain *d)
{
    domain_for_each_vcpu(d, v) {
        destroy_vcpu(v);
    }
    heap_free(d->vcpus);
    d->vcpus = NULL;
}

static int create_sched(struct domain *d, const struct domain_create_args *a)
{
    (void)a;
    sched_domain_create(d);
    return 0;
}

static int create_time(struct domain *d, const struct domain_create_args *a)
{
    (void)a;
    time_domain_create(d);
    return 0;
}

static int create_events(struct domain *d, const struct domain_create_args *a)
{
    return evtchn_domain_create(d, a->max_evtchn_port);
}

static int create_grants(struct domain *d, const struct domain_create_args *a)
{
    return grant_domain_create(d, a->max_grant_frames, a->max_maptrack_frames);
}

static int create_pirqs(struct domain *d, const struct domain_create_args *a)
{
    (void)a;
    return pirq_domain_create(d);
}

static int create_io_caps(struct domain *d, const struct domain_create_args *a)
{
    (void)a;
    return io_caps_create(d);
}

static int create_policy(struct domain *d, const struct domain_create_args *a)
{
    (void)a;
    return cpuid_policy_create(d);
}

static int create_watchdogs(struct domain *d, const struct domain_create_args *a)
{
    (void)a;
    return watchdog_domain_create(d);
}

static const struct unit units[] = {
    { "memory", create_mm, domain_mm_destroy },
    { "shared_info", create_shared_info, destroy_shared_info },
    { "vcpu table", create_vcpu_table, NULL },
    { "scheduler", create_sched, sched_domain_destroy },
    { "time", create_time, NULL },
    { "events", create_events, evtchn_domain_destroy },
    { "grants", create_grants, grant_domain_destroy },
    { "interrupts", create_pirqs, pirq_domain_destroy },
    { "I/O permissions", create_io_caps, io_caps_destroy },
    { "CPUID policy", create_policy, cpuid_policy_destroy },
    { "watchdogs", create_watchdogs, watchdog_domain_destroy },
};
#define UNIT_SHARED_INFO 1

/* ---- creation ---- */

static struct domain *new_domain(const struct domain_create_args *args)
{
    struct domain *d = heap_alloc(sizeof(*d));
    if (!d)
        return NULL;
    d->privileged = args->privileged;
    d->max_vcpus = args->max_vcpus;
    d->ssidref = args->ssidref;
    memcpy(d->handle, args->handle, sizeof(d->handle));
    d->shutdown_code = 255;
    d->controller_pause_count = 1;
    d->shared_info_mfn = MFN_INVALID;
    atomic_init(&d->pause_count, 1);
    atomic_init(&d->refs, 0);       /* not to be found by domain_lookup() before it is complete */
    spin_lock_init(&d->lock, RANK_DOMAIN);
    return d;
}

/* Reserve an id: the one asked for, or the next free one after the last given (never 0). */
static int take_id(struct domain *d, domid_t want)
{
    int rc = 0;
    spin_lock(&list_lock);
    unsigned id = want;
    if (want >= MAX_DOMID) {
        id = bitmap_next_clear(used, MAX_DOMID, last_id + 1u);
        if (id >= MAX_DOMID)
            id = bitmap_next_clear(used, MAX_DOMID, 1);
    }
    if (id >= MAX_DOMID)
        rc = -ENOMEM;
    else if (bitmap_test(used, id))
        rc = -EEXIST;
    if (!rc) {
        d->id = (domid_t)id;
        last_id = want >= MAX_DOMID ? (domid_t)id : last_id;
        bitmap_set(used, id);
        __atomic_store_n(&table[id], d, __ATOMIC_RELEASE);
    }
    spin_unlock(&list_lock);
    return rc;
}

static void drop_id(struct domain *d)
{
    spin_lock(&list_lock);
    __atomic_store_n(&table[d->id], NULL, __ATOMIC_RELEASE);
    bitmap_clear(used, d->id);
    spin_unlock(&list_lock);
}

int domain_create(const struct domain_create_args *args, struct domain **out)
{
    if (args->max_vcpus == 0 || args->max_vcpus > MAX_VCPUS)
        return -EINVAL;
    struct domain *d = new_domain(args);
    if (!d)
        return -ENOMEM;
    int rc = take_id(d, args->id);
    if (rc) {
        heap_free(d);
        return rc;
    }
    unsigned n = 0;
    for (; n < ARRAY_SIZE(units); n++) {
        rc = units[n].create(d, args);
        if (rc)
            break;
    }
    if (!rc) {
        atomic_store(&d->refs, 2);      /* its existence, and the caller's: it can be looked up from here on */
        *out = d;
        return 0;
    }
    pr_warn("domain: no %s for a new domain (error %d)\n", units[n].name, -rc);
    d->dying = DYING_DEAD;
    d->existence_dropped = true;
    while (n-- > 0) {
        if (units[n].destroy)
            units[n].destroy(d);
    }
    heap_free(d->vcpus);
    drop_id(d);
    heap_free(d);
    return rc;
}

int domain_create_vcpu(struct domain *d, unsigned id)
{
    if (id >= d->max_vcpus)
        return -EINVAL;
    if (domain_vcpu(d, id))
        return -EEXIST;
    if (domain_is_dying(d))             /* shared_info may be gone; I2 of domain.h */
        return -EINVAL;
    struct vcpu *v = heap_alloc(sizeof(*v));
    if (!v)
        return -ENOMEM;
    v->domain = d;
    v->id = id;
    v->info = id < XEN_LEGACY_MAX_VCPUS ? (struct vcpu_info *)&d->shared_info->vcpu_info[id] : &v->dummy_info;
    WRITE_ONCE(v->info->evtchn_upcall_mask, 1);
    v->info_mfn = MFN_INVALID;
    atomic_init(&v->pause_flags, VPF_DOWN);
    vcpu_init_cpu_state(v);

    int rc = machine_vcpu_create(v);
    if (rc)
        goto free_vcpu;
    rc = sched_vcpu_create(v);
    if (rc)
        goto free_machine;
    rc = time_vcpu_create(v);
    if (rc)
        goto free_sched;
    __atomic_store_n(&d->vcpus[id], v, __ATOMIC_RELEASE);       /* I1 of domain.h */
    return 0;

free_sched:
    sched_vcpu_destroy(v);
free_machine:
    machine_vcpu_destroy(v);
free_vcpu:
    heap_free(v);
    return rc;
}

/* ---- death: domain/lifecycle.c kills, deferred.c calls these ---- */

/*
 * The frames of the grant table went when its handles did (grant_domain_relinquish). The table itself stays until
 * nobody can look the domain up: another domain may be in the middle of asking it for a grant.
 */
void domain_release_shared(struct domain *d)
{
    units[UNIT_SHARED_INFO].destroy(d);
}

void domain_free(struct domain *d)
{
    destroy_vcpus(d);
    for (unsigned n = ARRAY_SIZE(units); n-- > 0;) {
        if (units[n].destroy && n != UNIT_SHARED_INFO)
            units[n].destroy(d);
    }
    console_domain_destroy(d);
    heap_free(d->e820);
    drop_id(d);
    heap_free(d);
}
