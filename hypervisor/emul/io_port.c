/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io_port.c - every port access of a PV guest (abi-map 6.2)
 *
 *   I1  the IOPL or bitmap check comes first, then routing; a denied port reads all ones and swallows writes, it
 *       never faults (a #GP from IN is an oops in a kernel).
 *   I2  a real port is touched only when io_caps allows every byte of the access to the domain.
 *   I3  one string instruction moves at most STRING_CHUNK elements per entry; its registers carry the progress, so
 *       the guest simply executes the rest again.
 *
 * Emulated: PCI configuration (0xCF8, 0xCFC..), CMOS index (0x70) and data (0x71), PIT timer 2 with its gate (0x42,
 * 0x43, 0x61) so that calibration loops end.
 */
#include "emul/emul_priv.h"

#include "domain/io_caps.h"
#include "emul/io_port.h"
#include "hypercall/hypercall.h"
#include "machine.h"
#include "mm/frame_alloc.h"
#include "mm/page_ref.h"
#include "mm/pt_update.h"

#define STRING_CHUNK 64u
#define PIT_HZ 1193182UL
#define PIT_HIGH_NEXT 0x100u
#define PIT_READ_HIGH 0x200u
#define PIT_LATCHED 0x10000u
#define PCI_ENABLE 0x80000000u
#define PF_WRITE 2u

static uint32_t ones(unsigned size)
{
    return (uint32_t)insn_mask(size);
}

/* ---- may this code do port I/O at all? ---- */

/* One byte of the guest kernel's memory, by its tables: user tables may be loaded now. False: unmapped. */
static bool read_kernel_byte(struct vcpu *v, gva_t va, uint8_t *out)
{
    maddr_t slot;

    if (!guest_range_ok(va, 1) || !pt_walk_l1(v, va, &slot))
        return false;
    const uint64_t *table = frame_ptr(maddr_to_mfn(slot));
    const uint64_t e = READ_ONCE(table[(slot.n & ~PAGE_MASK) / sizeof(*table)]);
    if (!(e & PTE_P) || !page_ref_get(pte_mfn(e), v->domain))
        return false;
    *out = READ_ONCE(((const uint8_t *)frame_ptr(pte_mfn(e)))[va.n & ~PAGE_MASK]);
    page_ref_put(pte_mfn(e));
    return true;
}

/* ABI: PHYSDEVOP_set_iobitmap: a clear bit allows; what cannot be read denies. */
static bool bitmap_allows(struct vcpu *v, unsigned port, unsigned size)
{
    if (port + size > v->cpu.iobitmap_ports)
        return false;
    for (unsigned p = port; p < port + size; p++) {
        uint8_t byte;
        if (!read_kernel_byte(v, gva(v->cpu.iobitmap.n + p / 8), &byte) || (byte >> (p % 8)) & 1)
            return false;
    }
    return true;
}

static bool io_allowed(struct vcpu *v, unsigned port, unsigned size)
{
    const bool architectural = v->domain->vm_assist & (1UL << VMASST_TYPE_architectural_iopl);
    const unsigned needed = v->cpu.kernel_mode ? (architectural ? 0 : 1) : 3;

    return v->cpu.iopl >= needed || bitmap_allows(v, port, size);
}

/* ---- PIT timer 2 ---- */

static uint32_t pit_now(struct io_latches *l)
{
    const uint64_t start = atomic_load(&l->pit_start_ns), count = atomic_load(&l->pit_count);

    if (start == 0 || count == 0)
        return (uint32_t)count;
    const uint64_t ticks = (machine_now() - start) / 1000 * PIT_HZ / 1000000;
    return ticks < count ? (uint32_t)(count - ticks) : (uint32_t)(0x10000 - (ticks - count)) & 0xffff;
}

static bool pit_expired(struct io_latches *l)
{
    const uint64_t start = atomic_load(&l->pit_start_ns), count = atomic_load(&l->pit_count);
    return start != 0 && (machine_now() - start) / 1000 * PIT_HZ / 1000000 >= count;
}

static void pit_write_count(struct io_latches *l, uint8_t value)
{
    const uint32_t bytes = atomic_load(&l->pit_bytes);

    if (!(bytes & PIT_HIGH_NEXT)) {
        atomic_store(&l->pit_bytes, (bytes & PIT_READ_HIGH) | PIT_HIGH_NEXT | value);
        return;
    }
    const uint32_t count = (uint32_t)value << 8 | (bytes & 0xff);
    atomic_store(&l->pit_bytes, bytes & PIT_READ_HIGH);
    atomic_store(&l->pit_count, count ? count : 0x10000);
    atomic_store(&l->pit_start_ns, atomic_load(&l->port61) & 1 ? machine_now() : 0);
}

static uint8_t pit_read_count(struct io_latches *l)
{
    const uint32_t bytes = atomic_fetch_xor(&l->pit_bytes, PIT_READ_HIGH);
    uint32_t latched = atomic_load(&l->pit_latched);
    const uint32_t count = latched & PIT_LATCHED ? latched : pit_now(l);

    if (!(bytes & PIT_READ_HIGH))
        return (uint8_t)count;
    atomic_store(&l->pit_latched, 0);
    return (uint8_t)(count >> 8);
}

static void pit_control(struct io_latches *l, uint8_t value)
{
    if (value >> 6 != 2)
        return;                         /* timers 0 and 1 are not the guest's */
    if ((value & 0x30) == 0)
        atomic_store(&l->pit_latched, (pit_now(l) & 0xffff) | PIT_LATCHED);
    else
        atomic_store(&l->pit_bytes, 0);
}

static void port61_write(struct io_latches *l, uint8_t value)
{
    const uint32_t old = atomic_exchange(&l->port61, value & 3);

    if ((value & 1) && !(old & 1))
        atomic_store(&l->pit_start_ns, machine_now());
    else if (!(value & 1))
        atomic_store(&l->pit_start_ns, 0);
}

/* True: @port is one of these; reads answer in *@value. Byte accesses only, as the chip. */
static bool pit_access(struct io_latches *l, unsigned port, bool write, uint32_t *value)
{
    switch (port) {
    case 0x42:
        if (write)
            pit_write_count(l, (uint8_t)*value);
        else
            *value = pit_read_count(l);
        return true;
    case 0x43:
        if (write)
            pit_control(l, (uint8_t)*value);
        else
            *value = 0xff;
        return true;
    case 0x61:
        if (write)
            port61_write(l, (uint8_t)*value);
        else
            *value = atomic_load(&l->port61) | (pit_expired(l) ? 0x20u : 0);
        return true;
    default:
        return false;
    }
}

/* ---- PCI configuration and CMOS ---- */

static bool pci_access(struct domain *d, unsigned port, unsigned size, bool write, uint32_t *value)
{
    const uint32_t address = atomic_load(&d->latches.pci_address);

    if (port == 0xcf8 && size == 4) {
        if (write)
            atomic_store(&d->latches.pci_address, *value);
        else
            *value = address;
        return true;
    }
    if ((port & ~3u) != 0xcfc)
        return false;
    const unsigned offset = port & 3;
    const bool reachable = d->privileged && (address & PCI_ENABLE) && offset % size == 0;
    if (write && reachable)
        machine_pci_write(address, offset, size, *value);
    else if (!write)
        *value = reachable ? machine_pci_read(address, offset, size) : ones(size);
    return true;
}

static bool cmos_access(struct domain *d, unsigned port, unsigned size, bool write, uint32_t *value)
{
    if ((port != 0x70 && port != 0x71) || size != 1)
        return false;
    const uint32_t index = atomic_load(&d->latches.cmos_index);
    if (port == 0x70) {
        if (write)
            atomic_store(&d->latches.cmos_index, *value & 0xff);
        else
            *value = index;
        return true;
    }
    if (!io_caps_port_ok(d, 0x70, 0x71)) {
        *value = write ? *value : 0xff;
        return true;
    }
    machine_port_out(0x70, 1, index);
    if (write)
        machine_port_out(0x71, 1, *value);
    else
        *value = machine_port_in(0x71, 1);
    return true;
}

/* One access, already allowed by IOPL or bitmap. */
static void access_port(struct domain *d, unsigned port, unsigned size, bool write, uint32_t *value)
{
    if (pci_access(d, port, size, write, value) || cmos_access(d, port, size, write, value) ||
        (size == 1 && pit_access(&d->latches, port, write, value)))
        return;
    const bool real = port + size <= 0x10000 && io_caps_port_ok(d, port, port + size - 1);     /* I2 */
    if (write && real)
        machine_port_out((uint16_t)port, size, *value);
    else if (!write)
        *value = real ? machine_port_in((uint16_t)port, size) : ones(size);
}

/* ---- INS, OUTS ---- */

static uint64_t segment_base(struct vcpu *v, enum insn_segment s)
{
    if (s == SEG_FS)
        return guest_seg_base_get(v, SEG_BASE_FS);
    if (s == SEG_GS)
        return guest_seg_base_get(v, v->cpu.kernel_mode ? SEG_BASE_GS_KERNEL : SEG_BASE_GS_USER);
    return 0;
}

/* Advance rsi or rdi, and rcx, by one element in the width of the address size. */
static void step(uint64_t *r, unsigned address_size, int64_t by)
{
    *r = address_size == 4 ? (uint32_t)(*r + (uint64_t)by) : *r + (uint64_t)by;
}

static enum emul_result string_io(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *i)
{
    const bool write = i->opcode >= 0x6e, repeat = i->rep || i->repne;
    const uint64_t mask = insn_mask(i->address_size), base = write ? segment_base(v, i->segment) : 0;
    const int64_t by = regs->rflags & X86_EFLAGS_DF ? -(int64_t)i->op_size : i->op_size;
    uint64_t *index = write ? &regs->rsi : &regs->rdi;

    for (unsigned n = 0; !repeat || (regs->rcx & mask); n++) {
        if (n == STRING_CHUNK)
            return EMUL_AGAIN;                                                  /* I3 */
        const uint64_t at = base + (*index & mask);
        uint32_t value = 0;
        if (write && guest_copy_in(&value, gva(at), i->op_size)) {
            guest_inject_page_fault(v, at, 0);
            return EMUL_AGAIN;
        }
        access_port(v->domain, regs->dx, i->op_size, write, &value);
        if (!write && guest_copy_out(gva(at), &value, i->op_size)) {
            guest_inject_page_fault(v, at, PF_WRITE);
            return EMUL_AGAIN;
        }
        step(index, i->address_size, by);
        if (!repeat)
            break;
        step(&regs->rcx, i->address_size, -1);
    }
    return EMUL_DONE;
}

enum emul_result emul_port_io(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *i)
{
    const bool immediate = i->opcode >= 0xe4 && i->opcode <= 0xe7;
    const unsigned port = immediate ? (uint8_t)i->imm : regs->dx;

    if (!io_allowed(v, port, i->op_size))
        return EMUL_REFUSED;                                                    /* I1 */
    if (i->opcode <= 0x6f)
        return string_io(v, regs, i);

    const bool write = i->opcode & 2;
    uint32_t value = (uint32_t)(regs->rax & insn_mask(i->op_size));
    access_port(v->domain, port, i->op_size, write, &value);
    if (!write)
        insn_reg_write(regs, 0, i->op_size, value);
    return EMUL_DONE;
}
