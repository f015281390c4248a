/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domwatch.c - say what domains are there and which may run, as it changes
 *
 *   domwatch [MS]      look every MS milliseconds (5), for ever
 *   domwatch --once    look once
 *
 * Asks the hypervisor, not XenStore nor a daemon: it is the witness for the tools' tests. Lines, the time being
 * CLOCK_MONOTONIC in microseconds:
 *
 *   dom TIME DOMID UUID STATE   run | paused | suspended | down | dying | gone
 *   disk TIME DOMID STATE       open | closed: whether the back end of its xvda has the image open, by sysfs
 *   free TIME PAGES             memory in nobody's hands (--once only)
 *   time TIME                   every 100 ms: lets the reader tell this clock from its own
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xenctrl.h>

#define MAX_DOMAINS 128
#define TIME_EVERY_US 100000
#define AT_ONCE 32                  /* answers that fit into a page: libxenctrl keeps one at hand, more are mapped anew */

struct seen {
    uint32_t domid;
    xen_domain_handle_t uuid;
    const char *state;
    int disk;                       /* open */
};

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static const char *state_of(const xc_domaininfo_t *d)
{
    unsigned reason = d->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;

    if (d->flags & XEN_DOMINF_dying)
        return "dying";
    if (d->flags & XEN_DOMINF_shutdown)
        return reason == SHUTDOWN_suspend ? "suspended" : "down";
    return d->flags & XEN_DOMINF_paused ? "paused" : "run";
}

static void say(const struct seen *s, const char *state)
{
    printf("dom %" PRIu64 " %u ", now_us(), s->domid);
    for (unsigned i = 0; i < sizeof(s->uuid); i++)
        printf("%02x", s->uuid[i]);
    printf(" %s\n", state);
}

#define XVDA 51712

static int disk_is_open(uint32_t domid)
{
    char path[96];

    snprintf(path, sizeof(path), "/sys/bus/xen-backend/devices/vbd-%u-%u/physical_device", domid, XVDA);
    return access(path, F_OK) == 0;
}

static void look_at_disk(struct seen *s, int was)
{
    s->disk = disk_is_open(s->domid);
    if (s->disk != was)
        printf("disk %" PRIu64 " %u %s\n", now_us(), s->domid, s->disk ? "open" : "closed");
}

static const struct seen *find(const struct seen *list, int n, uint32_t domid)
{
    for (int i = 0; i < n; i++)
        if (list[i].domid == domid)
            return &list[i];
    return NULL;
}

static int list(xc_interface *xc, xc_domaininfo_t *info)
{
    int n = 0, some;

    do {
        some = xc_domain_getinfolist(xc, n ? info[n - 1].domain + 1 : 1, AT_ONCE, info + n);
        if (some < 0)
            return some;
        n += some;
    } while (some == AT_ONCE && n + AT_ONCE <= MAX_DOMAINS);
    return n;
}

/* Compare what is with what was, print the difference, keep what is. Returns how many domains there are. */
static int look(xc_interface *xc, struct seen *was, int had)
{
    static xc_domaininfo_t info[MAX_DOMAINS];
    struct seen is[MAX_DOMAINS];
    int n = list(xc, info);

    if (n < 0)
        return had;
    for (int i = 0; i < n; i++) {
        const struct seen *old = find(was, had, info[i].domain);

        is[i] = (struct seen){ .domid = info[i].domain, .state = state_of(&info[i]) };
        memcpy(is[i].uuid, info[i].handle, sizeof(is[i].uuid));
        if (!old || old->state != is[i].state || memcmp(old->uuid, is[i].uuid, sizeof(is[i].uuid)))
            say(&is[i], is[i].state);
        look_at_disk(&is[i], old ? old->disk : 0);
    }
    for (int i = 0; i < had; i++)
        if (!find(is, n, was[i].domid)) {
            if (was[i].disk)
                printf("disk %" PRIu64 " %u closed\n", now_us(), was[i].domid);
            say(&was[i], "gone");
        }
    memcpy(was, is, (size_t)n * sizeof(*is));
    return n;
}

int main(int argc, char **argv)
{
    static struct seen list[MAX_DOMAINS];
    int once = argc > 1 && strcmp(argv[1], "--once") == 0, n = 0;
    long ms = argc > 1 && !once ? strtol(argv[1], NULL, 10) : 5;
    struct timespec pause = { 0, (ms > 0 && ms < 1000 ? ms : 5) * 1000000 };
    uint64_t next = 0;
    xc_interface *xc = xc_interface_open(NULL, NULL, 0);
    xc_physinfo_t phys = { 0 };

    if (!xc) {
        fprintf(stderr, "domwatch: no hypervisor here\n");
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    n = look(xc, list, n);
    if (once) {
        if (xc_physinfo(xc, &phys) < 0)
            return 1;
        printf("free %" PRIu64 " %" PRIu64 "\n", now_us(), phys.free_pages);
        return 0;
    }
    for (;;) {
        nanosleep(&pause, NULL);
        n = look(xc, list, n);
        if (now_us() >= next) {
            next = now_us() + TIME_EVERY_US;
            printf("time %" PRIu64 "\n", now_us());
        }
    }
}
