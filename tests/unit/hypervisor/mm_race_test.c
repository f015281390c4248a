/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mm_race_test.c - several vCPUs of one domain at once, each on a thread (H26, H27), preempted now and then
 *
 * What each call answers depends on luck; what must hold does not: a frame mapped writable is no table while it is, and
 * when all is quiet every count equals what the tables say.
 */
#define FX_FRAMES 512
#define FX_OWN 128
#include <pthread.h>
#include <sched.h>

#include "../unit.h"
#include "mm_fixture.h"

#define ROUNDS 20000
/* Goes on until each side has won once: on a loaded machine one may sleep through the other's rounds. */
#define MORE(i, t) ((i) < ROUNDS || (wins[t] == 0 && (i) < 500 * ROUNDS))
#define THREADS 4

static struct fx x;
static mmu_update_t requests[THREADS][2];
static struct mmuext_op operations[THREADS];
static _Atomic unsigned wins[THREADS], wrong;

static long mmu(struct vcpu *v, unsigned t, mfn_t table, unsigned slot, uint64_t val)
{
    struct hcall h = { .arg = { (uintptr_t)requests[t], 1, 0, DOMID_SELF } };
    long rc;

    requests[t][0] = (mmu_update_t){ (table.n << PAGE_SHIFT) + slot * 8, val };
    do
        rc = do_mmu_update(v, &h);
    while (rc == -ERESTART);
    return rc;
}

static long ext(struct vcpu *v, unsigned t, unsigned cmd, mfn_t m)
{
    struct hcall h = { .arg = { (uintptr_t)&operations[t], 1, 0, DOMID_SELF } };
    long rc;

    operations[t] = (struct mmuext_op){ .cmd = cmd, .arg1.mfn = m.n };
    do
        rc = do_mmuext_op(v, &h);
    while (rc == -ERESTART);
    return rc;
}

/* H26: fa[40] is mapped writable by one and made a table by the other. */
static void *map_and_unmap(void *arg)
{
    (void)arg;
    fake_cpu = 0;
    for (unsigned i = 0; MORE(i, 0); i++) {
        if (mmu(&x.va, 0, x.fa[3], 100, PT(x.fa[40], RW)) == 0) {
            wins[0]++;
            if (fx_type(x.fa[40]) != PGT_WRITABLE || fx_types(x.fa[40]) == 0)
                wrong++;
        }
        (void)mmu(&x.va, 0, x.fa[3], 100, 0);
        if (i % 16 == 0)
            sched_yield();
    }
    return NULL;
}

static void *pin_and_unpin(void *arg)
{
    (void)arg;
    fake_cpu = 1;
    for (unsigned i = 0; MORE(i, 1); i++) {
        if (ext(&x.va1, 1, MMUEXT_PIN_L1_TABLE, x.fa[40]) == 0) {
            wins[1]++;
            if (fx_type(x.fa[40]) != PGT_L1)
                wrong++;
            (void)ext(&x.va1, 1, MMUEXT_UNPIN_TABLE, x.fa[40]);
        } else if (i % 16 == 0) {
            sched_yield();
        }
    }
    return NULL;
}

static struct vcpu extra[2];

/* H27: two L4s that share a subtree; the threads pin, unpin, hook and unhook, preempted at changing points. */
static void *trees(void *arg)
{
    const unsigned t = 2 + (unsigned)(uintptr_t)arg;
    struct vcpu *v = &extra[t - 2];
    const mfn_t own = x.fa[t == 2 ? 50 : 51];

    fake_cpu = t;
    for (unsigned i = 0; MORE(i, t); i++) {
        fake_preempt_at(1 + i % 5, 1 + i % 3);
        if (ext(v, t, MMUEXT_PIN_L4_TABLE, i % 3 ? own : x.fa[50]) == 0)
            wins[t]++;
        (void)mmu(v, t, x.fa[52], 3 + i % 4, i & 1 ? PT(x.fa[54 + i % 3], TBL) : 0);
        (void)mmu(v, t, x.fa[54], i % 7, i & 2 ? PT(x.fa[58 + i % 3], TBL) : 0);
        (void)ext(v, t, MMUEXT_UNPIN_TABLE, i % 3 ? own : x.fa[50]);
    }
    fake_preempt_at(0, 0);
    while (pt_finish_pending(v) == -ERESTART)
        ;
    return NULL;
}

static void test_vcpus_race(void)
{
    static void *(*const run[THREADS])(void *) = { map_and_unmap, pin_and_unpin, trees, trees };
    static void *const args[THREADS] = { NULL, NULL, (void *)0, (void *)1 };
    pthread_t thread[THREADS];

    fx_init(&x);
    fx_build(x.fa, 16);
    CU_ASSERT_EQUAL(fx_pin(&x.va, 4, x.fa[0]), 0);
    fake_vcpu_init(&extra[0], &x.a, 2);
    fake_vcpu_init(&extra[1], &x.a, 3);
    /* 50, 51: L4; 52: the L3 both use; 54..56: L2; 58..60: L1 that map 62.. */
    for (unsigned i = 0; i < 2; i++) {
        fx_set(x.fa[50 + i], 0, PT(x.fa[52], TBL));
        fx_set(x.fa[50 + i], 7, PT(x.fa[52], TBL));
    }
    for (unsigned i = 0; i < 3; i++) {
        fx_set(x.fa[52], i, PT(x.fa[54 + i], TBL));
        for (unsigned k = 0; k < 3; k++)
            fx_set(x.fa[54 + i], k * 9, PT(x.fa[58 + k], TBL));
        fx_set(x.fa[58 + i], 5, PT(x.fa[62 + i], RW));
    }
    fake_guest_reset();
    fake_guest_share(requests, sizeof(requests));
    fake_guest_share(operations, sizeof(operations));
    for (unsigned i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, run[i], args[i]);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    CU_ASSERT_EQUAL(wrong, 0);
    for (unsigned i = 0; i < THREADS; i++)
        CU_ASSERT(wins[i] > 0);
    fx_end(&x);                                 /* audits before and after teardown */
}

int main(void)
{
    static const struct unit_case cases[] = { UNIT(test_vcpus_race), { 0 } };

    return unit_main("mm_race", cases);
}
