/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vcpu_info.c - the page where a vCPU's events and time appear
 *
 * ABI: vcpu.h VCPUOP_register_vcpu_info: once per vCPU, naturally aligned so that it cannot cross the page (XSA-327), the
 * page stays referenced and writable for us until the vCPU is reset or its domain dies.
 */
#include "domain/domain.h"
#include "event/event.h"
#include "hv_errno.h"
#include "machine.h"
#include "mm/page_ref.h"
#include "mm/page_type.h"
#include "time/time.h"

/* d->lock held: @v is not registered yet, and does not come up meanwhile unless it is the caller. Takes the references. */
static int move_info(struct vcpu *self, struct vcpu *v, mfn_t m, unsigned offset)
{
    if (!mfn_eq(v->info_mfn, MFN_INVALID))
        return -EINVAL;
    if (v != self && !(atomic_load(&v->pause_flags) & VPF_DOWN))
        return -EINVAL;
    if (page_get_and_type(m, v->domain, PGT_WRITABLE))
        return -EINVAL;

    struct vcpu_info *new = (struct vcpu_info *)((char *)frame_ptr(m) + offset), *old = v->info;
    if (old == &v->dummy_info) {
        *new = (struct vcpu_info){ .evtchn_upcall_mask = 1 };
    } else {
        *new = *old;
        WRITE_ONCE(new->evtchn_pending_sel, ~0UL);
    }
    v->info_mfn = m;
    __atomic_store_n(&v->info, new, __ATOMIC_SEQ_CST);
    return 0;
}

int vcpu_register_info(struct vcpu *self, struct vcpu *v, gfn_t frame, unsigned offset)
{
    if (offset > PAGE_SIZE - sizeof(struct vcpu_info) || offset % _Alignof(struct vcpu_info))
        return -ENXIO;
    spin_lock(&v->domain->lock);        /* two vCPUs may ask for the same third: one registration, one set of references */
    const int rc = move_info(self, v, mfn(frame.n), offset);
    spin_unlock(&v->domain->lock);
    if (rc)
        return rc;
    evtchn_force_scan(v);       /* whatever arrived in the old place is found (abi-map pitfall 10) */
    time_publish(v);
    return 0;
}

void vcpu_drop_info(struct vcpu *v)
{
    const mfn_t m = v->info_mfn;
    v->dummy_info = (struct vcpu_info){ .evtchn_upcall_mask = 1 };
    __atomic_store_n(&v->info, &v->dummy_info, __ATOMIC_SEQ_CST);
    v->info_mfn = MFN_INVALID;
    if (mfn_eq(m, MFN_INVALID))
        return;
    page_type_put_leaf(m, v->domain);
    page_ref_put(m);
}
