/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vcpu_race_test.c - two vCPUs of a domain, each on a thread, do the same thing to a third that is down
 *
 * One of them wins. What the loser took it gives back: after a reset of the third nothing but the allocation refers to
 * any of the frames (H95, H39 from two sides at once).
 */
#include <pthread.h>
#include <string.h>

#include "../unit.h"
#include "domain/domain.h"
#include "hv_errno.h"
#include "machine_fake.h"
#include "mm/frame_alloc.h"
#include "mm/page_type.h"

#define ROUNDS 3000
#define THREADS 2

static struct domain *d;
static struct vcpu *target;
static mfn_t root[THREADS], info[THREADS];
static struct vcpu_guest_context context[THREADS];
static pthread_barrier_t together;
static int rc_init[THREADS], rc_info[THREADS];
static unsigned wrong;

static void reset_target(void)
{
    int rc;

    do
        rc = vcpu_reset(target);
    while (rc == -ERESTART);
    if (rc)
        wrong++;
}

/* Exactly one succeeded, the other was told so, and nothing is held afterwards. */
static void judge(void)
{
    const bool one = (rc_init[0] == 0) != (rc_init[1] == 0) && rc_init[0] + rc_init[1] == -EEXIST;
    const bool one_info = (rc_info[0] == 0) != (rc_info[1] == 0) && rc_info[0] + rc_info[1] == -EINVAL;

    wrong += !one || !one_info;
    reset_target();
    for (unsigned t = 0; t < THREADS; t++) {
        wrong += (atomic_load(&frame_of(root[t])->ref) & FRAME_COUNT_MASK) != 1;
        wrong += (atomic_load(&frame_of(info[t])->ref) & FRAME_COUNT_MASK) != 1;
    }
    page_type_audit(true);
}

static void *run(void *arg)
{
    const unsigned t = (unsigned)(uintptr_t)arg;

    fake_cpu = t;
    for (unsigned i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&together);
        do
            rc_init[t] = vcpu_initialise(target, &context[t]);
        while (rc_init[t] == -ERESTART);
        rc_info[t] = vcpu_register_info(domain_vcpu(d, t), target, gfn(info[t].n), 64 * t);
        pthread_barrier_wait(&together);
        if (t == 0)
            judge();
    }
    return NULL;
}

static void test_one_wins(void)
{
    const struct domain_create_args args = { .id = 5, .max_vcpus = 3, .max_evtchn_port = 255, .max_grant_frames = 2,
                                             .max_maptrack_frames = 2 };
    pthread_t thread[THREADS];

    fake_machine_init(512);
    CU_ASSERT_EQUAL_FATAL(domain_create(&args, &d), 0);
    d->mm.max_pages = 16;
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_EQUAL_FATAL(domain_create_vcpu(d, i), 0);
    target = domain_vcpu(d, 2);
    for (unsigned t = 0; t < THREADS; t++) {
        CU_ASSERT_EQUAL_FATAL(frame_alloc_domain(d, 0, 0, &root[t]), 0);
        CU_ASSERT_EQUAL_FATAL(frame_alloc_domain(d, 0, 0, &info[t]), 0);
        context[t].flags = VGCF_in_kernel;
        context[t].ctrlreg[3] = root[t].n << PAGE_SHIFT;
    }
    pthread_barrier_init(&together, NULL, THREADS);
    for (unsigned t = 0; t < THREADS; t++)
        pthread_create(&thread[t], NULL, run, (void *)(uintptr_t)t);
    for (unsigned t = 0; t < THREADS; t++)
        pthread_join(thread[t], NULL);
    fake_cpu = 0;
    CU_ASSERT_EQUAL(wrong, 0);
}

int main(void)
{
    static const struct unit_case cases[] = { UNIT(test_one_wins), { 0 } };

    return unit_main("vcpu_race", cases);
}
