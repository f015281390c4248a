/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domain_fake.c - struct domain and struct vcpu for tests of modules below domain.c
 *
 * The look-up functions are weak: a test that links domain/domain.c gets the real ones.
 */
#include <string.h>

#include "machine_fake.h"

#include <xen/sched.h>

#define MAX_FAKE_DOMAINS 16
static struct domain *known[MAX_FAKE_DOMAINS];

#define WEAK __attribute__((weak))
WEAK struct domain *dom0;

void fake_domain_init(struct domain *d, domid_t id)
{
    memset(d, 0, sizeof(*d));
    d->id = id;
    d->privileged = id == 0;
    d->refs = 1;
    spin_lock_init(&d->lock, RANK_DOMAIN);
    spin_lock_init(&d->mm.lock, RANK_PAGE);
    d->mm.max_pages = ~0UL;
    d->mm.relinquish_put = MFN_INVALID;
    d->shared_info_mfn = MFN_INVALID;
    known[id % MAX_FAKE_DOMAINS] = d;
    if (id == 0)
        dom0 = d;
}

void fake_vcpu_init(struct vcpu *v, struct domain *d, unsigned id)
{
    static struct vcpu_info info[MAX_VCPUS];
    static struct vcpu *vcpus[MAX_FAKE_DOMAINS][MAX_VCPUS];

    memset(v, 0, sizeof(*v));
    v->domain = d;
    v->id = id;
    v->info = &info[id];
    v->info_mfn = MFN_INVALID;
    
    v->cpu.kernel_root = v->cpu.user_root = MFN_INVALID;
    v->cpu.kernel_mode = true;
    for (unsigned i = 0; i < GDT_FRAMES; i++)
        v->cpu.gdt_frames[i] = MFN_INVALID;
    list_init(&v->sched.runq);
    d->vcpus = vcpus[d->id % MAX_FAKE_DOMAINS];
    d->vcpus[id] = v;
    if (d->max_vcpus <= id)
        d->max_vcpus = id + 1;
}

WEAK struct domain *domain_by_id_unreferenced(domid_t id)
{
    struct domain *d = known[id % MAX_FAKE_DOMAINS];

    return d && d->id == id ? d : NULL;
}

WEAK struct domain *domain_lookup(domid_t id)
{
    struct domain *d = id < MAX_DOMID ? domain_by_id_unreferenced(id) : NULL;

    if (d)
        d->refs++;
    return d;
}

WEAK struct domain *domain_lookup_self(struct vcpu *self, domid_t id)
{
    return domain_lookup(id == DOMID_SELF ? self->domain->id : id);
}

WEAK struct domain *domain_lookup_from(domid_t id)
{
    for (; id < MAX_FAKE_DOMAINS; id++) {
        struct domain *d = domain_lookup(id);

        if (d)
            return d;
    }
    return NULL;
}

WEAK void domain_get(struct domain *d) { d->refs++; }
WEAK void domain_put(struct domain *d) { d->refs--; }
WEAK void domain_check_dead(struct domain *d) { d->dying = DYING_DEAD; }
WEAK void domain_shutdown(struct domain *d, uint8_t reason)
{
    d->is_shut_down = true;
    d->shutdown_code = reason;
}

WEAK void domain_pause(struct domain *d) { d->pause_count++; }
WEAK void domain_unpause(struct domain *d) { d->pause_count--; }

WEAK void domain_crash(struct domain *d, const char *why, ...)
{
    (void)why;
    domain_shutdown(d, SHUTDOWN_crash);
}
