/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * H36..H39: no hypercall reads or writes through a pointer the guest itself could not use; a structure that
 * crosses out of guest memory is refused; outputs carry no byte that was not meant; vcpu_info can be placed once.
 */
#include "hostile.h"

static const uint64_t bad[] = { 8, BAD_NONCANONICAL, BAD_M2P, BAD_HYPERVISOR, BAD_DIRECTMAP, 0xffff87fffffffff8UL,
                                BAD_EDGE, 0x8000000000000000UL };

struct call {
    const char *name;
    unsigned nr;
    uint64_t args[5];
    int pointer;               /* which of them is the pointer */
    bool counts;               /* returns how much was done, so 0 says that nothing was */
};

#define BAD ~0UL
static const struct call calls[] = {
    { "set_trap_table", __HYPERVISOR_set_trap_table, { BAD }, 0, false },
    { "mmu_update", __HYPERVISOR_mmu_update, { BAD, 1, 0, DOMID_SELF }, 0, false },
    { "set_gdt", __HYPERVISOR_set_gdt, { BAD, 512 }, 0, false },
    { "multicall", __HYPERVISOR_multicall, { BAD, 1 }, 0, false },
    { "version extraversion", __HYPERVISOR_xen_version, { XENVER_extraversion, BAD }, 1, false },
    { "version compile_info", __HYPERVISOR_xen_version, { XENVER_compile_info, BAD }, 1, false },
    { "version capabilities", __HYPERVISOR_xen_version, { XENVER_capabilities, BAD }, 1, false },
    { "version changeset", __HYPERVISOR_xen_version, { XENVER_changeset, BAD }, 1, false },
    { "version platform", __HYPERVISOR_xen_version, { XENVER_platform_parameters, BAD }, 1, false },
    { "version features", __HYPERVISOR_xen_version, { XENVER_get_features, BAD }, 1, false },
    { "version handle", __HYPERVISOR_xen_version, { XENVER_guest_handle, BAD }, 1, false },
    { "version commandline", __HYPERVISOR_xen_version, { XENVER_commandline, BAD }, 1, false },
    { "grant map", __HYPERVISOR_grant_table_op, { GNTTABOP_map_grant_ref, BAD, 1 }, 1, false },
    { "grant unmap", __HYPERVISOR_grant_table_op, { GNTTABOP_unmap_grant_ref, BAD, 1 }, 1, false },
    { "grant setup", __HYPERVISOR_grant_table_op, { GNTTABOP_setup_table, BAD, 1 }, 1, false },
    { "grant copy", __HYPERVISOR_grant_table_op, { GNTTABOP_copy, BAD, 1 }, 1, false },
    { "grant query", __HYPERVISOR_grant_table_op, { GNTTABOP_query_size, BAD, 1 }, 1, false },
    { "grant version", __HYPERVISOR_grant_table_op, { GNTTABOP_set_version, BAD, 1 }, 1, false },
    { "grant get_version", __HYPERVISOR_grant_table_op, { GNTTABOP_get_version, BAD, 1 }, 1, false },
    { "grant swap", __HYPERVISOR_grant_table_op, { GNTTABOP_swap_grant_ref, BAD, 1 }, 1, false },
    { "mmuext", __HYPERVISOR_mmuext_op, { BAD, 1, 0, DOMID_SELF }, 0, false },
    { "sched shutdown", __HYPERVISOR_sched_op, { SCHEDOP_shutdown, BAD }, 1, false },
    { "sched poll", __HYPERVISOR_sched_op, { SCHEDOP_poll, BAD }, 1, false },
    { "sched remote_shutdown", __HYPERVISOR_sched_op, { SCHEDOP_remote_shutdown, BAD }, 1, false },
    { "sched watchdog", __HYPERVISOR_sched_op, { SCHEDOP_watchdog, BAD }, 1, false },
    { "sched shutdown_code", __HYPERVISOR_sched_op, { SCHEDOP_shutdown_code, BAD }, 1, false },
    { "callback register", __HYPERVISOR_callback_op, { CALLBACKOP_register, BAD }, 1, false },
    { "callback unregister", __HYPERVISOR_callback_op, { CALLBACKOP_unregister, BAD }, 1, false },
    { "vcpu initialise", __HYPERVISOR_vcpu_op, { VCPUOP_initialise, 1, BAD }, 2, false },
    { "vcpu runstate", __HYPERVISOR_vcpu_op, { VCPUOP_get_runstate_info, 0, BAD }, 2, false },
    { "vcpu runstate area", __HYPERVISOR_vcpu_op, { VCPUOP_register_runstate_memory_area, 0, BAD }, 2, false },
    { "vcpu time area", __HYPERVISOR_vcpu_op, { VCPUOP_register_vcpu_time_memory_area, 0, BAD }, 2, false },
    { "vcpu periodic", __HYPERVISOR_vcpu_op, { VCPUOP_set_periodic_timer, 0, BAD }, 2, false },
    { "vcpu singleshot", __HYPERVISOR_vcpu_op, { VCPUOP_set_singleshot_timer, 0, BAD }, 2, false },
    { "vcpu info", __HYPERVISOR_vcpu_op, { VCPUOP_register_vcpu_info, 0, BAD }, 2, false },
    { "memory populate", __HYPERVISOR_memory_op, { XENMEM_populate_physmap, BAD }, 1, true },
    { "memory decrease", __HYPERVISOR_memory_op, { XENMEM_decrease_reservation, BAD }, 1, true },
    { "memory exchange", __HYPERVISOR_memory_op, { XENMEM_exchange, BAD }, 1, false },
    { "memory current", __HYPERVISOR_memory_op, { XENMEM_current_reservation, BAD }, 1, false },
    { "memory maximum", __HYPERVISOR_memory_op, { XENMEM_maximum_reservation, BAD }, 1, false },
    { "memory machphys_mapping", __HYPERVISOR_memory_op, { XENMEM_machphys_mapping, BAD }, 1, false },
    { "memory machphys_list", __HYPERVISOR_memory_op, { XENMEM_machphys_mfn_list, BAD }, 1, false },
    { "memory map", __HYPERVISOR_memory_op, { XENMEM_memory_map, BAD }, 1, false },
    { "memory add_to_physmap", __HYPERVISOR_memory_op, { XENMEM_add_to_physmap, BAD }, 1, false },
    { "evtchn alloc", __HYPERVISOR_event_channel_op, { EVTCHNOP_alloc_unbound, BAD }, 1, false },
    { "evtchn bind_interdomain", __HYPERVISOR_event_channel_op, { EVTCHNOP_bind_interdomain, BAD }, 1, false },
    { "evtchn bind_virq", __HYPERVISOR_event_channel_op, { EVTCHNOP_bind_virq, BAD }, 1, false },
    { "evtchn bind_ipi", __HYPERVISOR_event_channel_op, { EVTCHNOP_bind_ipi, BAD }, 1, false },
    { "evtchn close", __HYPERVISOR_event_channel_op, { EVTCHNOP_close, BAD }, 1, false },
    { "evtchn send", __HYPERVISOR_event_channel_op, { EVTCHNOP_send, BAD }, 1, false },
    { "evtchn status", __HYPERVISOR_event_channel_op, { EVTCHNOP_status, BAD }, 1, false },
    { "evtchn bind_vcpu", __HYPERVISOR_event_channel_op, { EVTCHNOP_bind_vcpu, BAD }, 1, false },
    { "evtchn unmask", __HYPERVISOR_event_channel_op, { EVTCHNOP_unmask, BAD }, 1, false },
    { "evtchn reset", __HYPERVISOR_event_channel_op, { EVTCHNOP_reset, BAD }, 1, false },
    { "physdev set_iopl", __HYPERVISOR_physdev_op, { PHYSDEVOP_set_iopl, BAD }, 1, false },
    { "physdev set_iobitmap", __HYPERVISOR_physdev_op, { PHYSDEVOP_set_iobitmap, BAD }, 1, false },
    { "physdev eoi", __HYPERVISOR_physdev_op, { PHYSDEVOP_eoi, BAD }, 1, false },
    { "domctl", __HYPERVISOR_domctl, { BAD }, 0, false },
    { "sysctl", __HYPERVISOR_sysctl, { BAD }, 0, false },
    { "platform_op", __HYPERVISOR_platform_op, { BAD }, 0, false },
    { "console write", __HYPERVISOR_console_io, { CONSOLEIO_write, 8, BAD }, 2, false },
    { "nmi register", __HYPERVISOR_nmi_op, { 0, BAD }, 1, false },
    { "xsm_op", __HYPERVISOR_xsm_op, { BAD }, 0, false },
};

static void every_pointer(void)
{
    item("H36");
    for (unsigned i = 0; i < ARRAY_SIZE(calls); i++)
        for (unsigned k = 0; k < ARRAY_SIZE(bad); k++) {
            uint64_t a[5];

            memcpy(a, calls[i].args, sizeof(a));
            a[calls[i].pointer] = bad[k];
            long rc = hypercall(calls[i].nr, a[0], a[1], a[2], a[3], a[4]);
            /* Not every call looks at its pointer before it says "not for you" or "no such thing". */
            CHECK(rc < 0 || (rc == 0 && calls[i].counts), "%s at %lx: %ld", calls[i].name, bad[k], rc);
        }
    CHECK(M2P[mm_mfn(mm_va(0))] == 0, "the M2P was written");
}

static void crossing(void)
{
    uint64_t *page = page_alloc(), va = mm_reserve_va(1);

    item("H37");
    RC(mm_map(va, mm_mfn(page), PTE_KERNEL), 0);
    memset(page, 0x5a, PAGE_SIZE);
    /* 16 bytes before the end of the page; what follows is not mapped. */
    uint64_t edge = va + PAGE_SIZE - 16;
    RC(hc_xen_version(XENVER_capabilities, (void *)edge), -XEN_EFAULT);
    RC(hc_xen_version(XENVER_changeset, (void *)edge), -XEN_EFAULT);
    RC(hc_vcpu_op(VCPUOP_get_runstate_info, 0, (void *)edge), -XEN_EFAULT);
    RC(hc_memory_op(XENMEM_machphys_mapping, (void *)edge), -XEN_EFAULT);
    struct mmu_update *two = (struct mmu_update *)edge;
    two->ptr = 0;
    two->val = 0;
    NEGATIVE(hc_mmu_update(two, 2, NULL, DOMID_SELF));
    struct multicall_entry *mc = (struct multicall_entry *)edge;
    RC(hc_multicall(mc, 1), -XEN_EFAULT);
    for (unsigned i = 0; i < 510; i++)
        CHECK(page[i] == 0x5a5a5a5a5a5a5a5aUL, "word %u of the page changed to %lx", i, page[i]);
    RC(mm_unmap(va), 0);
    page_free(page);
}

/* Run @fill on two buffers with different markers: a byte that keeps the marker in both was not written. */
static void outputs(void)
{
    static uint8_t one[1200], two[1200];
    static const struct {
        unsigned cmd;
        size_t size;
    } versions[] = {
        { XENVER_extraversion, 16 }, { XENVER_compile_info, sizeof(struct xen_compile_info) },
        { XENVER_capabilities, 1024 }, { XENVER_changeset, 64 }, { XENVER_guest_handle, 16 },
        { XENVER_platform_parameters, sizeof(struct xen_platform_parameters) },
    };

    item("H38");
    for (unsigned i = 0; i < ARRAY_SIZE(versions); i++) {
        memset(one, 0x11, sizeof(one));
        memset(two, 0x22, sizeof(two));
        if (hc_xen_version(versions[i].cmd, one) < 0)
            continue;
        hc_xen_version(versions[i].cmd, two);
        CHECK(memcmp(one, two, versions[i].size) == 0, "version %u leaves bytes of the caller or of the stack",
              versions[i].cmd);
        for (size_t k = versions[i].size; k < sizeof(one); k++)
            if (one[k] != 0x11) {
                item_fail("version %u wrote byte %lu of %lu", versions[i].cmd, k, versions[i].size);
                break;
            }
    }
    /* Strings end, and what follows the end is zero. */
    memset(one, 0xff, sizeof(one));
    if (hc_xen_version(XENVER_capabilities, one) >= 0) {
        size_t len = strlen((char *)one);
        for (size_t k = len; k < 1024; k++)
            if (one[k] != 0) {
                item_fail("capabilities: byte %lu behind the string is %x", k, one[k]);
                break;
            }
    }
    struct evtchn_status s1, s2;
    memset(&s1, 0x11, sizeof(s1));
    memset(&s2, 0x22, sizeof(s2));
    s1.dom = s2.dom = DOMID_SELF;
    int port = evtchn_bind_ipi(0);
    s1.port = s2.port = (evtchn_port_t)port;
    RC(hc_event_channel_op(EVTCHNOP_status, &s1), 0);
    RC(hc_event_channel_op(EVTCHNOP_status, &s2), 0);
    CHECK(s1.status == s2.status && s1.vcpu == s2.vcpu, "event status differs");
    evtchn_close((evtchn_port_t)port);
}

static void vcpu_info_placement(void)
{
    struct vcpu_register_vcpu_info reg = { 0 };
    uint8_t *page = page_alloc();

    item("H39");
    reg.mfn = mm_mfn(page);
    reg.offset = PAGE_SIZE - 60;
    ONE_OF(hc_vcpu_op(VCPUOP_register_vcpu_info, 1, &reg), -XEN_ENXIO, -XEN_EINVAL);
    reg.offset = 3;
    ONE_OF(hc_vcpu_op(VCPUOP_register_vcpu_info, 1, &reg), -XEN_ENXIO, -XEN_EINVAL);
    reg.offset = 0xffffffff;
    ONE_OF(hc_vcpu_op(VCPUOP_register_vcpu_info, 1, &reg), -XEN_ENXIO, -XEN_EINVAL);
    reg.offset = PAGE_SIZE;
    ONE_OF(hc_vcpu_op(VCPUOP_register_vcpu_info, 1, &reg), -XEN_ENXIO, -XEN_EINVAL);
    reg.offset = 64;
    reg.mfn = FRAME_BEYOND;
    RC(hc_vcpu_op(VCPUOP_register_vcpu_info, 1, &reg), -XEN_EINVAL);
    reg.mfn = mm_l4_mfn();
    RC(hc_vcpu_op(VCPUOP_register_vcpu_info, 1, &reg), -XEN_EINVAL);
    if (victim_domid() != DOMID_INVALID) {
        reg.mfn = victim_frame();
        RC(hc_vcpu_op(VCPUOP_register_vcpu_info, 1, &reg), -XEN_EINVAL);
    }
    reg.mfn = mm_mfn(page);
    RC(hc_vcpu_op(VCPUOP_register_vcpu_info, 1, &reg), 0);
    struct vcpu_info *vi = (struct vcpu_info *)(page + 64);
    CHECK(vi->evtchn_upcall_pending == 1 && vi->evtchn_pending_sel == ~0UL, "the new place was not made pending");
    RC(hc_vcpu_op(VCPUOP_register_vcpu_info, 1, &reg), -XEN_EINVAL);
    RC(hc_vcpu_op(VCPUOP_register_vcpu_info, 4000, &reg), -XEN_ENOENT);
    /* The page now belongs to the hypervisor as well: it cannot become a table. */
    NEGATIVE(mm_pin(MMUEXT_PIN_L1_TABLE, mm_mfn(page)));
}

void guest_test(void)
{
    every_pointer();
    crossing();
    outputs();
    vcpu_info_placement();
}
