/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_watch.c - events, metrics, top */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../daemon/daemon.h"
#include "../daemon/metrics.h"
#include "../lib/handle.h"
#include "../store/store_cmd.h"
#include "cli.h"

int cmd_events(struct cli *c, int argc, char **argv)
{
    bool once = argc > 1 && strcmp(argv[1], "--once") == 0;

    for (int i = 1; i < argc; i++) {        /* a pattern: of paths, not of domains */
        if (argv[i][0] == '/')
            return events_main(argc, argv);
    }
    if (argc > 1 + once)
        return cli_usage(c, argv[0]);
    if (vaned_ensure(c->v) < 0)
        return cli_error(c);
    return vaned_stream(c->v, once ? "state" : "events", stdout) < 0 ? cli_error(c) : 0;
}

int cmd_metrics(struct cli *c, int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return cli_usage(c, argv[0]);
    return metrics_print(c->v, stdout) < 0 ? cli_error(c) : 0;
}

/* One screen: the host's line, then the domains by CPU use since the last one. */
static int screen(struct cli *c, struct vane_dom **before, int *n_before, double seconds)
{
    struct vane_dom *d;
    xc_physinfo_t p;
    int n = vane_dom_list(c->v, &d);

    if (n < 0)
        return cli_error(c);
    if (xc_physinfo(c->v->xc, &p) < 0)
        memset(&p, 0, sizeof(p));
    printf("vane top  %d domains, %u CPUs, memory %llu MiB, free %llu MiB\n", n, p.nr_cpus,
           (unsigned long long)p.total_pages / 256, (unsigned long long)p.free_pages / 256);
    printf("%-24s %5s %6s %10s %6s %10s %5s\n", "NAME", "ID", "STATE", "CPU(sec)", "CPU(%)", "MEM(k)",
           "VCPUS");
    for (int i = 0; i < n; i++) {
        double use = 0;

        for (int k = 0; k < *n_before; k++) {
            if ((*before)[k].domid == d[i].domid && seconds > 0)
                use = (double)(d[i].cpu_ns - (*before)[k].cpu_ns) / 1e7 / seconds;
        }
        printf("%-24.24s %5u %c%c%c%c%c%c %10.1f %6.1f %10llu %5u\n", d[i].name, d[i].domid,
               d[i].dying ? 'd' : '-', d[i].shutdown ? 's' : '-', d[i].blocked ? 'b' : '-',
               d[i].shutdown_reason == SHUTDOWN_crash ? 'c' : '-', d[i].paused ? 'p' : '-',
               d[i].running ? 'r' : '-', (double)d[i].cpu_ns / 1e9, use,
               (unsigned long long)d[i].mem_kb, d[i].vcpus_online);
    }
    free(*before);
    *before = d;
    *n_before = n;
    return 0;
}

int cmd_top(struct cli *c, int argc, char **argv)
{
    struct vane_dom *before = NULL;
    int n = 0, ch, rc;
    bool batch = false;

    while ((ch = getopt(argc, argv, "bh")) != -1) {
        if (ch != 'b')
            return cli_usage(c, argv[0]);
        batch = true;
    }
    if (c->json)
        return cmd_list(c, 1, argv);
    if (!vane_xc(c->v))
        return cli_error(c);
    do {
        if (!batch)
            fputs("\033[H\033[2J", stdout);
        rc = screen(c, &before, &n, n ? 2.0 : 0);
        fflush(stdout);
    } while (rc == 0 && !batch && isatty(1) && sleep(2) == 0);
    free(before);
    return rc;
}
