/* SPDX-License-Identifier: GPL-2.0-or-later */
/* restore.h - what the files that read a stream share */
#ifndef VANE_RESTORE_H
#define VANE_RESTORE_H

#include "../lib/create.h"
#include "../lib/handle.h"
#include "stream_io.h"

#define MAX_RESTORE_PFN (1ull << 28)

struct vcpu_state {
    struct record basic, extended, xsave, msrs;     /* bodies, with their rec_vcpu in front */
};

struct restorer {
    struct vane *v;
    struct stream_in *in;
    uint32_t domid;
    uint64_t max_pfn;               /* inclusive */
    xen_pfn_t *mfn;                 /* by pfn; ~0: not populated */
    uint8_t *kind;                  /* by pfn */
    uint8_t *written;               /* by pfn: not 0 once bytes of the stream are in it */
    bool cleared_for_us;            /* the hypervisor hands out frames of zeros (Xen leaves that to guests) */
    uint64_t *p2m_pfn;              /* the frames of the guest's P2M */
    uint64_t p2m_frames;
    struct record cpuid, msr_policy;
    struct rec_tsc tsc;
    uint64_t target_kb;             /* 0: what the head says */
    bool have_tsc, have_shared, have_static, have_pv;
    uint8_t shared[4096];
    struct vcpu_state vcpu[VANE_MAX_VCPUS];
};

/* restore.c */
uint64_t restore_mfn(const struct restorer *r, uint64_t pfn);
/* restore_pages.c: a record of pages. */
int restore_take_pages(struct restorer *r, const struct record *rec) MUST_CHECK;
int restore_take_zeros(struct restorer *r, const struct record *rec) MUST_CHECK;
/* After the last of them: frames that the guest no longer has. */
int restore_give_back(struct restorer *r) MUST_CHECK;
/* restore_state.c: after the last record. Fills @f. */
int restore_policy(struct restorer *r) MUST_CHECK;
int restore_finish(struct restorer *r, struct vane_fill *f) MUST_CHECK;

#endif
