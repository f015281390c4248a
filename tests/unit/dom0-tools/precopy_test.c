/* SPDX-License-Identifier: GPL-2.0-or-later */
/* precopy_test.c - when a live copy stops, and how fast it may go */
#include "../../../dom0-tools/stream/precopy.h"
#include "../../../dom0-tools/stream/token_bucket.h"
#include "../unit.h"

/* A guest of @pages that writes @rate pages a second, over a link of @link bytes a second. */
struct model {
    uint64_t pages, rate, link, elapsed_ms, todo;
    unsigned rounds;
};

static enum precopy_verdict run(struct model *m, const struct precopy_limits *l, struct precopy *p)
{
    enum precopy_verdict verdict;

    precopy_begin(p, l);
    m->todo = m->pages;
    m->elapsed_ms = m->rounds = 0;
    do {
        uint64_t rate = m->rate * (100 - p->throttle) / 100;
        struct precopy_round r = { .bytes = m->todo * 4104, .pages = m->todo };

        r.ms = r.bytes * 1000 / m->link + 1;
        r.dirty = rate * r.ms / 1000 < m->pages ? rate * r.ms / 1000 : m->pages;
        r.elapsed_ms = m->elapsed_ms += r.ms;
        m->todo = r.dirty;
        verdict = precopy_judge(p, &r);
        CU_ASSERT_FATAL(++m->rounds < 1000);                        /* it always ends */
    } while (verdict == PRECOPY_ROUND || verdict == PRECOPY_THROTTLE);
    return verdict;
}

#define MIB (1024 * 1024ull)

static void test_idle_guest(void)
{
    struct model m = { .pages = 262144, .rate = 0, .link = 100 * MIB };
    struct precopy p;

    CU_ASSERT_EQUAL(run(&m, &(struct precopy_limits){0}, &p), PRECOPY_STOP);
    CU_ASSERT_EQUAL(m.rounds, 1);
}

/* Half the link's rate: each round halves what is left, until it fits into the downtime. */
static void test_converges(void)
{
    struct model m = { .pages = 262144, .rate = 12800, .link = 100 * MIB };
    struct precopy p;

    CU_ASSERT_EQUAL(run(&m, &(struct precopy_limits){ .max_downtime_ms = 50, .strict = true }, &p), PRECOPY_STOP);
    CU_ASSERT(m.todo * 4104 * 1000 / m.link <= 50);
    CU_ASSERT(m.rounds > 3 && m.rounds < 15);
}

/* What is left fits at once: rounds that shrink it go on, until they do not or it is next to nothing. */
static void test_shrinks_what_fits(void)
{
    struct model m = { .pages = 25600, .rate = 12800, .link = 100 * MIB };
    struct precopy p;

    CU_ASSERT_EQUAL(run(&m, &(struct precopy_limits){ .max_downtime_ms = 5000 }, &p), PRECOPY_STOP);
    CU_ASSERT(p.downtime_ms < 50);
    CU_ASSERT(m.rounds > 3 && m.rounds < 12);
    m.rate = 25000;                                                 /* they shrink hardly */
    CU_ASSERT_EQUAL(run(&m, &(struct precopy_limits){ .max_downtime_ms = 5000 }, &p), PRECOPY_STOP);
    CU_ASSERT_EQUAL(m.rounds, 2);
    m.rate = 12800;
    CU_ASSERT_EQUAL(run(&m, &(struct precopy_limits){ .max_downtime_ms = 5000, .max_rounds = 2 }, &p), PRECOPY_STOP);
    CU_ASSERT_EQUAL(m.rounds, 2);
    CU_ASSERT_EQUAL(run(&m, &(struct precopy_limits){ .max_downtime_ms = 5000, .timeout_ms = 1 }, &p), PRECOPY_STOP);
    CU_ASSERT_EQUAL(m.rounds, 1);
}

static void test_never_converges(void)
{
    const struct model fast = { .pages = 262144, .rate = 100000, .link = 100 * MIB };
    struct model m = fast;
    struct precopy p;

    CU_ASSERT_EQUAL(run(&m, &(struct precopy_limits){0}, &p), PRECOPY_STOP);
    CU_ASSERT(m.rounds <= 6);                                       /* without repeating work for long */
    m = fast;
    CU_ASSERT_EQUAL(run(&m, &(struct precopy_limits){ .strict = true }, &p), PRECOPY_HOPELESS);
    m = fast;
    CU_ASSERT_EQUAL(run(&m, &(struct precopy_limits){ .timeout_ms = 15000, .strict = true }, &p),
                    PRECOPY_TIMEOUT);
    CU_ASSERT(m.elapsed_ms >= 15000);
    m = fast;
    m.rate = 24000;                                                 /* hardly slower than the link */
    CU_ASSERT_EQUAL(run(&m, &(struct precopy_limits){ .max_rounds = 2, .max_downtime_ms = 1 }, &p),
                    PRECOPY_STOP);
    CU_ASSERT_EQUAL(m.rounds, 2);
}

/* As a last resort it is slowed down, in steps, until the promise holds. */
static void test_throttle(void)
{
    struct model m = { .pages = 262144, .rate = 60000, .link = 100 * MIB };
    struct precopy p;

    CU_ASSERT_EQUAL(run(&m, &(struct precopy_limits){ .throttle = true, .strict = true }, &p), PRECOPY_STOP);
    CU_ASSERT(p.throttle >= 20 && p.throttle <= 95);
    CU_ASSERT(m.todo * 4104 * 1000 / m.link <= PRECOPY_DOWNTIME_MS);
    m.rate = 600000000;                                             /* not even that helps */
    CU_ASSERT_EQUAL(run(&m, &(struct precopy_limits){ .throttle = true, .strict = true }, &p), PRECOPY_HOPELESS);
    CU_ASSERT_EQUAL(p.throttle, 95);
}

/* Figures that cannot be are survived. */
static void test_odd_figures(void)
{
    struct precopy p;

    precopy_begin(&p, &(struct precopy_limits){0});
    CU_ASSERT_EQUAL(precopy_judge(&p, &(struct precopy_round){ .dirty = 0 }), PRECOPY_STOP);
    precopy_begin(&p, &(struct precopy_limits){0});
    CU_ASSERT_EQUAL(precopy_judge(&p, &(struct precopy_round){ .ms = 1, .bytes = ~0ull, .pages = 1,
                                                                .dirty = 1 }), PRECOPY_STOP);
    precopy_begin(&p, &(struct precopy_limits){0});
    (void)precopy_judge(&p, &(struct precopy_round){ .ms = 0, .bytes = 1, .pages = 0, .dirty = ~0ull });
}

/* ---- the token bucket ---- */

/* Send @chunks of @size as fast as allowed; the time it took. */
static int64_t drive(struct token_bucket *b, int64_t now, unsigned chunks, uint64_t size)
{
    int64_t begin = now, wait;

    for (unsigned i = 0; i < chunks; i++) {
        while ((wait = bucket_wait_ns(b, now)) > 0)
            now += wait;
        bucket_take(b, size);
    }
    return now - begin;
}

static void test_bucket_rate(void)
{
    static const uint64_t rates[] = { 1000, 125000, 10 * MIB, 1000 * MIB, 20000 * MIB };

    for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
        struct token_bucket b = { .rate = rates[i] };
        uint64_t size = rates[i] / 20 + 16384;
        int64_t ns = drive(&b, 1000, 200, size);
        double seconds = (double)ns / 1e9, got = (double)(200 * size) / seconds;

        CU_ASSERT(got > 0.95 * (double)rates[i]);
        CU_ASSERT(got < 1.05 * (double)rates[i]);
    }
}

static void test_bucket_idle(void)
{
    struct token_bucket b = { .rate = 1000000 };

    (void)drive(&b, 1000, 10, 100000);
    /* An hour of silence saves up no more than one burst. */
    CU_ASSERT(drive(&b, 3600ll * 1000000000, 20, 100000) > 1500000000);
    b.rate = 0;
    CU_ASSERT_EQUAL(drive(&b, 1, 1000, ~0ull / 2000), 0);
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_idle_guest), UNIT(test_converges), UNIT(test_shrinks_what_fits), UNIT(test_never_converges), UNIT(test_throttle),
        UNIT(test_odd_figures), UNIT(test_bucket_rate), UNIT(test_bucket_idle), { 0 },
    };

    return unit_main("precopy", cases);
}
