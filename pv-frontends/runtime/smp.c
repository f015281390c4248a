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
    c->entry(c->entry_arg);
    for (;;)
        smp_stop();
}

unsigned smp_vcpu_count(void)
{
    unsigned n = 0;

    while (n < GUEST_VCPUS && hc_vcpu_op(VCPUOP_is_up, n, NULL) >= 0)
        n++;
    return n;
}

int smp_start(unsigned id, void (*fn)(void *), void *arg)
{
    static struct vcpu_guest_context ctx;
    struct cpu *c = &cpus[id];
    void *stack = page_alloc_run(STACK_PAGES);
    long rc;

    if (stack == NULL || id >= GUEST_VCPUS)
        return -XEN_ENOMEM;
    *c = (struct cpu){ .self = c, .id = id, .entry = fn, .entry_arg = arg,
                       .stack_top = (uintptr_t)stack + STACK_PAGES * PAGE_SIZE };
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
    rc = hc_vcpu_op(VCPUOP_initialise, id, &ctx);
    if (rc == 0)
        rc = hc_vcpu_op(VCPUOP_up, id, NULL);
    return (int)rc;
}

void smp_stop(void)
{
    hc_vcpu_op(VCPUOP_down, this_cpu()->id, NULL);
}
