/* SPDX-License-Identifier: MIT */
/*
 * Suspend and resume. Owns the list of lists by which a toolstack finds the guest's frame list.
 *
 * What is saved are the guest's own frames, with frame numbers in page tables translated both ways. So whatever names
 * a frame that is not the guest's (shared page, grant table) is unmapped before, and whatever holds a frame number as
 * data is written again after: these lists, start_info's two pages, the number of our L4.
 *
 * ABI: start_info's store and console frames become pfns while suspended; the third argument of the shutdown call is
 * the frame of start_info, which the toolstack translates.
 */
#include "port.h"
#include "suspend.h"

static uint64_t *list_of_lists, *lists;
static unsigned nr_lists;

static void publish_frames(void)
{
    uint64_t frames = (start_info->nr_pages + 511) / 512;

    if (lists == NULL) {
        nr_lists = (unsigned)((frames + 511) / 512);
        list_of_lists = page_alloc();
        lists = page_alloc_run(nr_lists);
    }
    if (list_of_lists == NULL || lists == NULL)
        return;
    for (uint64_t i = 0; i < frames; i++)
        lists[i] = mm_mfn((uint8_t *)start_info->mfn_list + i * PAGE_SIZE);
    for (unsigned i = 0; i < nr_lists; i++)
        list_of_lists[i] = mm_mfn(lists + i * 512);
    shared_info->arch.max_pfn = start_info->nr_pages;
    shared_info->arch.p2m_cr3 = 0;
    shared_info->arch.pfn_to_mfn_frame_list_list = mm_mfn(list_of_lists);
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
    long rc;

    if (is_initial_domain() || lists == NULL || this_cpu()->id != 0)
        return -XEN_EINVAL;
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
        time_init();
        port_reset();
    } else {
        port_resume();
    }
    event_enable();
    return rc == 0 || rc == 1 ? (int)rc : -XEN_EINVAL;
}
