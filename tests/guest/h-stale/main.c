/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * H28: a frame that is given back is out of every CPU's reach before anybody else gets it. vCPU 1 writes to a page
 * without pause, so its TLB holds the translation; vCPU 0 takes the mapping away without asking for a flush, gives
 * the frame back, and takes frames until it has the same one again: it must be clean, and stay so. It sleeps in between:
 * an idle CPU clears what was given back, and only then is it the first to be given out. (Xen cleans frames of dead
 * domains only: there just the second half is looked at.)
 *
 * (QEMU's software TLB keeps translations until they are flushed, as a real one does.)
 *
 *   rounds=N   how often (default 300)
 */
#include "harness.h"

#define SPARE_FRAMES 64

static volatile uint64_t *volatile target;      /* where vCPU 1 writes; NULL: nowhere */
static volatile uint64_t writes, faults;
static volatile bool stop;

static void writer(void *arg)
{
    (void)arg;
    while (!stop) {
        volatile uint64_t *to = target;

        if (to == NULL)
            continue;
        if (probe_write((uintptr_t)to, 0xdeadUL) == TRAP_NONE) {
            writes++;
        } else {
            faults++;
            __atomic_compare_exchange_n(&target, &to, NULL, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
        }
    }
}

static long reservation(unsigned op, xen_pfn_t *frames, unsigned n)
{
    struct xen_memory_reservation res = { .nr_extents = n, .domid = DOMID_SELF };

    set_xen_guest_handle(res.extent_start, frames);
    return hc_memory_op(op, &res);
}

static bool page_is_zero(const volatile uint64_t *page)
{
    for (unsigned i = 0; i < 512; i++)
        if (page[i] != 0)
            return false;
    return true;
}

/* Give @mfn back and take frames until it comes again: true if it did; all others are given back. */
static bool change_hands(uint64_t pfn, uint64_t mfn)
{
    xen_pfn_t taken[SPARE_FRAMES], gone = mfn;
    unsigned n = 0;
    bool found = false;

    if (reservation(XENMEM_decrease_reservation, &gone, 1) != 1)
        return false;
    time_block_until(time_to_system(time_now() + MS));
    for (; !found && n < SPARE_FRAMES; n++) {
        taken[n] = 0;
        if (reservation(XENMEM_increase_reservation, &taken[n], 1) != 1)
            break;
        found = taken[n] == mfn;
    }
    /* The last one stays ours, the same frame or another. */
    if (n > 1)
        reservation(XENMEM_decrease_reservation, taken, n - 1);
    if (n > 0) {
        struct mmu_update m2p = { .ptr = taken[n - 1] << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, .val = pfn };

        mm_set_mfn(pfn, taken[n - 1]);
        hc_mmu_update(&m2p, 1, NULL, DOMID_SELF);
    }
    return found;
}

static bool one_round(uint64_t va, uint64_t pfn, unsigned *same)
{
    uint64_t before = writes;

    if (mm_map(va, mm_pfn_to_mfn(pfn), PTE_KERNEL) != 0)
        return false;
    target = (volatile uint64_t *)va;
    CHECK(wait_for(writes > before + 10, 30 * SECOND), "vCPU 1 does not write");
    /* No flush asked for: the other CPU's translation lives on, and the hypervisor must know. */
    RC(hc_update_va_mapping(va, 0, UVMF_NONE), 0);
    RC(hc_update_va_mapping((uintptr_t)mm_va(pfn), 0, UVMF_NONE), 0);
    bool found = change_hands(pfn, mm_pfn_to_mfn(pfn));
    RC(hc_update_va_mapping((uintptr_t)mm_va(pfn), PTE(mm_pfn_to_mfn(pfn), PTE_KERNEL), UVMF_INVLPG), 0);
    *same += found;
    if (found) {
        volatile uint64_t *page = mm_va(pfn);

        CHECK(page_is_zero(page) || on_xen(), "the frame came back with %lx in it", page[0]);
        memset(mm_va(pfn), 0, PAGE_SIZE);
        for (volatile unsigned i = 0; i < 2000; i++)
            ;
        CHECK(page_is_zero(page), "%lx was written through a stale translation", page[0]);
    }
    if (!found)                         /* so nobody had to flush */
        RC(hc_update_va_mapping(va, 0, UVMF_TLB_FLUSH | UVMF_ALL), 0);
    CHECK(wait_for(target == NULL, 30 * SECOND), "vCPU 1 writes on to a page that is gone");
    target = NULL;
    return found || writes > before;
}

void guest_test(void)
{
    uint64_t rounds = cmdline_number("rounds", 300), va = mm_reserve_va(1), pfn;
    unsigned same = 0;
    void *page = page_alloc();

    item("H28");
    if (smp_vcpu_count() < 2 || page == NULL) {
        item_skip("takes two vCPUs");
        return;
    }
    pfn = mm_pfn(page);
    RC(smp_start(1, writer, NULL), 0);
    for (uint64_t i = 0; i < rounds; i++)
        if (!one_round(va, pfn, &same))
            break;
    stop = true;
    printf("%lu writes, %lu faults, the same frame came back %u times in %lu rounds\n", writes, faults, same, rounds);
    CHECK(same > 0, "the frame never came back: nothing was shown");
}
