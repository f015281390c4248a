/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dirty_log_test.c - dirty logging against a model of the CPU: page walks, protection keys, a TLB that is never flushed
 * unless somebody asks for it, a guest that reads, copies and rewrites its own entries, and a receiver that copies what
 * each round reports.
 *
 * The claim, checked by comparing all memory after every step: a frame whose dirty bit is clear is equal to the receiver's, and
 * when it is a page table, the receiver knows.
 */
#define FX_FRAMES 640           /* a sweep asks for preemption every 256 */
#define FX_OWN 64
#include "../unit.h"
#include "mm/dirty_fault.h"
#include "mm/dirty_log.h"
#include "mm/dirty_log_priv.h"
#include "mm_fixture.h"

#define SLOTS 24                        /* of each of two L1 tables: 0..15 data, 16.. read-only tables */
#define PAGES FX_OWN
#define READ_PAGES (3 * 4096)          /* more than a chunk: handing out can be cut short */

static struct fx x;
static uint8_t receiver[FX_OWN][PAGE_SIZE];
static enum page_type received_as[FX_OWN];
static struct { bool valid; mfn_t frame; unsigned key; } tlb[2 * SLOTS];
static uint64_t rng;

static unsigned rnd(unsigned n)
{
    rng = rng * 6364136223846793005UL + 1442695040888963407UL;
    return (unsigned)(rng >> 33) % n;
}

static mfn_t l1_of(unsigned va) { return x.fa[va < SLOTS ? 3 : 4]; }
static uint64_t *entry_of(unsigned va) { return &fx_table(l1_of(va))[va % SLOTS]; }
static uint64_t address_of(unsigned va) { return (va < SLOTS ? 0 : 1UL << 21) + (uint64_t)(va % SLOTS) * PAGE_SIZE; }

static void on_flush(cpumask_t cpus)
{
    if (cpus.bits & 1)
        memset(tlb, 0, sizeof(tlb));
}

static void begin(uint64_t seed)
{
    rng = seed * 2654435761u + 1;
    memset(tlb, 0, sizeof(tlb));
    fx_init(&x);
    fx_build(x.fa, 16);
    fx_set(x.fa[2], 1, PT(x.fa[4], TBL));
    CU_ASSERT_EQUAL(fx_pin(&x.va, 4, x.fa[0]), 0);
    CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_NEW_BASEPTR, x.fa[0].n, 0, DOMID_SELF), 0);
    x.a.mm.dirty_cpus.bits = 1;
    x.va1.sched.cpu = 1;
    fake_on_flush = on_flush;
    x.a.shared_info = NULL;
    x.a.grants = NULL;
    fake_set_current(&x.va);
}

/* In the map of this round; what a CLEAN that failed owes counts too. */
static bool dirty_now(unsigned pfn_)
{
    const struct dirty_log *log = x.a.mm.log;
    const unsigned now = log ? atomic_load(&log->now) : 0;

    return log && (bitmap_test(log->bits[now], pfn_) || (log->owed && bitmap_test(log->bits[!now], pfn_)));
}

static void cpu_write(unsigned va, unsigned offset, uint8_t value);

/* As whoever copies the domain learns it; frames that are no tables are all data to it. */
static enum page_type kind(unsigned i)
{
    bool pinned;
    const enum page_type t = page_type_now(x.fa[i], &pinned);

    return t >= PGT_L1 && t <= PGT_L4 ? t : PGT_NONE;
}

static void receive_one(unsigned i)
{
    memcpy(receiver[i], frame_ptr(x.fa[i]), PAGE_SIZE);
    received_as[i] = kind(i);
}

/* Keys, A and D are not the guest's data: tables are compared without them, as the receiver will clear them. */
static bool same(unsigned i)
{
    const uint64_t *now = frame_ptr(x.fa[i]), *then = (const uint64_t *)(const void *)receiver[i];
    const uint64_t ignore = fx_type(x.fa[i]) >= PGT_L1 && fx_type(x.fa[i]) <= PGT_L4 ? PTE_PKEY | PTE_A | PTE_D | PTE_US : 0;

    if (!ignore)
        return memcmp(now, then, PAGE_SIZE) == 0;
    for (unsigned k = 0; k < 512; k++) {
        if ((now[k] ^ then[k]) & ~((now[k] & then[k] & PTE_P) ? ignore : 0))
            return i == 0 && k >= 256 && k < 272;               /* the hypervisor's slots of the L4 */
    }
    return true;
}

static void check(const char *what, unsigned step)
{
    for (unsigned i = 0; i < FX_OWN; i++) {
        if (!dirty_now(i) && !same(i)) {
            printf("step %u, %s: frame %u (type %lu) differs and is clean\n", step, what, i, fx_type(x.fa[i]));
            CU_FAIL_FATAL("a write was lost");
        }
        if (!dirty_now(i) && kind(i) != PGT_NONE && kind(i) != received_as[i]) {
            printf("step %u, %s: frame %u is a table of level %u and was received as %u\n", step, what, i, kind(i), received_as[i]);
            CU_FAIL_FATAL("a page table was taken for data");
        }
    }
    dirty_log_audit(&x.a);
}

static void receive(const uint64_t *bits)
{
    for (unsigned i = 0; i < FX_OWN; i++) {
        if (bitmap_test(bits, i))
            receive_one(i);
    }
}

static int clean(bool reset)
{
    static uint64_t bits[BITMAP_WORDS(READ_PAGES)];
    uint32_t dirty, faults;
    int rc;

    memset(bits, 0xff, sizeof(bits));
    fake_guest_reset();
    fake_guest_share(bits, sizeof(bits));
    while ((rc = dirty_log_read(&x.a, fake_gva(bits), READ_PAGES, reset, &dirty, &faults)) == -ERESTART) {
        /* it stands still for a sweep, and runs while the bits are handed out */
        CU_ASSERT_EQUAL(x.a.pause_count, x.a.mm.log->sweeping);
        if (x.a.pause_count == 0)
            cpu_write(rnd(2) * SLOTS + rnd(16), rnd(PAGE_SIZE), (uint8_t)rnd(256));
    }
    if (rc == 0 && reset)
        receive(bits);
    return rc;
}

/* What the CPU does for a store; @mode as the guest runs. */
static void cpu_write(unsigned va, unsigned offset, uint8_t value)
{
    uint32_t pkru;
    uint64_t *const e = entry_of(va);

    for (unsigned tries = 0; tries < 4; tries++) {
        unsigned key;
        mfn_t frame;

        if (tlb[va].valid) {
            key = tlb[va].key;
            frame = tlb[va].frame;
        } else {
            if (!(*e & PTE_P) || !(*e & PTE_RW) || fx_type(l1_of(va)) != PGT_L1 || !fx_types(l1_of(va)))
                return;
            key = (unsigned)(*e >> 59) & 15;
            frame = pte_mfn(*e);
        }
        if (!dirty_log_pkru(&x.a, &pkru) || !((pkru >> (2 * key)) & 2)) {
            tlb[va].valid = true;
            tlb[va].key = key;
            tlb[va].frame = frame;
            *e |= *e & PTE_P ? PTE_A | PTE_D : 0;
            ((uint8_t *)frame_ptr(frame))[offset] = value;
            return;
        }
        tlb[va].valid = false;                  /* SDM 3A 4.10.4.1: the fault drops the translation */
        if (!dirty_log_fault(&x.va, gva(address_of(va))))
            return;                             /* the entry has changed: the guest's own fault */
    }
    CU_FAIL_FATAL("the same store faults for ever");
}

static void guest_flush(void) { CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_TLB_FLUSH_ALL, 0, 0, DOMID_SELF), 0); }

static const char *step(void)
{
    const unsigned va = rnd(2) * SLOTS + rnd(16), other = rnd(2) * SLOTS + rnd(16);
    mmu_update_t req;

    switch (rnd(16)) {
    case 0: {                                   /* fork: copy an entry as read, keys and all, write-protect both */
        const uint64_t e = *entry_of(va) & ~PTE_RW;

        (void)fx_update(&x.va, l1_of(va), va % SLOTS, e);
        (void)fx_update(&x.va, l1_of(other), other % SLOTS, e);
        guest_flush();
        return "fork";
    }
    case 1:                                     /* mprotect back */
        if (*entry_of(va) & PTE_P)
            (void)fx_update(&x.va, l1_of(va), va % SLOTS, *entry_of(va) | PTE_RW);
        return "mprotect";
    case 2:
        (void)fx_update(&x.va, l1_of(va), va % SLOTS, rnd(4) ? PT(x.fa[8 + rnd(40)], RW) | (uint64_t)rnd(16) << 59 : 0);
        guest_flush();
        return "map";
    case 3:                                     /* copy with RW, keys and all */
        (void)fx_update(&x.va, l1_of(other), other % SLOTS, *entry_of(va));
        guest_flush();
        return "copy";
    case 4:
        return clean(true) == 0 ? "clean" : "clean failed";
    case 5:
        (void)clean(false);
        return "peek";
    case 6:                                     /* a table is taken down, written as data, and built up again */
        if (fx_update(&x.va, x.fa[2], 1, 0) == 0) {
            const uint64_t junk = PT(x.fa[8 + rnd(40)], RW) | (uint64_t)rnd(16) << 59;
            req = (mmu_update_t){ (x.fa[4].n << PAGE_SHIFT) + 8 * rnd(16), junk };
            (void)fx_mmu(&x.va, &req, 1, NULL, DOMID_SELF);
            (void)fx_update(&x.va, x.fa[2], 1, PT(x.fa[4], TBL));
        }
        return "rebuild";
    case 7:
        (void)fx_ext(&x.va, MMUEXT_CLEAR_PAGE, x.fa[8 + rnd(40)].n, 0, DOMID_SELF);
        return "clear page";
    case 8:
        (void)fx_ext(&x.va, MMUEXT_COPY_PAGE, x.fa[8 + rnd(40)].n, x.fa[8 + rnd(40)].n, DOMID_SELF);
        return "copy page";
    case 9: {                                   /* a bad handle: nothing is handed out, nothing is lost */
        uint32_t dirty, faults;
        int rc;

        fake_guest_reset();
        do
            rc = dirty_log_read(&x.a, fake_gva(receiver), PAGES, true, &dirty, &faults);
        while (rc == -ERESTART);
        CU_ASSERT_EQUAL(rc, -EFAULT);
        return "clean that fails";
    }
    case 10:                                    /* a table that is finished is hung up later: not a byte of it changes */
        if (fx_update(&x.va, x.fa[2], 1, 0) == 0) {
            (void)clean(true);
            (void)fx_update(&x.va, x.fa[2], 1, PT(x.fa[4], TBL));
        }
        return "hang up";
    case 11:
        fake_pkru_spoiled = true;               /* WRPKRU; the model keeps its own PKRU, so only the path is taken */
        return "wrpkru";
    default:
        cpu_write(va, rnd(PAGE_SIZE), (uint8_t)rnd(256));
        return "write";
    }
}

static void start_logging(void)
{
    CU_ASSERT_EQUAL(dirty_log_enable(&x.a), 0);
    for (unsigned i = 0; i < FX_OWN; i++)
        receive_one(i);
}

static void test_model(void)
{
    for (unsigned seed = 1; seed <= 12; seed++) {
        begin(seed);
        start_logging();
        for (unsigned i = 0; i < 4000; i++) {
            if (rnd(10) == 0)
                fake_preempt_at(1 + rnd(3), 1 + rnd(3));
            const char *what = step();
            fake_preempt_at(0, 0);
            check(what, i);
        }
        CU_ASSERT_EQUAL(x.a.pause_count, 0);
        CU_ASSERT_EQUAL(dirty_log_off(&x.a), 0);
        fake_on_flush = NULL;
        fx_end(&x);
    }
}

static void test_wrap_sweeps_and_flushes(void)
{
    begin(1);
    start_logging();
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned va = 0; va < 16; va++)
            cpu_write(va, 0, (uint8_t)(round + 1));
        fake_log.flushes = 0;
        const unsigned epoch = x.a.mm.log->epoch;
        CU_ASSERT_EQUAL(clean(true), 0);
        /* A round costs no flush, but for the one that wraps. */
        CU_ASSERT_EQUAL(fake_log.flushes, epoch == 15 ? 1 : 0);
        CU_ASSERT_EQUAL(x.a.mm.log->epoch, epoch == 15 ? 1 : epoch + 1);
        check("round", round);
    }
    fake_on_flush = NULL;
    fx_end(&x);
}

static void test_preempted_sweep_keeps_the_domain_paused(void)
{
    uint32_t dirty, faults;

    begin(2);
    start_logging();
    for (unsigned i = 0; i < 14; i++)
        CU_ASSERT_EQUAL(clean(true), 0);
    CU_ASSERT_EQUAL(x.a.mm.log->epoch, 15);
    cpu_write(0, 0, 77);
    fake_preempt_at(1, 1);
    CU_ASSERT_EQUAL(dirty_log_read(&x.a, gva(0), PAGES, true, &dirty, &faults), -ERESTART);
    CU_ASSERT_EQUAL(x.a.pause_count, 1);
    CU_ASSERT_EQUAL(x.a.mm.log->epoch, 15);
    CU_ASSERT_EQUAL(clean(true), 0);
    CU_ASSERT_EQUAL(x.a.mm.log->epoch, 1);
    check("after the sweep", 0);
    CU_ASSERT_EQUAL(x.a.pause_count, 0);
    fake_on_flush = NULL;
    fx_end(&x);
}

static void test_codes(void)
{
    uint32_t dirty, faults;

    begin(3);
    CU_ASSERT_EQUAL(dirty_log_read(&x.a, gva(0), 64, true, &dirty, &faults), -EINVAL);
    CU_ASSERT_EQUAL(dirty_log_off(&x.a), 0);
    fake_pku = false;
    CU_ASSERT_EQUAL(dirty_log_enable(&x.a), -EOPNOTSUPP);
    fake_pku = true;
    for (unsigned k = 1; k <= 3; k++) {
        fake_heap_fail_at(k);
        CU_ASSERT_EQUAL(dirty_log_enable(&x.a), -ENOMEM);
    }
    CU_ASSERT_EQUAL(dirty_log_enable(&x.a), 0);
    CU_ASSERT_EQUAL(dirty_log_enable(&x.a), -EINVAL);
    CU_ASSERT_FALSE(dirty_log_fault(&x.vb, gva(0)));
    cpu_write(0, 0, 1);
    cpu_write(1, 0, 1);
    CU_ASSERT_EQUAL(dirty_log_read(&x.a, gva(0), PAGES, false, &dirty, &faults), 0);
    CU_ASSERT_EQUAL(dirty, 2);
    CU_ASSERT_EQUAL(faults, 2);
    /* Bits beyond the domain read 0, and a bad handle loses nothing. */
    uint8_t big[1024];
    fake_guest_reset();
    CU_ASSERT_EQUAL(dirty_log_read(&x.a, fake_gva(big), PAGES, true, &dirty, &faults), -EFAULT);
    CU_ASSERT_TRUE(dirty_now(8));
    memset(big, 0xff, sizeof(big));
    fake_guest_share(big, sizeof(big));
    CU_ASSERT_EQUAL(dirty_log_read(&x.a, fake_gva(big), sizeof(big) * 8, true, &dirty, &faults), 0);
    CU_ASSERT_EQUAL(dirty, 2);
    CU_ASSERT_EQUAL(big[1], 3);
    CU_ASSERT_EQUAL(big[1000], 0);
    /* What was owed is handed out twice, then no more. */
    CU_ASSERT_EQUAL(dirty_log_read(&x.a, gva(0), PAGES, true, &dirty, &faults), 0);
    CU_ASSERT_EQUAL(dirty, 2);
    CU_ASSERT_EQUAL(dirty_log_read(&x.a, gva(0), PAGES, true, &dirty, &faults), 0);
    CU_ASSERT_EQUAL(dirty, 0);
    CU_ASSERT_FALSE(dirty_now(8));
    /* Off and on again: old keys mean nothing. */
    cpu_write(0, 0, 2);
    CU_ASSERT_EQUAL(dirty_log_off(&x.a), 0);
    cpu_write(0, 0, 3);
    CU_ASSERT_EQUAL(dirty_log_enable(&x.a), 0);
    CU_ASSERT_FALSE(dirty_now(8));
    cpu_write(0, 0, 4);
    CU_ASSERT_TRUE(dirty_now(8));
    CU_ASSERT_EQUAL(x.a.pause_count, 0);
    fake_on_flush = NULL;
    fx_end(&x);
}

int main(void)
{
    static const struct unit_case cases[] = { UNIT(test_model), UNIT(test_wrap_sweeps_and_flushes),
                                              UNIT(test_preempted_sweep_keeps_the_domain_paused), UNIT(test_codes),
                                              { 0 } };

    return unit_main("dirty_log", cases);
}
