/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unmap.c - let go of foreign pages without a trap for each
 *
 * When a foreign mapping ends, a PV Linux clears its page-table entries with plain stores, each of which traps and is
 * emulated: most of what a page that is read once costs. So the entries are cleared before, by the hypercall that is
 * made for it (ABI: xen.h, HYPERVISOR_update_va_mapping), many in a multicall. It acts on the address space that is
 * loaded, ours, and Linux passes over entries that are clear, as those of pages that could not be mapped are.
 *
 *   I1  only entries of a window that nobody uses any more; the last call flushes what CPUs remember of them all,
 *       because munmap() has no reason to.
 *   I2  a call that fails leaves its entry to munmap().
 */
#include "unmap.h"

#include "handle.h"

#define AT_ONCE 512u            /* entries a multicall: 32 KiB */
#define WORTH_IT 8u

static multicall_entry_t *calls_of(struct vane *v)
{
    if (!v->call)
        v->call = xencall_open(&v->logger.vtable, 0);
    if (v->call && !v->calls)
        v->calls = xencall_alloc_buffer(v->call, AT_ONCE * sizeof(*v->calls));
    return v->calls;
}

static void clear_entries(struct vane *v, uintptr_t va, size_t nr)
{
    multicall_entry_t *call = calls_of(v);

    for (size_t done = 0, n; call && done < nr; done += n) {
        n = nr - done < AT_ONCE ? nr - done : AT_ONCE;
        for (size_t i = 0; i < n; i++) {
            const bool last = done + i + 1 == nr;

            call[i] = (multicall_entry_t){ .op = __HYPERVISOR_update_va_mapping,
                                           .args = { va + (done + i) * XC_PAGE_SIZE, 0,
                                                     last ? UVMF_TLB_FLUSH | UVMF_ALL : UVMF_NONE } };    /* I1 */
        }
        if (xencall2(v->call, __HYPERVISOR_multicall, (uintptr_t)call, n) < 0)
            return;                                                                                 /* I2 */
    }
}

void vane_unmap(struct vane *v, void *window, size_t nr)
{
    if (!window)
        return;
    if (nr >= WORTH_IT)
        clear_entries(v, (uintptr_t)window, nr);
    xenforeignmemory_unmap(v->fmem, window, nr);
}
