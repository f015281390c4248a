/* SPDX-License-Identifier: GPL-2.0-or-later */
/* emul_priv.h - between the files of emul/ */
#ifndef PARAVANE_EMUL_PRIV_H
#define PARAVANE_EMUL_PRIV_H

#include "emul/decode.h"
#include "emul/emul.h"

#define X86_EFLAGS_CF (1UL << 0)
#define X86_EFLAGS_PF (1UL << 2)
#define X86_EFLAGS_AF (1UL << 4)
#define X86_EFLAGS_ZF (1UL << 6)
#define X86_EFLAGS_SF (1UL << 7)
#define X86_EFLAGS_TF (1UL << 8)
#define X86_EFLAGS_DF (1UL << 10)
#define X86_EFLAGS_OF (1UL << 11)
#define X86_EFLAGS_RF (1UL << 16)
#define X86_EFLAGS_ARITH \
    (X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_OF)

/* The instruction is done: rip moves, RF goes, a single step traps. */
void emul_retire(struct vcpu *v, struct cpu_user_regs *regs, unsigned length);
/* Is the code at regs->cs 64-bit code? */
bool emul_long_mode(struct vcpu *v, const struct cpu_user_regs *regs);

/*
 * Fetch and decode the instruction at regs->rip. *@i stays valid until the next call on this CPU; *@n is the number of
 * bytes that could be read. The last few results are kept by their bytes: the kernel's handful of page-table stores and
 * MSR reads are decoded once.
 */
enum decode_result emul_decode(struct vcpu *v, const struct cpu_user_regs *regs, bool long_mode, const struct insn **i,
                               unsigned *n);

/* What became of an instruction. */
enum emul_result {
    EMUL_DONE,                  /* registers updated; retire it */
    EMUL_AGAIN,                 /* leave rip where it is: a trap was queued, or execute it again */
    EMUL_REFUSED,               /* #GP */
};

/* IN OUT INS OUTS (io_port.c) and MOV CR, MOV DR, XSETBV, ... (priv_op.c). */
enum emul_result emul_port_io(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *i);
enum emul_result emul_privileged(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *i);

#endif
