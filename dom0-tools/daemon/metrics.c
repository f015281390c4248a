/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * metrics.c - figures in Prometheus' text exposition format
 *
 * One table of metrics; each line of it is one family, printed for every domain. Label values are
 * escaped: a domain's name may hold quotes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/handle.h"
#include "../lib/store.h"
#include "metrics.h"

static double cpu_seconds(struct vane *v, const struct vane_dom *d)
{
    (void)v;
    return (double)d->cpu_ns / 1e9;
}

static double memory(struct vane *v, const struct vane_dom *d)
{
    (void)v;
    return (double)d->mem_kb * 1024;
}

static double memory_max(struct vane *v, const struct vane_dom *d)
{
    (void)v;
    return d->max_kb == UINT64_MAX ? 0 : (double)d->max_kb * 1024;
}

static double memory_target(struct vane *v, const struct vane_dom *d)
{
    uint64_t kib = 0;

    store_get_dom_memory_target(vane_store(v), d->domid, &kib);
    return (double)kib * 1024;
}

static double vcpus(struct vane *v, const struct vane_dom *d)
{
    (void)v;
    return d->vcpus_online;
}

static double is_running(struct vane *v, const struct vane_dom *d)
{
    (void)v;
    return !d->shutdown && !d->dying && !d->paused;
}

static double crashed(struct vane *v, const struct vane_dom *d)
{
    (void)v;
    return d->shutdown_reason == SHUTDOWN_crash;
}

static const struct {
    const char *name, *type, *help;
    double (*get)(struct vane *v, const struct vane_dom *d);
} families[] = {
    { "vane_domain_cpu_seconds_total", "counter", "CPU time used by the domain", cpu_seconds },
    { "vane_domain_memory_bytes", "gauge", "Memory the domain has", memory },
    { "vane_domain_memory_max_bytes", "gauge", "Memory the domain may have", memory_max },
    { "vane_domain_memory_target_bytes", "gauge", "Memory the balloon aims at", memory_target },
    { "vane_domain_vcpus", "gauge", "vCPUs online", vcpus },
    { "vane_domain_running", "gauge", "1 while the domain is neither paused nor down", is_running },
    { "vane_domain_crashed", "gauge", "1 when the domain has crashed", crashed },
};

static void print_label(FILE *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            fputc('\\', out);
        if (*s != '\n')
            fputc(*s, out);
    }
}

int metrics_print(struct vane *v, FILE *out)
{
    struct vane_dom *d;
    xc_physinfo_t p;
    int n = vane_dom_list(v, &d);

    if (n < 0)
        return n;
    if (xc_physinfo(v->xc, &p) == 0) {
        fprintf(out, "# HELP vane_host_memory_bytes Memory of the host\n"
                "# TYPE vane_host_memory_bytes gauge\nvane_host_memory_bytes %.0f\n"
                "# HELP vane_host_memory_free_bytes Memory that no domain has\n"
                "# TYPE vane_host_memory_free_bytes gauge\nvane_host_memory_free_bytes %.0f\n"
                "# HELP vane_host_cpus CPUs of the host\n# TYPE vane_host_cpus gauge\nvane_host_cpus %u\n",
                (double)p.total_pages * 4096, (double)p.free_pages * 4096, p.nr_cpus);
    }
    fprintf(out, "# HELP vane_domains Domains, Dom0 included\n# TYPE vane_domains gauge\n"
            "vane_domains %d\n", n);
    for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
        fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", families[f].name, families[f].help,
                families[f].name, families[f].type);
        for (int i = 0; i < n; i++) {
            fprintf(out, "%s{domain=\"", families[f].name);
            print_label(out, d[i].name);
            fprintf(out, "\",domid=\"%u\"} %.15g\n", d[i].domid, families[f].get(v, &d[i]));
        }
    }
    free(d);
    return 0;
}
