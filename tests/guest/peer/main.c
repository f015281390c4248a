/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other domain of the director's scenarios, by its command line:
 *
 *   granter       grants pages with a pattern to Dom0 (references 100 up), then idles
 *   mapper        maps references 100..100+refs-1 of Dom0, each "each" times, then idles
 *   hog           burns every vCPU it has
 *   flood         sends events without pause: vCPU 0 to Dom0 (its console's port), the others to itself
 *
 * It reports through two words of its start_info page: offset 2048 counts, offset 2056 is the number of things done.
 */
#include "grant.h"

#define FIRST_REF 100

static volatile uint64_t *counter, *done;

static void idle(void)
{
    for (;;) {
        (*counter)++;
        time_block_until(time_now() + 5 * MS);
    }
}

static void granter(void)
{
    if (!grant_init())
        return;
    for (unsigned i = 0; i < 16; i++) {
        uint64_t *page = page_alloc();

        for (unsigned k = 0; k < 512; k++)
            page[k] = 0xabcd0000UL + i * 512 + k;
        grant_access(FIRST_REF + i, 0, mm_mfn(page), 0);
        *done = i + 1;
    }
    idle();
}

static void mapper(void)
{
    unsigned refs = (unsigned)cmdline_number("refs", 16), each = (unsigned)cmdline_number("each", 16);
    uint64_t va = mm_reserve_va(refs * each);

    for (unsigned i = 0; i < refs * each; i++) {
        struct gnttab_map_grant_ref m = { .host_addr = va + i * PAGE_SIZE, .flags = GNTMAP_host_map,
                                          .ref = FIRST_REF + i % refs, .dom = 0 };

        if (mm_map(va + i * PAGE_SIZE, 0, 0) != 0 || hc_grant_table_op(GNTTABOP_map_grant_ref, &m, 1) != 0 ||
            m.status != GNTST_okay) {
            printf("mapping %u: status %d\n", i, m.status);
            break;
        }
        *done = i + 1;
    }
    idle();
}

static void burn(void *arg)
{
    (void)arg;
    for (;;)
        (*done)++;
}

static void flood_self(void *arg)
{
    int mine = evtchn_alloc_unbound(DOMID_SELF), other = evtchn_bind_interdomain(own_domid(), (evtchn_port_t)mine);

    (void)arg;
    for (;;) {
        evtchn_send((evtchn_port_t)other);
        evtchn_clear((evtchn_port_t)mine);
    }
}

static void flood(void)
{
    own_domid();                        /* by number, before others ask */
    for (unsigned i = 1; i < smp_vcpu_count(); i++)
        smp_start(i, flood_self, NULL);
    for (;;) {
        evtchn_send(start_info->console.domU.evtchn);
        (*done)++;
    }
}

void guest_test(void)
{
    counter = (volatile uint64_t *)((uintptr_t)start_info + 2048);
    done = counter + 1;
    item("role");
    if (is_initial_domain() || cmdline_has("nostore")) {
        item_skip("started by a scenario only");
    } else if (cmdline_has("granter")) {
        granter();
    } else if (cmdline_has("mapper")) {
        mapper();
    } else if (cmdline_has("flood")) {
        flood();
    } else if (cmdline_has("hog")) {
        for (unsigned i = 1; i < smp_vcpu_count(); i++)
            smp_start(i, burn, NULL);
        burn(NULL);
    }
}
