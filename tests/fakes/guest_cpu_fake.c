/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_cpu_fake.c - what entry/ and cpu/ provide: trap injection, registers, the GDT and LDT windows, L4 slots */
#include "boot/map_boot.h"
#include "cpu/window.h"
#include "machine_fake.h"
#include "mm/roots.h"

/* The hypervisor's L4 entries: recognisable, not present, so that the CPU model never walks them. */
uint64_t hv_l4_entries[16] = { 0x1000, 0x2000, 0x3000, 0x4000, 0x5000, 0x6000, 0x7000, 0x8000,
                               0x9000, 0xa000, 0xb000, 0xc000, 0xd000, 0xe000, 0xf000, 0x10000 };

void guest_inject_trap(struct vcpu *v, uint8_t vector, uint32_t error_code)
{
    (void)v;
    fake_log.traps++;
    fake_log.trap_vector = vector;
    fake_log.trap_error = error_code;
}

void guest_inject_page_fault(struct vcpu *v, uint64_t cr2, uint32_t error_code)
{
    guest_inject_trap(v, 14, error_code);
    fake_log.trap_cr2 = cr2;
}

void guest_inject_software_interrupt(struct vcpu *v, uint8_t vector) { guest_inject_trap(v, vector, 0); }

struct cpu_user_regs *vcpu_regs(struct vcpu *v) { return &v->cpu.regs; }

static mfn_t ldt_window[MAX_CPUS][16] = { [0 ... MAX_CPUS - 1] = { [0 ... 15] = { ~0UL } } };

void window_load_gdt(struct vcpu *v) { (void)v; }
void window_set_ldt_page(unsigned idx, mfn_t m) { ldt_window[fake_cpu][idx] = m; }
mfn_t window_ldt_page(unsigned idx) { return ldt_window[fake_cpu][idx]; }
void window_load_ldt(const struct vcpu *v) { (void)v; }

/* One chunk of M2P at a frame the test chooses. */
mfn_t fake_m2p_mfn = { ~0UL };
#define WEAK __attribute__((weak))
WEAK mfn_t m2p_chunk_frame(uint64_t i) { return i ? MFN_INVALID : fake_m2p_mfn; }
WEAK unsigned m2p_chunk_count(void) { return 1; }
WEAK bool m2p_is_frame(mfn_t m) { return mfn_eq(m, fake_m2p_mfn); }
