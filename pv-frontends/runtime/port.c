/* SPDX-License-Identifier: MIT */
/* What the front ends need (pv_port.h), from the tiny guest's parts. Owns the mapping of the grant table. */
#include "port.h"
#include "thread.h"

#define GRANT_FRAMES 16U

static struct grant_entry_v1 *table;
static unsigned table_entries;
static struct pv_grants grants;
static struct xs *store;
static bool grants_ready;

void *pv_pages_alloc(unsigned n)
{
    return n == 1 ? page_alloc() : page_alloc_run(n);
}

void pv_pages_free(void *pages, unsigned n)
{
    /* Downwards, so that the list stays in ascending order and the run can be found again. */
    while (n-- > 0)
        page_free((uint8_t *)pages + n * PAGE_SIZE);
}

uint64_t pv_frame(const void *page)
{
    return mm_mfn(page);
}

struct grant_entry_v1 *pv_grant_table(unsigned *entries)
{
    xen_pfn_t frames[GRANT_FRAMES];
    struct gnttab_query_size query = { .dom = DOMID_SELF };
    struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = GRANT_FRAMES };

    if (hc_grant_table_op(GNTTABOP_query_size, &query, 1) == 0 && query.status == GNTST_okay &&
        query.max_nr_frames < GRANT_FRAMES)
        setup.nr_frames = query.max_nr_frames;
    set_xen_guest_handle(setup.frame_list, frames);
    if (hc_grant_table_op(GNTTABOP_setup_table, &setup, 1) != 0 || setup.status != GNTST_okay)
        return NULL;
    if (table == NULL)
        table = (struct grant_entry_v1 *)mm_reserve_va(GRANT_FRAMES);
    for (unsigned i = 0; i < setup.nr_frames; i++)
        if (mm_map((uintptr_t)table + i * PAGE_SIZE, frames[i], PTE_KERNEL) != 0)
            return NULL;
    table_entries = setup.nr_frames * (unsigned)(PAGE_SIZE / sizeof(*table));
    *entries = table_entries;
    return table;
}

int pv_evtchn_alloc(domid_t remote)
{
    return evtchn_alloc_unbound(remote);
}

void pv_evtchn_close(evtchn_port_t port)
{
    evtchn_close(port);
}

void pv_evtchn_send(evtchn_port_t port)
{
    evtchn_send(port);
}

uint64_t pv_now(void)
{
    return time_now();
}

/* A masked port that is pending ends a poll at once and is not delivered: what we want for waiting by hand. */
void pv_wait(evtchn_port_t port, uint64_t when)
{
    thread_wait(port, when);
}

struct pv_grants *port_grants(void)
{
    if (!grants_ready)
        pv_grants_init(&grants);
    grants_ready = true;
    return &grants;
}

struct xs *port_store(void)
{
    if (store == NULL && start_info->store_evtchn != 0) {
        void *ring = mm_mfn_va(start_info->store_mfn);

        store = mem_alloc(sizeof(*store));
        if (ring == NULL || store == NULL)
            return NULL;
        xs_init(store, ring, start_info->store_evtchn);
    }
    return store;
}

void port_suspend(void)
{
    for (unsigned i = 0; table != NULL && i < GRANT_FRAMES; i++)
        mm_unmap((uintptr_t)table + i * PAGE_SIZE);
}

void port_resume(void)
{
    unsigned entries;

    if (table != NULL)
        pv_grant_table(&entries);
}

void port_reset(void)
{
    if (grants_ready)
        pv_grants_init(&grants);
    if (store != NULL && start_info->store_evtchn != 0)
        xs_init(store, mm_mfn_va(start_info->store_mfn), start_info->store_evtchn);
}
