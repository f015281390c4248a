/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wide_tree_test.c - H30: page-table trees as wide as they get, pinned and released
 *
 * How long a guest can keep the hypervisor busy is counted, not timed: what is done between two questions whether to make
 * way. And whichever question is answered with yes, the outcome is the same.
 */
#include "../unit.h"

#define FX_FRAMES 2048
#define FX_OWN 600
#include "mm_fixture.h"

#define L1(i) (x.fa[3 + (i)])
#define DATA (x.fa[FX_OWN - 1])
#define WIDE 512U

static struct fx x;

/* One L2 with 512 different L1s, of which each maps the same frame @entries times. */
static void build(unsigned entries)
{
    fx_init(&x);
    fx_set(x.fa[0], 0, PT(x.fa[1], TBL));
    fx_set(x.fa[1], 0, PT(x.fa[2], TBL));
    for (unsigned i = 0; i < WIDE; i++) {
        fx_set(x.fa[2], i, PT(L1(i), TBL));
        for (unsigned k = 0; k < entries; k++)
            fx_set(L1(i), k, PT(DATA, RO));
    }
}

static struct mmuext_op op;

static struct hcall request(unsigned cmd)
{
    op = (struct mmuext_op){ .cmd = cmd };
    op.arg1.mfn = x.fa[0].n;
    fake_guest_reset();
    fake_guest_share(&op, sizeof(op));
    return (struct hcall){ .arg = { (uintptr_t)&op, 1, 0, DOMID_SELF } };
}

/* Make way at every question: the most references to DATA that were taken or dropped between two. */
static uint64_t longest(unsigned cmd, unsigned *pieces)
{
    struct hcall h = request(cmd);
    uint64_t most = 0, before = fx_refs(DATA);
    long rc;

    *pieces = 0;
    fake_preempt_at(1, 1);
    do {
        rc = do_mmuext_op(&x.va, &h);
        const uint64_t now = fx_refs(DATA), step = now > before ? now - before : before - now;

        most = step > most ? step : most;
        before = now;
        ++*pieces;
    } while (rc == -ERESTART);
    fake_preempt_at(0, 0);
    CU_ASSERT_EQUAL(rc, 0);
    return most;
}

static void test_longest_stretch(void)
{
    unsigned pieces;

    build(512);
    CU_ASSERT(longest(MMUEXT_PIN_L4_TABLE, &pieces) <= 512);            /* one table of level 1 */
    CU_ASSERT(pieces >= WIDE);
    CU_ASSERT_EQUAL(fx_refs(DATA), 1 + 512 * WIDE);
    page_type_audit(true);
    CU_ASSERT(longest(MMUEXT_UNPIN_TABLE, &pieces) <= 512);
    CU_ASSERT(pieces >= WIDE);
    CU_ASSERT_EQUAL(fx_refs(DATA), 1);
    fx_end(&x);
}

/* The same table in all slots: each costs a counter, and yet there is a question now and then. */
static void test_narrow_and_repeated(void)
{
    build(1);
    for (unsigned i = 0; i < 512; i++)
        fx_set(x.fa[2], i, PT(L1(0), TBL));
    for (unsigned cmd = MMUEXT_PIN_L4_TABLE; ; cmd = MMUEXT_UNPIN_TABLE) {
        struct hcall h = request(cmd);

        fake_preempt_at(0, 0);
        CU_ASSERT_EQUAL(do_mmuext_op(&x.va, &h), 0);
        CU_ASSERT(fake_preempt_asked >= 512 / 64 - 1);
        if (cmd == MMUEXT_UNPIN_TABLE)
            break;
    }
    fx_end(&x);
}

/* @cmd made way for at its @k-th question and finished then: was there such a question? */
static bool preempted_at(unsigned cmd, unsigned k)
{
    struct hcall h = request(cmd);

    fake_preempt_at(k, 0);
    long rc = do_mmuext_op(&x.va, &h);
    const bool asked = rc == -ERESTART;
    fake_preempt_at(0, 0);
    if (asked)
        rc = do_mmuext_op(&x.va, &h);
    CU_ASSERT_EQUAL(rc, 0);
    return asked;
}

static void all_is_as_before(unsigned k)
{
    for (unsigned i = 0; i < FX_OWN; i++)
        if (fx_refs(x.fa[i]) != 1 || fx_types(x.fa[i]))
            CU_FAIL("a reference is left");
    if (k % 128 == 0)
        page_type_audit(true);
}

static void test_each_question(void)
{
    unsigned pinned = 0, released = 0;
    bool pinning = true, releasing = true;

    build(2);
    for (unsigned k = 1; pinning || releasing; k++) {
        pinning = preempted_at(MMUEXT_PIN_L4_TABLE, k);
        pinned += pinning;
        CU_ASSERT_EQUAL(fx_refs(DATA), 1 + 2 * WIDE);
        CU_ASSERT_EQUAL(fx_type(x.fa[0]), PGT_L4);
        releasing = preempted_at(MMUEXT_UNPIN_TABLE, k);
        released += releasing;
        all_is_as_before(k);
    }
    fx_end(&x);
    CU_ASSERT(pinned >= WIDE - 1);
    CU_ASSERT(released >= WIDE - 1);
}

/* The last table is bad: whatever was validated is undone, from wherever it was interrupted. */
static void test_each_question_of_a_failure(void)
{
    unsigned made_way = 0;
    bool asked = true;

    build(2);
    fx_set(L1(WIDE - 1), 3, PT(x.fb[0], RO));
    for (unsigned k = 1; asked; k++) {
        struct hcall h = request(MMUEXT_PIN_L4_TABLE);

        fake_preempt_at(k, 0);
        long rc = do_mmuext_op(&x.va, &h);
        asked = rc == -ERESTART;
        made_way += asked;
        fake_preempt_at(0, 0);
        if (asked)
            rc = do_mmuext_op(&x.va, &h);
        CU_ASSERT_EQUAL(rc, -EINVAL);
        all_is_as_before(k);
    }
    fx_end(&x);
    CU_ASSERT(made_way >= 2 * WIDE - 4);                /* on the way there, and on the way back */
}

int main(void)
{
    static const struct unit_case cases[] = { UNIT(test_longest_stretch), UNIT(test_narrow_and_repeated),
                                              UNIT(test_each_question), UNIT(test_each_question_of_a_failure), { 0 } };

    return unit_main("wide_tree", cases);
}
