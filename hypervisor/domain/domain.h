/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domain.h - what a domain and a vCPU are
 *
 * A struct domain lives as long as somebody holds a reference (domain_get) or a frame names it as owner. It is
 * found by domid through domain_lookup(), which takes a reference: domids are not reused before the last frame is
 * gone. Modules keep their per-domain state in structs of their own, reached by the pointers below; domain.c has
 * one visible table of units {create, relinquish, destroy} that builds them up and takes them apart in order.
 *
 *   I1  vcpus[i] is published once, fully initialised (release), and never changes until final destruction.
 *   I2  dying only grows; once DYING_RELINQUISH nothing new is allocated for the domain (XSA-410).
 */
#ifndef PARAVANE_DOMAIN_H
#define PARAVANE_DOMAIN_H

#include <xen/xen.h>
#include <xen/vcpu.h>

#include "bitmap.h"
#include "emul/io_port.h"
#include "entry/guest_cpu.h"
#include "limits.h"
#include "list.h"
#include "lock.h"
#include "mm/domain_mm.h"
#include "sched/vcpu_sched.h"
#include "time/vcpu_time.h"
#include "types.h"

struct evtchn_table;    /* event/ */
struct grant_table;     /* grant/ */
struct pirq_table;      /* irq/ */
struct io_caps;         /* domain/io_caps.h */
struct cpu_policy;      /* cpu/cpuid_policy.h */

enum dying { DYING_NO, DYING_RELINQUISH, DYING_DEAD };

/* Why a vCPU does not run: bits of vcpu.pause_flags (atomic). Runnable == 0 and both pause counts 0. */
#define VPF_BLOCKED (1u << 0)   /* SCHEDOP_block or poll: cleared by vcpu_wake */
#define VPF_DOWN    (1u << 1)   /* not brought up, or VCPUOP_down */
#define VPF_SHUT    (1u << 2)   /* its domain is shut down */

struct vcpu {
    /* fixed at creation */
    struct domain *domain;
    unsigned id;

    /* entry/: registers and everything that defines the guest's virtual CPU */
    struct guest_cpu cpu;

    /* atomic */
    _Atomic uint32_t pause_flags;   /* VPF_* */
    _Atomic int32_t pause_count;    /* vcpu_pause() nests */
    bool initialised;               /* under d->lock: has a context */
    _Atomic bool initialising;      /* some vCPU is giving it one (VCPUOP_initialise) */

    /*
     * Where the guest's vcpu_info is, in our mapping of it; never NULL once the vCPU exists: the legacy slot of
     * shared_info for ids below 32, otherwise (until registered) a private dummy page. Shared with the guest:
     * read once, write atomically.
     */
    struct vcpu_info *info;
    mfn_t info_mfn;                 /* frame held by VCPUOP_register_vcpu_info, or MFN_INVALID */

    struct vcpu_time time;          /* time/ */
    struct vcpu_sched sched;        /* sched/ */

    struct vcpu_info dummy_info;    /* for ids without a legacy slot, and for all once the domain is dying */

    /* event/: poll state */
    _Atomic int32_t poll_port;      /* 0 not polling, -1 any of several, else the port */

    /* mm/: a table whose last reference could not be dropped without preemption; see mm/page_type.h */
    struct pending_put pending_put;
};

struct domain {
    /* fixed at creation */
    domid_t id;
    bool privileged;                /* Dom0: control and hardware domain */
    unsigned max_vcpus;
    struct vcpu **vcpus;            /* max_vcpus entries, I1 */
    xen_domain_handle_t handle;     /* under lock; domctl setdomainhandle */
    _Atomic uint32_t refs;
    struct domain *deferred_next;   /* queue of domain/deferred.c */
    _Atomic bool deferred;          /* is on that queue */
    _Atomic bool crash_requested;
    bool shared_released, existence_dropped;    /* deferred.c only */
    unsigned kill_stage;            /* under DOMCTL */
    struct list all_link;           /* under DOMLIST */

    spinlock_t lock;                /* RANK_DOMAIN */
    /* under lock */
    enum dying dying;
    bool creation_finished;         /* unpaused once: policy is frozen */
    bool is_shut_down;              /* all vCPUs stopped after SCHEDOP_shutdown */
    bool is_shutting_down;
    uint8_t shutdown_code;          /* SHUTDOWN_*, 255 none */
    int32_t controller_pause_count; /* domctl pausedomain/unpausedomain */

    _Atomic int32_t pause_count;    /* domain_pause() nests; 1 at creation */

    /* the page shared with the guest; fixed at creation */
    struct shared_info *shared_info;
    mfn_t shared_info_mfn;

    _Atomic uint64_t vm_assist;     /* VMASST bits; only the domain itself changes it */

    struct domain_mm mm;            /* mm/: page list, counters, limits */
    struct evtchn_table *events;
    struct grant_table *grants;
    struct pirq_table *pirqs;
    struct io_caps *io;
    struct io_latches latches;      /* emul/io_port.c */
    struct cpu_policy *policy;
    struct domain_time time;
    struct domain_sched sched;
    struct domain_e820 *e820;       /* under lock: XENMEM_set_memory_map */
    struct domain_watchdog *watchdogs;  /* two timers; domain/watchdog.c */
    struct guest_log *log;          /* console/: line buffer of console_io output */
    uint32_t ssidref;
};

static inline bool domain_is_dying(const struct domain *d) { return READ_ONCE(d->dying) != DYING_NO; }

/* Reference by id, or NULL. DOMID_SELF is not resolved here: domain_lookup_self(). */
MUST_CHECK struct domain *domain_lookup(domid_t id);
/* As the ABI takes a domid in most calls: DOMID_SELF means @self's domain. */
MUST_CHECK struct domain *domain_lookup_self(struct vcpu *self, domid_t id);
/* First domain with an id >= @id, with a reference, or NULL. For getdomaininfo and its list. */
MUST_CHECK struct domain *domain_lookup_from(domid_t id);
void domain_get(struct domain *d);      /* the caller already holds one */
void domain_put(struct domain *d);
/* No reference: valid while a frame of that owner or another reference is held. */
struct domain *domain_by_id_unreferenced(domid_t id);

extern struct domain *dom0;             /* hardware domain; set once at boot */

/* vCPU @id of @d or NULL (out of range, not there yet). */
static inline struct vcpu *domain_vcpu(const struct domain *d, uint64_t id)
{
    return id < d->max_vcpus ? __atomic_load_n(&d->vcpus[id], __ATOMIC_ACQUIRE) : NULL;
}
#define domain_for_each_vcpu(d, v)                                        \
    for (unsigned v##_i = 0; v##_i < (d)->max_vcpus; v##_i++)             \
        for (struct vcpu *v = domain_vcpu(d, v##_i); v; v = NULL)

struct domain_create_args {
    domid_t id;                     /* DOMID_INVALID: choose */
    bool privileged;
    unsigned max_vcpus;
    unsigned max_evtchn_port;       /* last usable port, ABI: createdomain */
    unsigned max_grant_frames, max_maptrack_frames;
    xen_domain_handle_t handle;
    uint32_t ssidref;
};
/* 0 and *@out with the caller's reference, domain paused once by the controller; or -errno with nothing made. */
MUST_CHECK int domain_create(const struct domain_create_args *args, struct domain **out);
/* Allocate vCPU @id (down, no context). Under DOMCTL or at boot. -EEXIST, -ENOMEM, -EINVAL. */
MUST_CHECK int domain_create_vcpu(struct domain *d, unsigned id);

/* Pause nests; the sync form returns when no vCPU of @d runs any more (never call it for current's own domain). */
void domain_pause(struct domain *d);
void domain_pause_nosync(struct domain *d);
void domain_unpause(struct domain *d);
void vcpu_pause(struct vcpu *v);
void vcpu_pause_nosync(struct vcpu *v);
void vcpu_unpause(struct vcpu *v);
/* ABI: domctl pause/unpause: counted on their own, -EINVAL when not paused. */
MUST_CHECK int domain_controller_unpause(struct domain *d);
void domain_controller_pause(struct domain *d);

/* SCHEDOP_shutdown by any vCPU of @d; for Dom0 this acts on the machine. */
void domain_shutdown(struct domain *d, uint8_t reason);
/* A vCPU of a domain that shuts down has left its CPU: when it was the last, the shutdown is complete. */
void domain_shutdown_check(struct domain *d);
/* domctl resumedomain. */
MUST_CHECK int domain_resume(struct domain *d);
/* The guest did what it must not: log, SHUTDOWN_crash. Never returns to guest code of @d afterwards. */
void domain_crash(struct domain *d, const char *why, ...) PRINTF_LIKE(2, 3);
/* domctl destroydomain; -ERESTART while there is more to do. Idempotent. */
MUST_CHECK int domain_kill(struct domain *d);

/* Called by mm/ when the last frame of a dying domain is gone, and by domain_put. */
void domain_check_dead(struct domain *d);

/* ABI: VCPUOP_initialise and domctl setvcpucontext: judge @ctx completely, then install it. */
struct vcpu_guest_context;
MUST_CHECK int vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *ctx);
void vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *ctx);
/* VCPUOP_initialise: as vcpu_set_context, but -EEXIST once there is a context; -ERESTART also while another is at it. */
MUST_CHECK int vcpu_initialise(struct vcpu *v, const struct vcpu_guest_context *ctx);
/* SCHEDOP_watchdog: @arg is the guest's struct sched_watchdog. The timer's id, 0, or -errno. */
long domain_watchdog_op(struct domain *d, gva_t arg);
/* ABI: setvcpucontext with a NULL handle. -ERESTART possible. */
MUST_CHECK int vcpu_reset(struct vcpu *v);
/* A fresh vCPU: reset values of its registers. */
void vcpu_init_cpu_state(struct vcpu *v);
/* Back to the dummy vcpu_info; the registered page's references are dropped. @v does not run. */
void vcpu_drop_info(struct vcpu *v);
/* ABI: VCPUOP_register_vcpu_info by @self for @v of its domain. */
MUST_CHECK int vcpu_register_info(struct vcpu *self, struct vcpu *v, gfn_t gfn, unsigned offset);

#endif
