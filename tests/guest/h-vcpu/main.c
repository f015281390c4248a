/* SPDX-License-Identifier: GPL-2.0-or-later */
/* H95..H97: vCPUs that do not exist or are not set up, impossible contexts, timers out of range, up and down in a storm. */
#include "hostile.h"

static volatile bool stop;
static volatile unsigned beats[GUEST_VCPUS];

static void bad_ids(void)
{
    static const unsigned ids[] = { 32, 127, 128, 4095, 8191, 8192, 0x7fffffff, 0xffffffff };
    static const unsigned ops[] = { VCPUOP_initialise, VCPUOP_up, VCPUOP_down, VCPUOP_is_up, VCPUOP_get_runstate_info,
                                    VCPUOP_register_runstate_memory_area, VCPUOP_set_periodic_timer,
                                    VCPUOP_stop_periodic_timer, VCPUOP_set_singleshot_timer,
                                    VCPUOP_stop_singleshot_timer, VCPUOP_register_vcpu_info, VCPUOP_send_nmi,
                                    VCPUOP_register_vcpu_time_memory_area };
    void *page = page_alloc_run(2);

    item("H95");
    for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
        for (unsigned k = 0; k < ARRAY_SIZE(ops); k++) {
            long rc = hc_vcpu_op(ops[k], ids[i], page);
            CHECK(rc == -XEN_ENOENT, "op %u on vCPU %u: %ld", ops[k], ids[i], rc);
        }
    RC(hc_vcpu_op(99, 0, page), -XEN_ENOSYS);
    RC(hc_vcpu_op(VCPUOP_initialise, 0, page), -XEN_EEXIST);
    if (smp_vcpu_count() > 1)
        RC(hc_vcpu_op(VCPUOP_up, 1, NULL), -XEN_EINVAL);
    RC(hc_vcpu_op(VCPUOP_send_nmi, 0, (void *)8), -XEN_EINVAL);
    RC(hc_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
}

static bool ignore_nmi(struct trap_frame *f)
{
    return f->vector == 2;
}

static void impossible_contexts(void)
{
    struct vcpu_guest_context *ctx = page_alloc_run(2);
    uint64_t *page = page_alloc();

    item("H95-context");
    if (smp_vcpu_count() < 2) {
        item_skip("one vCPU only");
        return;
    }
    for (unsigned i = 0; i < 12; i++) {
        memset(ctx, 0, sizeof(*ctx));
        ctx->flags = VGCF_in_kernel;
        ctx->user_regs.rip = VIRT_BASE;
        ctx->user_regs.cs = FLAT_KERNEL_CS;
        ctx->user_regs.ss = FLAT_KERNEL_SS;
        ctx->user_regs.rflags = 0x200;
        ctx->ctrlreg[3] = mm_l4_mfn() << PAGE_SHIFT;
        switch (i) {
        case 0: ctx->user_regs.rip = BAD_NONCANONICAL; break;
        case 1: ctx->event_callback_eip = BAD_NONCANONICAL; break;
        case 2: ctx->failsafe_callback_eip = BAD_NONCANONICAL; break;
        case 3: ctx->syscall_callback_eip = BAD_NONCANONICAL; break;
        case 4: ctx->fs_base = BAD_NONCANONICAL; break;
        case 5: ctx->gs_base_kernel = BAD_NONCANONICAL; break;
        case 6: ctx->gs_base_user = BAD_NONCANONICAL; break;
        case 7: ctx->ctrlreg[3] = FRAME_BEYOND << PAGE_SHIFT; break;
        case 8: ctx->ctrlreg[3] = mm_mfn(page) << PAGE_SHIFT; break;
        case 9: ctx->gdt_ents = 7169; break;
        case 10: ctx->gdt_ents = 512; ctx->gdt_frames[0] = mm_mfn(page); break;
        case 11: ctx->ldt_ents = 8193; break;
        default: break;
        }
        long rc = hc_vcpu_op(VCPUOP_initialise, 1, ctx);
        CHECK(rc < 0, "context %u: %ld", i, rc);
        RC(hc_vcpu_op(VCPUOP_is_up, 1, NULL), 0);
        if (rc == 0)
            return;
    }
    page[0] = 1;
}

static void bad_timers(void)
{
    struct vcpu_set_periodic_timer p = { .period_ns = 999999 };
    struct vcpu_set_singleshot_timer s = { .timeout_abs_ns = 1 };

    item("H96");
    RC(hc_vcpu_op(VCPUOP_set_periodic_timer, 0, &p), -XEN_EINVAL);
    p.period_ns = 0;
    RC(hc_vcpu_op(VCPUOP_set_periodic_timer, 0, &p), -XEN_EINVAL);
    p.period_ns = ~0UL;
    RC(hc_vcpu_op(VCPUOP_set_periodic_timer, 0, &p), -XEN_EINVAL);
    if (smp_vcpu_count() > 1)
        RC(hc_vcpu_op(VCPUOP_set_singleshot_timer, 1, &s), -XEN_EINVAL);
    uint64_t before = this_cpu()->events;
    RC(hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, &s), 0);
    CHECK(wait_for(READ_ONCE(this_cpu()->events) > before, SECOND), "a timer in the past never fired");
    before = this_cpu()->events;
    CHECK(!wait_for(READ_ONCE(this_cpu()->events) > before, 20 * MS), "and fired again");
    s.timeout_abs_ns = ~0UL;
    RC(hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, &s), 0);
    RC(hc_vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0);
    ONE_OF(hc_set_timer_op(~0UL), 0);
    RC(hc_set_timer_op(0), 0);
}

static void beat(void *arg)
{
    unsigned id = this_cpu()->id;

    (void)arg;
    while (!stop) {
        beats[id]++;
        if (beats[id] % 16 == 0)
            smp_stop();
    }
    beats[id] = 0;
}

static void storm(void)
{
    unsigned n = smp_vcpu_count();

    item("H97");
    if (n < 2) {
        item_skip("one vCPU only");
        return;
    }
    for (unsigned i = 1; i < n; i++)
        RC(smp_start(i, beat, NULL), 0);
    uint64_t end = time_now() + 500 * MS;
    unsigned rounds = 0, ups = 0;
    while (time_now() < end || ups < effort(1, 100000)) {
        for (unsigned i = 1; i < n; i++)
            ups += hc_vcpu_op(VCPUOP_up, i, NULL) == 0;
        /* Taking another vCPU down from here is a guest's right, and a race with itself. */
        if (rounds++ % 5 == 0)
            hc_vcpu_op(VCPUOP_down, 1 + rounds % (n - 1), NULL);
    }
    stop = true;
    for (unsigned i = 1; i < n; i++) {
        CHECK(wait_for((hc_vcpu_op(VCPUOP_up, i, NULL), beats[i] == 0), 15 * SECOND), "vCPU %u does not stop", i);
        hc_vcpu_op(VCPUOP_down, i, NULL);
    }
    printf("%u rounds, %u ups\n", rounds, ups);
}

void guest_test(void)
{
    trap_set_hook(ignore_nmi);
    bad_ids();
    impossible_contexts();
    bad_timers();
    storm();
}
