/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * abi_check.c - the layouts we rely on, pinned: sizes and offsets that Debian 12's Linux and tools were built with
 *
 * No code. If a header of another release changes one of these, the build says which, instead of a guest finding out.
 */
#include <stddef.h>

#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sched.h>
#include <xen/sysctl.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define SIZE(type, n) _Static_assert(sizeof(type) == (n), "size of " #type)
#define OFFSET(type, field, n) _Static_assert(offsetof(type, field) == (n), "offset of " #type "." #field)
#define VALUE(name, n) _Static_assert((name) == (n), "value of " #name)

SIZE(struct start_info, 1168);
SIZE(struct shared_info, 3136);
OFFSET(struct shared_info, evtchn_pending, 2048);
OFFSET(struct shared_info, evtchn_mask, 2560);
OFFSET(struct shared_info, wc_version, 3072);
OFFSET(struct shared_info, wc_sec_hi, 3084);
OFFSET(struct shared_info, arch, 3088);
SIZE(struct vcpu_info, 64);
OFFSET(struct vcpu_info, evtchn_pending_sel, 8);
OFFSET(struct vcpu_info, arch.cr2, 16);
OFFSET(struct vcpu_info, time, 32);
SIZE(struct vcpu_time_info, 32);
SIZE(struct vcpu_runstate_info, 48);

SIZE(struct vcpu_guest_context, 5168);
OFFSET(struct vcpu_guest_context, flags, 512);
OFFSET(struct vcpu_guest_context, user_regs, 520);
OFFSET(struct vcpu_guest_context, trap_ctxt, 720);
OFFSET(struct vcpu_guest_context, ldt_base, 4816);
OFFSET(struct vcpu_guest_context, gdt_frames, 4832);
OFFSET(struct vcpu_guest_context, gdt_ents, 4960);
OFFSET(struct vcpu_guest_context, kernel_ss, 4968);
OFFSET(struct vcpu_guest_context, ctrlreg, 4984);
OFFSET(struct vcpu_guest_context, debugreg, 5048);
OFFSET(struct vcpu_guest_context, event_callback_eip, 5112);
OFFSET(struct vcpu_guest_context, vm_assist, 5136);
OFFSET(struct vcpu_guest_context, fs_base, 5144);
SIZE(struct cpu_user_regs, 200);
OFFSET(struct cpu_user_regs, rip, 128);
OFFSET(struct cpu_user_regs, cs, 136);
OFFSET(struct cpu_user_regs, saved_upcall_mask, 140);
OFFSET(struct cpu_user_regs, es, 168);
SIZE(struct iret_context, 72);
SIZE(struct trap_info, 16);

SIZE(struct multicall_entry, 64);
SIZE(struct mmu_update, 16);
SIZE(struct mmuext_op, 24);

SIZE(struct gnttab_map_grant_ref, 32);
SIZE(struct gnttab_unmap_grant_ref, 24);
SIZE(struct gnttab_copy, 40);
SIZE(struct grant_entry_v1, 8);
SIZE(struct evtchn_fifo_control_block, 72);

SIZE(struct xen_domctl, 144);
OFFSET(struct xen_domctl, u, 16);
SIZE(struct xen_domctl_getdomaininfo, 112);
SIZE(struct xen_sysctl, 136);
OFFSET(struct xen_sysctl, u, 8);
SIZE(struct xen_sysctl_physinfo, 112);
SIZE(struct xen_platform_op, 136);
SIZE(struct dom0_vga_console_info, 40);
SIZE(struct xen_memory_reservation, 32);
SIZE(struct xen_memory_exchange, 72);
SIZE(struct physdev_map_pirq, 40);

VALUE(XEN_DOMCTL_INTERFACE_VERSION, 0x15);
VALUE(XEN_SYSCTL_INTERFACE_VERSION, 0x15);
VALUE(XENPF_INTERFACE_VERSION, 0x03000001);

/* Numbers of top-level hypercalls. */
VALUE(__HYPERVISOR_set_trap_table, 0);
VALUE(__HYPERVISOR_mmu_update, 1);
VALUE(__HYPERVISOR_memory_op, 12);
VALUE(__HYPERVISOR_multicall, 13);
VALUE(__HYPERVISOR_xen_version, 17);
VALUE(__HYPERVISOR_console_io, 18);
VALUE(__HYPERVISOR_grant_table_op, 20);
VALUE(__HYPERVISOR_iret, 23);
VALUE(__HYPERVISOR_vcpu_op, 24);
VALUE(__HYPERVISOR_mmuext_op, 26);
VALUE(__HYPERVISOR_sched_op, 29);
VALUE(__HYPERVISOR_event_channel_op, 32);
VALUE(__HYPERVISOR_physdev_op, 33);
VALUE(__HYPERVISOR_sysctl, 35);
VALUE(__HYPERVISOR_domctl, 36);

VALUE(DOMID_SELF, 0x7FF0);
VALUE(DOMID_IO, 0x7FF1);
VALUE(DOMID_XEN, 0x7FF2);
VALUE(DOMID_INVALID, 0x7FF4);
