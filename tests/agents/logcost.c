/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * logcost.c - what the start of a round of pre-copy costs in the hypervisor
 *
 *   logcost DOMID
 *
 * Turns dirty logging on, starts 50 rounds without asking which pages were dirty, 50 more and fetches the map each time,
 * and turns it off. Prints "logcost START WHOLE": the medians, in nanoseconds. The guest's vCPUs stand still for the start
 * only; fetching is proportional to the memory by its nature, a bit a page, and they run meanwhile.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <xenctrl.h>

#define ROUNDS 51

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static int shadow_op(xc_interface *xc, uint32_t domid, uint32_t what)
{
    struct xen_domctl op = { .cmd = XEN_DOMCTL_shadow_op, .domain = (domid_t)domid };

    op.u.shadow_op.op = what;
    return xc_domctl(xc, &op);
}

/* Start a round; with @pages fetch the map of the one before. */
static int clean(xc_interface *xc, uint32_t domid, uint64_t pages)
{
    DECLARE_HYPERCALL_BUFFER(uint64_t, map);
    int frames = (int)(pages / 8 / 4096 + 1), rc;

    if (!pages)
        return shadow_op(xc, domid, XEN_DOMCTL_SHADOW_OP_CLEAN);
    map = xc_hypercall_buffer_alloc_pages(xc, map, frames);
    rc = map && xc_logdirty_control(xc, domid, XEN_DOMCTL_SHADOW_OP_CLEAN, HYPERCALL_BUFFER(map), pages, 0, NULL) ==
         (long long)pages ? 0 : -1;
    xc_hypercall_buffer_free_pages(xc, map, frames);
    return rc;
}

/* Median of what @ROUNDS took; 0: an error. */
static uint64_t median(xc_interface *xc, uint32_t domid, uint64_t pages)
{
    struct timespec pause = { 0, 20000000 };
    uint64_t took[ROUNDS];

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t begin;

        nanosleep(&pause, NULL);                /* the guest writes meanwhile */
        begin = now_ns();
        if (clean(xc, domid, pages) < 0)
            return 0;
        took[i] = now_ns() - begin;
    }
    qsort(took, ROUNDS, sizeof(*took), by_value);
    return took[ROUNDS / 2];
}

int main(int argc, char **argv)
{
    uint32_t domid = argc == 2 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
    xc_interface *xc = xc_interface_open(NULL, NULL, 0);
    uint64_t start = 0, whole = 0;
    xen_pfn_t last = 0;

    if (xc && domid && xc_domain_maximum_gpfn(xc, domid, &last) >= 0 &&
        shadow_op(xc, domid, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY) == 0) {
        start = median(xc, domid, 0);
        whole = median(xc, domid, last + 1);
        shadow_op(xc, domid, XEN_DOMCTL_SHADOW_OP_OFF);
    }
    if (!start || !whole) {
        perror("logcost");
        return 1;
    }
    printf("logcost %" PRIu64 " %" PRIu64 "\n", start, whole);
    return 0;
}
