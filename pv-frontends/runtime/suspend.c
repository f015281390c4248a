/* SPDX-License-Identifier: MIT */
/*
 * Suspend and resume. Owns what the shared page says of our list of frames.
 *
 * What is saved are the guest's own frames, with frame numbers in page tables translated both ways. So whatever names
 * a frame that is not the guest's (shared page, grant table) is unmapped before, and whatever holds a frame number as
 * data is written again after: start_info's two pages, the number of our L4.
 *
 * ABI: arch_shared_info p2m_cr3: the tables through which p2m_vaddr, the list of frames, is found. start_info's store
 * and console frames become pfns while suspended; the third argument of the shutdown call is the frame of start_info,
 * which the toolstack translates.
 */
#include "control.h"
#include "port.h"
#include "suspend.h"
#include "thread.h"

static void publish_frames(void)
{
    shared_info->arch.max_pfn = start_info->nr_pages;
    shared_info->arch.p2m_vaddr = start_info->mfn_list;
    shared_info->arch.p2m_cr3 = mm_l4_mfn() << PAGE_SHIFT;
}

void suspend_init(void)
{
    if (!is_initial_domain())
        publish_frames();
}

static long ask_for_suspend(void)
{
    struct sched_shutdown op = { .reason = SHUTDOWN_suspend };

    return hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, HC_ARG(&op), mm_mfn(start_info), 0, 0);
}

int guest_suspend(void)
{
    struct vcpu_info *vi = &shared_info->vcpu_info[0];
    uint64_t then;
    long rc;

    if (is_initial_domain() || this_cpu()->id != 0)
        return -XEN_EINVAL;
    then = time_now();
    event_save_mask();
    port_suspend();
    start_info->store_mfn = M2P[start_info->store_mfn];
    start_info->console.domU.mfn = (xen_pfn_t)M2P[start_info->console.domU.mfn];
    runtime_unmap_shared();

    rc = ask_for_suspend();

    if (rc == 1) {                      /* cancelled: the same domain, the same frames */
        start_info->store_mfn = mm_pfn_to_mfn(start_info->store_mfn);
        start_info->console.domU.mfn = mm_pfn_to_mfn(start_info->console.domU.mfn);
    }
    mm_resume();
    runtime_map_shared();
    publish_frames();
    console_init();
    if (rc == 0) {
        vi->evtchn_upcall_pending = 0;
        event_init();
        event_resume();
        time_continue(then);
        time_init();
        port_reset();
        control_reset();
        thread_forget_ports();
    } else {
        port_resume();
    }
    event_enable();
    return rc == 0 || rc == 1 ? (int)rc : -XEN_EINVAL;
}
