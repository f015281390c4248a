/* SPDX-License-Identifier: MIT */
/* Starting and stopping secondary vCPUs. Owns their stacks. */
#include "mm.h"

#define STACK_PAGES 4

extern const char smp_entry[];
void smp_start_here(struct cpu *c);

void smp_start_here(struct cpu *c)
{
    /* gs was given in the context: this_cpu() works from the first instruction. */
    trap_init_cpu(c);
    time_init();
    event_enable();
    for (;;) {
        c->entry(c->entry_arg);
        smp_stop();
    }
}

unsigned smp_vcpu_count(void)
{
    unsigned n = 0;

    while (n < GUEST_VCPUS && hc_vcpu_op(VCPUOP_is_up, n, NULL) >= 0)
        n++;
    return n;
}

/* The context of a vCPU that has none: not started yet, or not since a resume in another domain. */
static long initialise(struct cpu *c)
{
    static struct vcpu_guest_context ctx;

    memset(&ctx, 0, sizeof(ctx));
    ctx.flags = VGCF_in_kernel;
    ctx.user_regs.rip = (uintptr_t)smp_entry;
    ctx.user_regs.rsp = c->stack_top;
    ctx.user_regs.rdi = (uintptr_t)c;
    ctx.user_regs.cs = FLAT_KERNEL_CS;
    ctx.user_regs.ss = FLAT_KERNEL_SS;
    ctx.user_regs.rflags = 0x200;
    ctx.kernel_ss = FLAT_KERNEL_SS;
    ctx.kernel_sp = c->stack_top;
    ctx.gs_base_kernel = (uintptr_t)c;
    ctx.ctrlreg[3] = mm_l4_mfn() << PAGE_SHIFT;
    return hc_vcpu_op(VCPUOP_initialise, c->id, &ctx);
}

int smp_start(unsigned id, void (*fn)(void *), void *arg)
{
    struct cpu *c = id < GUEST_VCPUS ? &cpus[id] : NULL;
    void *stack;
    long rc;

    if (c == NULL)
        return -XEN_EINVAL;
    if (c->self == NULL) {
        stack = page_alloc_run(STACK_PAGES);
        if (stack == NULL)
            return -XEN_ENOMEM;
        *c = (struct cpu){ .self = c, .id = id, .stack_top = (uintptr_t)stack + STACK_PAGES * PAGE_SIZE };
    }
    c->entry = fn;
    c->entry_arg = arg;
    rc = hc_vcpu_op(VCPUOP_up, id, NULL);
    if (rc == -XEN_EINVAL) {
        rc = initialise(c);
        if (rc == 0)
            rc = hc_vcpu_op(VCPUOP_up, id, NULL);
    }
    return (int)rc;
}

bool smp_is_up(unsigned id)
{
    return hc_vcpu_op(VCPUOP_is_up, id, NULL) == 1;
}

void smp_stop(void)
{
    hc_vcpu_op(VCPUOP_down, this_cpu()->id, NULL);
}
