/* SPDX-License-Identifier: GPL-2.0-or-later */
/* twin.c - one machine's life: built, run for so many operations by one thread or a thread a CPU, audited, taken apart */
#include "twin.h"

#include <pthread.h>
#include <sched.h>

#include "domain/domain.h"
#include "machine_fake.h"
#include "softirq.h"

struct twin_options twin_options;
static struct twin_stats own_stats;
struct twin_stats *twin_stats = &own_stats;

#define REVIVE_EVERY 512

static void run_one_thread(void)
{
    for (uint64_t i = 0; i < twin_options.steps; i++) {
        twin_cpu_step((unsigned)(i % TWIN_CPUS));
        if (i % twin_options.audit_every == 0)
            twin_audit();
        if (i % REVIVE_EVERY == REVIVE_EVERY - 1) {
            fake_cpu = 0;
            if (!twin_revive())
                break;
        }
    }
}

/* ---- threads ---- */

static _Atomic unsigned arrived, stopped, rounds;
static _Atomic bool finished;

/* All CPUs meet. Until the last has come each serves its softirqs: somebody may wait for it to switch. One audits. */
static void meet(unsigned cpu, bool last)
{
    const unsigned now = atomic_load(&rounds);
    const bool audits = atomic_fetch_add(&arrived, 1) == TWIN_CPUS - 1;

    while (atomic_load(&arrived) < TWIN_CPUS) {
        twin_cpu_softirqs(cpu);
        sched_yield();
    }
    atomic_fetch_add(&stopped, 1);
    if (!audits) {
        while (atomic_load(&rounds) == now)
            sched_yield();
        return;
    }
    while (atomic_load(&stopped) < TWIN_CPUS)
        sched_yield();
    twin_audit();
    atomic_store(&arrived, 0);
    atomic_store(&stopped, 0);
    atomic_fetch_add(&rounds, 1);
    if (!last && !twin_revive())        /* may wait for the others */
        atomic_store(&finished, true);
}

static void *cpu_thread(void *arg)
{
    const unsigned cpu = (unsigned)(uintptr_t)arg;

    fake_cpu = cpu;
    for (uint64_t i = 0; i < twin_options.steps / TWIN_CPUS && !atomic_load(&finished); i++) {
        twin_cpu_step(cpu);
        if (i % REVIVE_EVERY == REVIVE_EVERY - 1)
            meet(cpu, false);
    }
    meet(cpu, true);
    return NULL;
}

static void run_threads(void)
{
    pthread_t thread[TWIN_CPUS];

    atomic_store(&finished, false);
    for (unsigned i = 0; i < TWIN_CPUS; i++)
        pthread_create(&thread[i], NULL, cpu_thread, (void *)(uintptr_t)i);
    for (unsigned i = 0; i < TWIN_CPUS; i++)
        pthread_join(thread[i], NULL);
    fake_cpu = 0;
}

void twin_episode(const struct twin_options *options)
{
    twin_options = *options;
    fake_print = twin_options.verbose;
    twin_build();
    twin_audit();
    if (twin_options.threads)
        run_threads();
    else
        run_one_thread();
    twin_audit();
    twin_tear_down();
}
