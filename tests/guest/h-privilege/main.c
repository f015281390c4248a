/* SPDX-License-Identifier: GPL-2.0-or-later */
/* H98, H99: what only the control domain may ask is refused to any other, whatever the arguments. */
#define __XEN_TOOLS__ 1
#include "hostile.h"
#include <xen/domctl.h>
#include <xen/sysctl.h>

static void control_calls(void)
{
    static struct xen_domctl dom;
    static struct xen_sysctl sys;
    static struct xen_platform_op plat;
    const bool own = is_initial_domain();

    item("H98");
    static const domid_t whom[] = { 0, 1, 2, DOMID_SELF, 0x7000, DOMID_INVALID };
    for (unsigned cmd = 0; cmd < 90; cmd++)
        for (unsigned i = 0; i < ARRAY_SIZE(whom); i++) {
            memset(&dom, 0, sizeof(dom));
            dom.cmd = cmd;
            dom.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
            dom.domain = whom[i];
            if (own)
                continue;
            long rc = hypercall(__HYPERVISOR_domctl, HC_ARG(&dom), 0, 0, 0, 0);
            /* Nonsense may be called so before rights are looked at. */
            CHECK(rc == -XEN_EPERM || rc == -XEN_ESRCH || rc == -XEN_ENOSYS || rc == -XEN_EINVAL ||
                  rc == -XEN_EOPNOTSUPP, "domctl %u on %u: %ld", cmd, whom[i], rc);
            dom.interface_version = 0x14;
            rc = hypercall(__HYPERVISOR_domctl, HC_ARG(&dom), 0, 0, 0, 0);
            CHECK(rc == -XEN_EACCES || rc == -XEN_EPERM, "domctl %u of another version: %ld", cmd, rc);
        }
    for (unsigned cmd = 0; cmd < 40; cmd++) {
        memset(&sys, 0, sizeof(sys));
        sys.cmd = cmd;
        sys.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
        memset(&plat, 0, sizeof(plat));
        plat.cmd = cmd + 30;
        plat.interface_version = XENPF_INTERFACE_VERSION;
        if (own)
            continue;
        long rc = hypercall(__HYPERVISOR_sysctl, HC_ARG(&sys), 0, 0, 0, 0);
        CHECK(rc == -XEN_EPERM || rc == -XEN_ENOSYS, "sysctl %u: %ld", cmd, rc);
        rc = hypercall(__HYPERVISOR_platform_op, HC_ARG(&plat), 0, 0, 0, 0);
        CHECK(rc == -XEN_EPERM || rc == -XEN_ENOSYS, "platform_op %u: %ld", cmd + 30, rc);
    }
    if (own) {
        dom.cmd = XEN_DOMCTL_getdomaininfo;
        dom.interface_version = 0x14;
        RC(hypercall(__HYPERVISOR_domctl, HC_ARG(&dom), 0, 0, 0, 0), -XEN_EACCES);
        dom.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
        dom.domain = 0x7000;
        RC(hypercall(__HYPERVISOR_domctl, HC_ARG(&dom), 0, 0, 0, 0), -XEN_ESRCH);
        dom.cmd = 100000;
        dom.domain = 0;
        NEGATIVE(hypercall(__HYPERVISOR_domctl, HC_ARG(&dom), 0, 0, 0, 0));
        dom.cmd = XEN_DOMCTL_pausedomain;       /* oneself */
        RC(hypercall(__HYPERVISOR_domctl, HC_ARG(&dom), 0, 0, 0, 0), -XEN_EINVAL);
        dom.cmd = XEN_DOMCTL_destroydomain;
        RC(hypercall(__HYPERVISOR_domctl, HC_ARG(&dom), 0, 0, 0, 0), -XEN_EINVAL);
        sys.cmd = 1000;
        sys.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
        NEGATIVE(hypercall(__HYPERVISOR_sysctl, HC_ARG(&sys), 0, 0, 0, 0));
    }
}

/* Answered with 0 on Xen, to no effect: notify, irq_status_query, eoi, get_free_pirq. */
static bool harmless(unsigned cmd)
{
    return cmd == 4 || cmd == 5 || cmd == 12 || cmd == 23;
}

static void other_privileges(void)
{
    struct sched_remote_shutdown remote = { .domain_id = 0, .reason = SHUTDOWN_crash };
    struct sched_pin_override pin = { .pcpu = 0 };
    char text[] = "a line that must not flood the log\n";

    item("H98-others");
    if (is_initial_domain()) {
        remote.domain_id = 0x7000;
        RC(hc_sched_op(SCHEDOP_remote_shutdown, &remote), -XEN_ESRCH);
    } else {
        RC(hc_sched_op(SCHEDOP_remote_shutdown, &remote), -XEN_EPERM);
        remote.domain_id = victim_domid();
        RC(hc_sched_op(SCHEDOP_remote_shutdown, &remote), -XEN_EPERM);
        RC(hc_sched_op(SCHEDOP_pin_override, &pin), -XEN_EPERM);
        for (unsigned cmd = 0; cmd < 40; cmd++) {
            uint8_t arg[64] = { 0 };
            long rc;

            if (cmd == PHYSDEVOP_set_iopl || cmd == PHYSDEVOP_set_iobitmap)
                continue;
            if (cmd == PHYSDEVOP_pirq_eoi_gmfn_v1 || cmd == PHYSDEVOP_pirq_eoi_gmfn_v2)
                continue;               /* a page of one's own: no privilege in it */
            rc = hc_physdev_op(cmd, arg);
            CHECK(rc < 0 || (rc == 0 && harmless(cmd)), "physdev_op %u: %ld", cmd, rc);
        }
    }
    RC(hc_sched_op(SCHEDOP_yield, NULL), 0);
    RC(hc_sched_op(99, NULL), -XEN_ENOSYS);
    NEGATIVE(hypercall(__HYPERVISOR_kexec_op, 0, 0, 0, 0, 0));
    NEGATIVE(hypercall(__HYPERVISOR_hvm_op, 0, 0, 0, 0, 0));
    NEGATIVE(hypercall(__HYPERVISOR_dm_op, 0, 0, 0, 0, 0));
    NEGATIVE(hypercall(__HYPERVISOR_xsm_op, 0, 0, 0, 0, 0));
    NEGATIVE(hypercall(__HYPERVISOR_xenoprof_op, 0, 0, 0, 0, 0));

    item("H99");
    if (is_initial_domain()) {
        RC(hc_console_io(CONSOLEIO_read, 0, text), 0);
        NEGATIVE(hc_console_io(7, 1, text));
    } else {
        RC(hc_console_io(CONSOLEIO_read, 1, text), -XEN_EPERM);
        for (unsigned i = 0; i < 200; i++) {
            long rc = hc_console_io(CONSOLEIO_write, sizeof(text) - 1, text);
            CHECK(rc == -XEN_EPERM || rc == 0, "console write: %ld", rc);
        }
    }

    item("vm-assist");
    RC(hc_vm_assist(VMASST_CMD_enable, 99), -XEN_EINVAL);
    RC(hc_vm_assist(VMASST_CMD_enable, 0xffffffff), -XEN_EINVAL);
    RC(hc_vm_assist(7, VMASST_TYPE_writable_pagetables), -XEN_ENOSYS);
}

void guest_test(void)
{
    control_calls();
    other_privileges();
}
