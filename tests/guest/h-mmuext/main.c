/* SPDX-License-Identifier: GPL-2.0-or-later */
/* H15..H18, H20..H24: pinning, base pointers, LDT, page copies and flushes with arguments a guest must not have. */
#include "hostile.h"

/* xen.h keeps this to itself: the mark of a preempted call in its count argument. */
#define MMU_UPDATE_PREEMPTED 0x80000000U

static long ext(unsigned cmd, uint64_t arg1, uint64_t arg2, unsigned domid)
{
    struct mmuext_op op = { .cmd = cmd, .arg1.mfn = arg1, .arg2.src_mfn = arg2 };

    return hc_mmuext_op(&op, 1, NULL, domid);
}

static void pins(struct tree *t)
{
    uint64_t *page = page_alloc();

    item("H15");
    for (unsigned level = MMUEXT_PIN_L1_TABLE; level <= MMUEXT_PIN_L4_TABLE; level++) {
        NEGATIVE(ext(level, mm_mfn(page), 0, DOMID_SELF));              /* mapped writable */
        NEGATIVE(ext(level, FRAME_BEYOND, 0, DOMID_SELF));
        NEGATIVE(ext(level, hypervisor_frame(), 0, DOMID_SELF));
        if (victim_domid() != DOMID_INVALID) {
            NEGATIVE(ext(level, victim_frame(), 0, DOMID_SELF));
            RC(ext(level, victim_frame(), 0, victim_domid()), -XEN_EPERM);
        }
    }
    NEGATIVE(ext(MMUEXT_PIN_L1_TABLE, mm_mfn(t->l2), 0, DOMID_SELF));
    NEGATIVE(ext(MMUEXT_PIN_L2_TABLE, mm_mfn(t->l1), 0, DOMID_SELF));
    NEGATIVE(ext(MMUEXT_PIN_L3_TABLE, mm_mfn(t->l4), 0, DOMID_SELF));
    NEGATIVE(ext(MMUEXT_PIN_L4_TABLE, mm_mfn(t->l3), 0, DOMID_SELF));
    page[0] = 1;                                        /* the page is still ours to write */
    page_free(page);

    item("H16");
    RC(ext(MMUEXT_PIN_L4_TABLE, mm_mfn(t->l4), 0, DOMID_SELF), -XEN_EINVAL);
    RC(ext(MMUEXT_PIN_L1_TABLE, mm_mfn(t->l1), 0, DOMID_SELF), 0);
    RC(ext(MMUEXT_PIN_L1_TABLE, mm_mfn(t->l1), 0, DOMID_SELF), -XEN_EINVAL);
    RC(ext(MMUEXT_UNPIN_TABLE, mm_mfn(t->l1), 0, DOMID_SELF), 0);

    item("H17");
    RC(ext(MMUEXT_UNPIN_TABLE, mm_mfn(t->l1), 0, DOMID_SELF), -XEN_EINVAL);
    RC(ext(MMUEXT_UNPIN_TABLE, mm_mfn(t->leaf), 0, DOMID_SELF), -XEN_EINVAL);
    RC(ext(MMUEXT_UNPIN_TABLE, FRAME_BEYOND, 0, DOMID_SELF), -XEN_EINVAL);
    NEGATIVE(ext(MMUEXT_UNPIN_TABLE, hypervisor_frame(), 0, DOMID_SELF));
    if (victim_domid() != DOMID_INVALID) {
        RC(ext(MMUEXT_UNPIN_TABLE, victim_frame(), 0, DOMID_SELF), -XEN_EINVAL);
        RC(ext(MMUEXT_UNPIN_TABLE, victim_frame(), 0, victim_domid()), -XEN_EPERM);
    }
}

static void base_pointers(struct tree *t)
{
    uint64_t cr3, after;

    item("H18");
    asm volatile("mov %%cr3, %0" : "=r"(cr3));
    uint64_t wrong[] = { mm_mfn(t->l3), mm_mfn(t->l1), mm_mfn(t->leaf), FRAME_BEYOND, 0xffffffffffUL,
                         hypervisor_frame() };
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        long rc = ext(MMUEXT_NEW_BASEPTR, wrong[i], 0, DOMID_SELF);
        CHECK(rc == -XEN_EINVAL || (i == 5 && rc < 0), "NEW_BASEPTR %lx: %ld", wrong[i], rc);
        rc = ext(MMUEXT_NEW_USER_BASEPTR, wrong[i], 0, DOMID_SELF);
        CHECK(rc == -XEN_EINVAL || (i == 5 && rc <= 0), "NEW_USER_BASEPTR %lx: %ld", wrong[i], rc);
    }
    asm volatile("mov %%cr3, %0" : "=r"(after));
    CHECK(cr3 == after, "cr3 changed from %lx to %lx", cr3, after);
    RC(ext(MMUEXT_NEW_USER_BASEPTR, 0, 0, DOMID_SELF), 0);

    item("H20");
    RC(ext(MMUEXT_SET_LDT, (uintptr_t)t->leaf + 8, 16, DOMID_SELF), -XEN_EINVAL);
    RC(ext(MMUEXT_SET_LDT, (uintptr_t)t->leaf, 8193, DOMID_SELF), -XEN_EINVAL);
    RC(ext(MMUEXT_SET_LDT, (uintptr_t)t->leaf, 0xffffffffUL, DOMID_SELF), -XEN_EINVAL);
    RC(ext(MMUEXT_SET_LDT, BAD_HYPERVISOR & PAGE_MASK, 16, DOMID_SELF), -XEN_EINVAL);
    RC(ext(MMUEXT_SET_LDT, BAD_NONCANONICAL, 16, DOMID_SELF), -XEN_EINVAL);
    RC(ext(MMUEXT_SET_LDT, 0, 0, DOMID_SELF), 0);
}

static void copies(struct tree *t)
{
    uint64_t *page = page_alloc(), *from = page_alloc();

    item("H21");
    page[3] = 33;
    from[3] = 44;
    RC(ext(MMUEXT_CLEAR_PAGE, mm_mfn(t->l1), 0, DOMID_SELF), -XEN_EINVAL);
    RC(ext(MMUEXT_CLEAR_PAGE, mm_mfn(t->l4), 0, DOMID_SELF), -XEN_EINVAL);
    RC(ext(MMUEXT_COPY_PAGE, mm_mfn(t->l2), mm_mfn(page), DOMID_SELF), -XEN_EINVAL);
    RC(ext(MMUEXT_CLEAR_PAGE, FRAME_BEYOND, 0, DOMID_SELF), -XEN_EINVAL);
    RC(ext(MMUEXT_COPY_PAGE, mm_mfn(page), FRAME_BEYOND, DOMID_SELF), -XEN_EINVAL);
    NEGATIVE(ext(MMUEXT_CLEAR_PAGE, hypervisor_frame(), 0, DOMID_SELF));
    NEGATIVE(ext(MMUEXT_COPY_PAGE, mm_mfn(page), hypervisor_frame(), DOMID_SELF));
    if (victim_domid() != DOMID_INVALID) {
        RC(ext(MMUEXT_CLEAR_PAGE, victim_frame(), 0, DOMID_SELF), -XEN_EINVAL);
        RC(ext(MMUEXT_COPY_PAGE, mm_mfn(page), victim_frame(), DOMID_SELF), -XEN_EINVAL);
        RC(ext(MMUEXT_CLEAR_PAGE, victim_frame(), 0, victim_domid()), -XEN_EPERM);
    }
    CHECK(page[3] == 33, "a refused copy wrote %lu", page[3]);
    RC(ext(MMUEXT_COPY_PAGE, mm_mfn(page), mm_mfn(from), DOMID_SELF), 0);
    CHECK(page[3] == 44, "copied %lu", page[3]);
    RC(ext(MMUEXT_CLEAR_PAGE, mm_mfn(page), 0, DOMID_SELF), 0);
    CHECK(page[3] == 0, "cleared to %lu", page[3]);
    page_free(page);
    page_free(from);
}

static void flushes(void)
{
    static const uint64_t odd[] = { BAD_NONCANONICAL, BAD_M2P, BAD_HYPERVISOR, BAD_DIRECTMAP, ~0UL, 0 };
    uint64_t everyone = ~0UL;

    item("H22");
    for (unsigned i = 0; i < 4; i++) {
        RC(ext(MMUEXT_TLB_FLUSH_MULTI, 0, odd[i], DOMID_SELF), -XEN_EINVAL);
        RC(ext(MMUEXT_INVLPG_MULTI, VIRT_BASE, odd[i], DOMID_SELF), -XEN_EINVAL);
    }
    RC(ext(MMUEXT_TLB_FLUSH_MULTI, 0, (uintptr_t)&everyone, DOMID_SELF), 0);
    RC(ext(MMUEXT_INVLPG_MULTI, VIRT_BASE, (uintptr_t)&everyone, DOMID_SELF), 0);

    item("H23");
    for (unsigned i = 0; i < ARRAY_SIZE(odd); i++) {
        RC(ext(MMUEXT_INVLPG_LOCAL, odd[i], 0, DOMID_SELF), 0);
        RC(ext(MMUEXT_INVLPG_ALL, odd[i], 0, DOMID_SELF), 0);
        RC(ext(MMUEXT_INVLPG_MULTI, odd[i], (uintptr_t)&everyone, DOMID_SELF), 0);
    }
    RC(ext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0, DOMID_SELF), 0);
    RC(ext(MMUEXT_TLB_FLUSH_ALL, 0, 0, DOMID_SELF), 0);

    item("H24");
    RC(ext(MMUEXT_MARK_SUPER, 0, 0, DOMID_SELF), -XEN_EOPNOTSUPP);
    RC(ext(MMUEXT_UNMARK_SUPER, 0, 0, DOMID_SELF), -XEN_EOPNOTSUPP);
    if (!is_initial_domain()) {
        RC(ext(MMUEXT_FLUSH_CACHE, 0, 0, DOMID_SELF), -XEN_EACCES);
        ONE_OF(ext(MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0, DOMID_SELF), -XEN_EACCES, -XEN_EINVAL);
    }
    for (unsigned cmd = 21; cmd < 40; cmd++) {
        long rc = ext(cmd, 0, 0, DOMID_SELF);
        CHECK(rc == -XEN_ENOSYS, "op %u: %ld", cmd, rc);
    }
    RC(ext(14, 0, 0, DOMID_SELF), -XEN_ENOSYS);
    RC(ext(0xffffffff, 0, 0, DOMID_SELF), -XEN_ENOSYS);

    item("H11");
    RC(ext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0, own_domid()), -XEN_ESRCH);
    RC(ext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0, 0x7000), -XEN_ESRCH);
    if (victim_domid() != DOMID_INVALID)
        RC(ext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0, victim_domid()), -XEN_EPERM);
}

static void preempted_by_hand(struct tree *t)
{
    static const uint64_t pointers[] = { 0, BAD_NONCANONICAL, BAD_HYPERVISOR, BAD_M2P, BAD_DIRECTMAP };
    struct mmu_update req = { .ptr = slot_maddr(t->l1, 30), .val = 0 };
    struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_LOCAL };

    item("H13");
    /* "This call was preempted" is the hypervisor's own mark; a guest that sets it must not gain a write. */
    for (unsigned i = 0; i < ARRAY_SIZE(pointers); i++) {
        hc_mmu_update(&req, 1U | MMU_UPDATE_PREEMPTED, (unsigned *)pointers[i], DOMID_SELF);
        hc_mmu_update(NULL, MMU_UPDATE_PREEMPTED, (unsigned *)pointers[i], DOMID_SELF);
        hc_mmuext_op(&op, 1U | MMU_UPDATE_PREEMPTED, (unsigned *)pointers[i], DOMID_SELF);
        hc_mmu_update(&req, ~0U, (unsigned *)pointers[i], DOMID_SELF);
    }
    unsigned done[3] = { 1, 0, 1 };
    RC(hc_mmu_update(&req, 1U | MMU_UPDATE_PREEMPTED, &done[1], DOMID_SELF), 0);
    CHECK(done[0] == 1 && done[2] == 1, "neighbours of *done changed");
}

void guest_test(void)
{
    struct tree t;

    item("setup");
    if (!tree_make(&t))
        return;
    pins(&t);
    base_pointers(&t);
    copies(&t);
    flushes();
    preempted_by_hand(&t);
    item("teardown");
    tree_free(&t);
}
