/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vcpu_context.c - the whole state of a vCPU, in and out
 *
 * ABI: xen.h vcpu_guest_context, abi-map 3.9. Used by VCPUOP_initialise (a guest starts another of its vCPUs), by domctl
 * (build, restore, resume) and by the Dom0 builder. The vCPU does not run meanwhile: it is down, or its domain is paused.
 *
 * Everything is judged before anything is stored. Page-table roots may take several calls (-ERESTART); they are set
 * first, so that a restart finds nothing else changed.
 */
#include <string.h>

#include "cpu/cpuid_policy.h"
#include "domain/domain.h"
#include "entry/guest_address.h"
#include "hv_errno.h"
#include "machine.h"
#include "mm/descriptor.h"
#include "mm/page_type.h"
#include "mm/page_ref.h"
#include "mm/pt_update.h"
#include "time/time.h"

#define RFLAGS_IOPL 0x3000UL
#define RFLAGS_IF 0x200UL
#define RFLAGS_VALID 0x250dd5UL         /* CF PF AF ZF SF TF DF OF RF AC ID */
#define DR6_FIXED 0xffff0ff0UL
#define DR7_FIXED 0x400UL

void vcpu_init_cpu_state(struct vcpu *v)
{
    struct guest_cpu *c = &v->cpu;
    memset(c, 0, sizeof(*c));
    c->kernel_root = c->user_root = MFN_INVALID;
    c->kernel_mode = true;
    c->xcr0 = 1;
    c->debugreg[6] = DR6_FIXED;
    c->debugreg[7] = DR7_FIXED;
    for (unsigned i = 0; i < GDT_FRAMES; i++)
        c->gdt_frames[i] = MFN_INVALID;
}

/* ---- judging ---- */

static bool addresses_ok(const struct vcpu_guest_context *ctx)
{
    const struct { uint64_t a; } address[] = {
        { ctx->user_regs.rip }, { ctx->event_callback_eip }, { ctx->failsafe_callback_eip },
        { ctx->syscall_callback_eip },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(address); i++) {
        if (!guest_address_ok(address[i].a))
            return false;
    }
    for (unsigned i = 0; i < 256; i++) {
        if (!guest_address_ok(ctx->trap_ctxt[i].address))
            return false;
    }
    return guest_canonical(ctx->fs_base) && guest_canonical(ctx->gs_base_kernel) &&
           guest_canonical(ctx->gs_base_user) && guest_stack_ok(ctx->kernel_sp);
}

static bool sizes_ok(const struct vcpu_guest_context *ctx)
{
    return ctx->gdt_ents <= GDT_FRAMES * 512 && ctx->ldt_ents <= MAX_LDT_ENTRIES &&
           (ctx->ldt_ents == 0 || (ctx->ldt_base % PAGE_SIZE == 0 && guest_range_ok(gva(ctx->ldt_base), ctx->ldt_ents * 8)));
}

static mfn_t user_root_of(const struct vcpu_guest_context *ctx)
{
    const uint64_t m = (ctx->ctrlreg[1] & ~1UL) >> PAGE_SHIFT;
    return m ? mfn(m) : MFN_INVALID;
}

/* An initialised vCPU keeps its structure: a tool that resumes it may change registers only (abi-map 3.9). */
static bool same_structure(const struct vcpu *v, const struct vcpu_guest_context *ctx)
{
    const struct guest_cpu *c = &v->cpu;
    if (c->kernel_root.n != ctx->ctrlreg[3] >> PAGE_SHIFT || !mfn_eq(c->user_root, user_root_of(ctx)) ||
        c->gdt_entries != ctx->gdt_ents || c->ldt_entries != ctx->ldt_ents ||
        (c->ldt_entries && c->ldt_base != ctx->ldt_base))
        return false;
    for (unsigned i = 0; i * 512 < c->gdt_entries; i++) {
        if (c->gdt_frames[i].n != ctx->gdt_frames[i])
            return false;
    }
    return true;
}

/* ---- storing: cannot fail ---- */

static void store_registers(struct vcpu *v, const struct vcpu_guest_context *ctx)
{
    struct guest_cpu *c = &v->cpu;
    struct cpu_user_regs *r = &c->regs;

    *r = ctx->user_regs;
    r->error_code = r->entry_vector = 0;
    r->cs |= 3;
    r->ss |= 3;
    c->iopl = (uint8_t)(ctx->user_regs.rflags >> 12 & 3);
    r->rflags = (ctx->user_regs.rflags & RFLAGS_VALID) | RFLAGS_IF | 2;
    c->ds = ctx->user_regs.ds;
    c->es = ctx->user_regs.es;
    c->fs = ctx->user_regs.fs;
    c->gs = ctx->user_regs.gs;
    c->kernel_mode = (ctx->flags & VGCF_in_kernel) != 0;
    c->kernel_ss = (uint16_t)(ctx->kernel_ss | 3);
    c->kernel_sp = ctx->kernel_sp & ~15UL;
    c->fs_base = ctx->fs_base;
    c->gs_base_kernel = ctx->gs_base_kernel;
    c->gs_base_user = ctx->gs_base_user;
    c->cr0_ts = ctx->ctrlreg[0] & 8;
    c->cr4 = ctx->ctrlreg[4] & guest_cr4_allowed(v);    /* a restored guest goes on using FSGSBASE, XSAVE */
    c->trap_pending = false;
    if (ctx->flags & VGCF_i387_valid)
        machine_fpu_import(v, &ctx->fpu_ctxt);
}

static void store_handlers(struct vcpu *v, const struct vcpu_guest_context *ctx)
{
    struct guest_cpu *c = &v->cpu;
    for (unsigned i = 0; i < 256; i++) {
        const struct trap_info *t = &ctx->trap_ctxt[i];
        c->traps[i] = (struct guest_trap){
            .address = t->address,
            .dpl = TI_GET_DPL(t),
            .mask_events = TI_GET_IF(t) != 0,
            .cs = t->cs | 3,
        };
    }
    c->event_callback = ctx->event_callback_eip;
    c->failsafe_callback = ctx->failsafe_callback_eip;
    c->failsafe_mask_events = (ctx->flags & VGCF_failsafe_disables_events) != 0;
    c->syscall_callback = ctx->syscall_callback_eip;
    c->syscall_mask_events = (ctx->flags & VGCF_syscall_disables_events) != 0;
}

static void store_debug(struct vcpu *v, const struct vcpu_guest_context *ctx)
{
    struct guest_cpu *c = &v->cpu;
    for (unsigned i = 0; i < 4; i++)
        c->debugreg[i] = guest_address_ok(ctx->debugreg[i]) ? ctx->debugreg[i] : 0;
    c->debugreg[6] = (ctx->debugreg[6] & 0xe00f) | DR6_FIXED;
    /* No GD, no reserved bits, and no I/O breakpoints without CR4.DE, which a fresh vCPU has not set. */
    uint64_t dr7 = (ctx->debugreg[7] & 0xffff03ffUL) | DR7_FIXED;
    for (unsigned i = 0; i < 4; i++) {
        if ((dr7 >> (16 + 4 * i) & 3) == 2)
            dr7 &= ~(3UL << (2 * i));
    }
    c->debugreg[7] = dr7;
}

/* ---- the calls ---- */

static int set_structure(struct vcpu *v, const struct vcpu_guest_context *ctx)
{
    int rc = pt_finish_pending(v);
    if (!rc)
        rc = pt_set_kernel_root(v, mfn(ctx->ctrlreg[3] >> PAGE_SHIFT));
    if (!rc)
        rc = pt_set_user_root(v, user_root_of(ctx));
    if (!rc)
        rc = vcpu_set_gdt(v, ctx->gdt_frames, (unsigned)ctx->gdt_ents);
    if (!rc)
        rc = vcpu_set_ldt(v, ctx->ldt_base, (unsigned)ctx->ldt_ents);
    return rc;
}

static int set_fresh(struct vcpu *v, const struct vcpu_guest_context *ctx)
{
    const int rc = set_structure(v, ctx);
    if (rc)
        return rc;
    store_registers(v, ctx);
    store_handlers(v, ctx);
    store_debug(v, ctx);
    if (v->id == 0)
        v->domain->vm_assist = ctx->vm_assist & (0x3fUL | 1UL << 32);
    spin_lock(&v->domain->lock);
    v->initialised = true;
    spin_unlock(&v->domain->lock);
    return 0;
}

static bool is_initialised(struct vcpu *v)
{
    spin_lock(&v->domain->lock);
    const bool yes = v->initialised;
    spin_unlock(&v->domain->lock);
    return yes;
}

int vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *ctx)
{
    int rc = 0;
    if (!addresses_ok(ctx) || !sizes_ok(ctx))
        return -EINVAL;
    if (!is_initialised(v)) {
        rc = set_fresh(v, ctx);
    } else {
        if (!same_structure(v, ctx))
            return -EOPNOTSUPP;
        store_registers(v, ctx);
        store_handlers(v, ctx);
        store_debug(v, ctx);
    }
    if (rc)
        return rc;
    if (ctx->flags & VGCF_online)
        atomic_fetch_and(&v->pause_flags, ~VPF_DOWN);
    else
        atomic_fetch_or(&v->pause_flags, VPF_DOWN);
    return 0;
}

int vcpu_initialise(struct vcpu *v, const struct vcpu_guest_context *ctx)
{
    if (!addresses_ok(ctx) || !sizes_ok(ctx))
        return -EINVAL;
    /*
     * One at a time. Were two vCPUs here at once, the slower would replace the root that the target already runs on
     * (its CPU keeps the old one loaded without a reference), and the references of one of them would be lost.
     */
    if (atomic_exchange(&v->initialising, true))
        return -ERESTART;
    const int rc = is_initialised(v) ? -EEXIST : set_fresh(v, ctx);
    atomic_store(&v->initialising, false);
    return rc;
}

void vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *ctx)
{
    const struct guest_cpu *c = &v->cpu;

    memset(ctx, 0, sizeof(*ctx));
    ctx->flags = VGCF_i387_valid | (c->kernel_mode ? VGCF_in_kernel : 0) |
                 (atomic_load(&v->pause_flags) & VPF_DOWN ? 0 : VGCF_online) |
                 (c->failsafe_mask_events ? VGCF_failsafe_disables_events : 0) |
                 (c->syscall_mask_events ? VGCF_syscall_disables_events : 0);
    machine_fpu_export(v, &ctx->fpu_ctxt);
    ctx->user_regs = c->regs;
    ctx->user_regs.error_code = ctx->user_regs.entry_vector = 0;
    ctx->user_regs.ds = c->ds;
    ctx->user_regs.es = c->es;
    ctx->user_regs.fs = c->fs;
    ctx->user_regs.gs = c->gs;
    ctx->user_regs.rflags = (c->regs.rflags & ~RFLAGS_IOPL) | (uint64_t)c->iopl << 12;
    for (unsigned i = 0; i < 256; i++) {
        struct trap_info *t = &ctx->trap_ctxt[i];
        t->vector = (uint8_t)i;
        t->flags = (uint8_t)(c->traps[i].dpl | (c->traps[i].mask_events ? 4 : 0));
        t->cs = c->traps[i].cs;
        t->address = c->traps[i].address;
    }
    ctx->ldt_base = c->ldt_base;
    ctx->ldt_ents = c->ldt_entries;
    ctx->gdt_ents = c->gdt_entries;
    for (unsigned i = 0; i < ARRAY_SIZE(ctx->gdt_frames) && i * 512 < c->gdt_entries; i++)
        ctx->gdt_frames[i] = c->gdt_frames[i].n;
    ctx->kernel_ss = c->kernel_ss;
    ctx->kernel_sp = c->kernel_sp;
    ctx->ctrlreg[0] = 0x80050033UL | c->cr0_ts;
    ctx->ctrlreg[1] = mfn_eq(c->user_root, MFN_INVALID) ? 0 : c->user_root.n << PAGE_SHIFT;
    ctx->ctrlreg[3] = mfn_eq(c->kernel_root, MFN_INVALID) ? 0 : c->kernel_root.n << PAGE_SHIFT;
    ctx->ctrlreg[4] = c->cr4;
    memcpy(ctx->debugreg, c->debugreg, sizeof(ctx->debugreg));
    ctx->event_callback_eip = c->event_callback;
    ctx->failsafe_callback_eip = c->failsafe_callback;
    ctx->syscall_callback_eip = c->syscall_callback;
    ctx->vm_assist = v->domain->vm_assist;
    ctx->fs_base = c->fs_base;
    ctx->gs_base_kernel = c->gs_base_kernel;
    ctx->gs_base_user = c->gs_base_user;
}

int vcpu_reset(struct vcpu *v)
{
    int rc = pt_finish_pending(v);
    if (!rc)
        rc = pt_drop_roots(v);
    if (rc)
        return rc;
    vcpu_drop_gdt(v);
    v->cpu.ldt_entries = 0;
    struct fpu_state *fpu = v->cpu.fpu;
    vcpu_init_cpu_state(v);
    v->cpu.fpu = fpu;
    machine_fpu_reset(v);
    vcpu_drop_info(v);
    v->info = v->id < XEN_LEGACY_MAX_VCPUS && v->domain->shared_info
                  ? (struct vcpu_info *)&v->domain->shared_info->vcpu_info[v->id]
                  : &v->dummy_info;
    atomic_fetch_or(&v->pause_flags, VPF_DOWN);
    atomic_fetch_and(&v->pause_flags, ~VPF_BLOCKED);
    spin_lock(&v->domain->lock);
    v->initialised = false;
    spin_unlock(&v->domain->lock);
    return 0;
}
