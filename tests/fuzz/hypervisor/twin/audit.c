/* SPDX-License-Identifier: GPL-2.0-or-later */
/* audit.c - every module recomputes its truth, and the CPUs' own view of the page tables is compared with it */
#include "twin.h"

#include "bug.h"
#include "domain/domain.h"
#include "event/event.h"
#include "grant/grant.h"
#include "irq/irq.h"
#include "machine_fake.h"
#include "mm/dirty_log.h"
#include "mm/page_type.h"
#include "sched/sched.h"
#include "time/timer.h"

/* The table a CPU has loaded is an L4 somebody holds: the hardware walks it whatever we believe. */
static void audit_root(unsigned cpu)
{
    const mfn_t root = fake_root[cpu];

    if (!twin_running(cpu) || !mfn_valid(root))
        return;
    const uint64_t type = atomic_load(&frame_of(root)->type);
    if (type >> 60 == PGT_L4 && (type & PGT_COUNT_MASK) != 0)
        return;
    fprintf(stderr, "CPU %u has root %lx loaded, whose type is %lx\n", cpu, root.n, type);
    BUG();
}

void twin_audit(void)
{
    struct domain *d;

    __atomic_add_fetch(&twin_stats->audits, 1, __ATOMIC_RELAXED);
    page_type_audit(false);
    for (unsigned id = 0; id < MAX_DOMID && (d = domain_lookup_from((domid_t)id)) != NULL;) {
        id = d->id + 1u;
        evtchn_audit(d);
        grant_audit(d);
        dirty_log_audit(d);
        domain_put(d);
    }
    sched_audit();
    timer_audit();
    irq_audit();
    for (unsigned cpu = 0; cpu < TWIN_CPUS; cpu++)
        audit_root(cpu);
}
