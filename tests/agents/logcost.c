/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * logcost.c - what the start of a round of pre-copy costs in the hypervisor
 *
 *   logcost DOMID
 *
 * Turns dirty logging on, starts 50 rounds without asking which pages were dirty, and turns it off. Prints
 * "logcost NS": the median of what one start took. (Fetching the bitmap is proportional to the memory by its nature:
 * a bit a page; it is left out.)
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

int main(int argc, char **argv)
{
    uint32_t domid = argc == 2 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
    xc_interface *xc = xc_interface_open(NULL, NULL, 0);
    struct timespec pause = { 0, 20000000 };
    uint64_t took[ROUNDS];
    int rc = 0;

    if (!xc || !domid || shadow_op(xc, domid, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY) < 0) {
        perror("logcost");
        return 1;
    }
    for (int i = 0; i < ROUNDS && rc == 0; i++) {
        uint64_t begin;

        nanosleep(&pause, NULL);                /* the guest writes meanwhile */
        begin = now_ns();
        rc = shadow_op(xc, domid, XEN_DOMCTL_SHADOW_OP_CLEAN) < 0;
        took[i] = now_ns() - begin;
    }
    shadow_op(xc, domid, XEN_DOMCTL_SHADOW_OP_OFF);
    if (rc) {
        perror("logcost");
        return 1;
    }
    qsort(took, ROUNDS, sizeof(*took), by_value);
    printf("logcost %" PRIu64 "\n", took[ROUNDS / 2]);
    return 0;
}
