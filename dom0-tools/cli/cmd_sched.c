/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_sched.c - vcpu-pin, sched-credit2, sched-credit */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "../config/config.h"
#include "../lib/handle.h"
#include "../lib/store.h"
#include "cli.h"

static bool fill_map(struct vane *v, const char *s, xc_cpumap_t map)
{
    struct vane_cpus cpus;
    int max = xc_get_max_cpus(v->xc);

    if (!vane_cpus_parse(s, &cpus))
        return false;
    for (int i = 0; i < max; i++)
        (vane_cpus_has(&cpus, (unsigned)i) ? xc_cpumap_setcpu : xc_cpumap_clearcpu)(i, map);
    return true;
}

static int pin(struct cli *c, const struct vane_dom *d, uint32_t vcpu, xc_cpumap_t hard,
               xc_cpumap_t soft, uint32_t flags)
{
    if (xc_vcpu_setaffinity(c->v->xc, d->domid, (int)vcpu, hard, soft, flags) == 0)
        return 0;
    vane_fail(c->v, -errno, "`vane info` shows nr_cpus", "Could not set affinity for vcpu `%u'. (%s)",
              vcpu, strerror(errno));
    return cli_error(c);
}

static void print_maps(struct vane *v, xc_cpumap_t hard, xc_cpumap_t soft, uint32_t flags)
{
    int cpus = xc_get_online_cpus(v->xc);
    char h[256] = "-", s[256] = "";

    if (flags & XEN_VCPUAFFINITY_HARD)
        cli_format_cpus(hard, cpus, h, sizeof(h));
    if (flags & XEN_VCPUAFFINITY_SOFT)
        cli_format_cpus(soft, cpus, s, sizeof(s));
    printf("cpumap: %s%s%s\n", h, *s ? " " : "", s);
}

int cmd_vcpu_pin(struct cli *c, int argc, char **argv)
{
    static const struct option opts[] = { { "force", 0, NULL, 'f' }, { NULL, 0, NULL, 0 } };
    struct vane_dom d;
    xc_cpumap_t hard, soft;
    uint32_t flags = 0, first = 0, last;
    const char *soft_arg;
    uint64_t number;
    int ch, rc = 0;

    while ((ch = getopt_long(argc, argv, "fh", opts, NULL)) != -1) {
        if (ch != 'f')
            return cli_usage(c, argv[0]);
        flags |= XEN_VCPUAFFINITY_FORCE;
    }
    if (!cli_args(c, argc, argv, optind, 3, 4))
        return EXIT_FAILURE;
    if (vane_dom_find(c->v, argv[optind], &d) < 0)
        return cli_error(c);
    last = d.vcpu_max_id;
    if (strcmp(argv[optind + 1], "all") != 0) {
        if (!cli_number(argv[optind + 1], d.vcpu_max_id, &number))
            return cli_fail(c, NULL, "Error: Invalid argument %s as VCPU.", argv[optind + 1]);
        first = last = (uint32_t)number;
    }
    soft_arg = argc > optind + 3 ? argv[optind + 3] : "-";
    hard = xc_cpumap_alloc(c->v->xc);
    soft = xc_cpumap_alloc(c->v->xc);
    if (strcmp(argv[optind + 2], "-") != 0) {
        flags |= XEN_VCPUAFFINITY_HARD;
        rc = hard && fill_map(c->v, argv[optind + 2], hard) ? 0 : 1;
    }
    if (strcmp(soft_arg, "-") != 0) {
        flags |= XEN_VCPUAFFINITY_SOFT;
        rc |= soft && fill_map(c->v, soft_arg, soft) ? 0 : 1;
    }
    if (rc)
        rc = cli_fail(c, "for example 0-3,^1, or all", "no list of CPUs: %s %s", argv[optind + 2],
                      soft_arg);
    if (rc == 0 && c->dry_run)
        print_maps(c->v, hard, soft, flags);
    for (uint32_t i = first; rc == 0 && !c->dry_run && i <= last; i++)
        rc = pin(c, &d, i, hard, soft, flags);
    free(hard);
    free(soft);
    return rc ? rc : cli_ok(c, NULL, NULL);
}

#define NOT_GIVEN UINT64_MAX

struct sched_args {
    const char *domain, *cpupool;
    uint64_t weight, cap, ratelimit;    /* NOT_GIVEN, or the wish */
    uint32_t pool;                      /* cpupool's number, or the first */
    bool schedparam;
};

/* Weight and cap through either scheduler's own call. */
static int get_params(struct vane *v, bool credit2, uint32_t domid, unsigned *weight, unsigned *cap)
{
    struct xen_domctl_sched_credit2 s2;
    struct xen_domctl_sched_credit s1;
    int rc = credit2 ? xc_sched_credit2_domain_get(v->xc, domid, &s2)
                     : xc_sched_credit_domain_get(v->xc, domid, &s1);

    if (rc < 0)
        return vane_fail(v, -errno, "`vane info` shows xen_scheduler",
                         "cannot read scheduler parameters: %s", strerror(errno));
    *weight = credit2 ? s2.weight : s1.weight;
    *cap = credit2 ? s2.cap : s1.cap;
    return 0;
}

static int set_params(struct vane *v, bool credit2, uint32_t domid, unsigned weight, unsigned cap)
{
    struct xen_domctl_sched_credit2 s2 = { .weight = (uint16_t)weight, .cap = (uint16_t)cap };
    struct xen_domctl_sched_credit s1 = { .weight = (uint16_t)weight, .cap = (uint16_t)cap };
    int rc = credit2 ? xc_sched_credit2_domain_set(v->xc, domid, &s2)
                     : xc_sched_credit_domain_set(v->xc, domid, &s1);

    return rc < 0 ? vane_fail(v, -errno, NULL, "cannot set scheduler parameters: %s", strerror(errno))
                  : 0;
}

static void print_params(const struct vane_dom *d, unsigned weight, unsigned cap,
                         struct json_object *a)
{
    struct json_object *o;

    if (!a) {
        printf("%-33s %4u %6u %4u\n", d->name, d->domid, weight, cap);
        return;
    }
    o = json_object_new_object();
    json_object_object_add(o, "name", json_object_new_string(d->name));
    json_object_object_add(o, "domid", json_object_new_int((int)d->domid));
    json_object_object_add(o, "weight", json_object_new_int((int)weight));
    json_object_object_add(o, "cap", json_object_new_int((int)cap));
    json_object_array_add(a, o);
}

static void print_pool(struct cli *c, bool credit2, uint32_t pool)
{
    char name[256];
    struct xen_sysctl_credit2_schedule s2 = {0};
    struct xen_sysctl_credit_schedule s1 = {0};

    if (store_get_pools_name(vane_store(c->v), pool, name, sizeof(name)) < 0)
        snprintf(name, sizeof(name), "Pool-%u", pool);
    if (credit2 && xc_sched_credit2_params_get(c->v->xc, pool, &s2) == 0)
        printf("Cpupool %s: ratelimit=%uus\n", name, s2.ratelimit_us);
    else if (!credit2 && xc_sched_credit_params_get(c->v->xc, pool, &s1) == 0)
        printf("Cpupool %s: tslice=%ums ratelimit=%uus migration-delay=%uus\n", name,
               s1.tslice_ms, s1.ratelimit_us, s1.vcpu_migr_delay_us);
    else
        printf("Cpupool %s: [sched params unavailable]\n", name);
}

static int set_ratelimit(struct vane *v, bool credit2, uint32_t pool, unsigned us)
{
    struct xen_sysctl_credit2_schedule s2 = {0};
    struct xen_sysctl_credit_schedule s1 = {0};
    int rc = credit2 ? xc_sched_credit2_params_get(v->xc, pool, &s2)
                     : xc_sched_credit_params_get(v->xc, pool, &s1);

    s1.ratelimit_us = s2.ratelimit_us = us;
    if (rc == 0)
        rc = credit2 ? xc_sched_credit2_params_set(v->xc, pool, &s2)
                     : xc_sched_credit_params_set(v->xc, pool, &s1);
    return rc < 0 ? vane_fail(v, -errno, NULL, "cannot set the rate limit of pool %u to %u us: %s", pool, us,
                              strerror(errno)) : 0;
}

/* Those of @list that run in @pool, or all of them. */
static int show_domains(struct cli *c, bool credit2, const struct vane_dom *list, int n,
                        const uint32_t *pool, struct json_object *a)
{
    if (!a)
        printf("Name                                ID Weight  Cap\n");
    for (int i = 0; i < n; i++) {
        unsigned weight, cap;

        if (pool && list[i].cpupool != *pool)
            continue;
        if (get_params(c->v, credit2, list[i].domid, &weight, &cap) < 0)
            return cli_error(c);
        print_params(&list[i], weight, cap, a);
    }
    return 0;
}

/* A table for each pool under this scheduler, or for the one that was asked for. */
static int show_pools(struct cli *c, bool credit2, const struct sched_args *s, struct json_object *a)
{
    uint32_t want = credit2 ? XEN_SCHEDULER_CREDIT2 : XEN_SCHEDULER_CREDIT, id = 0;
    xc_cpupoolinfo_t *p;
    struct vane_dom *list;
    int n = vane_dom_list(c->v, &list), rc = 0;

    if (n < 0)
        return cli_error(c);
    while (rc == 0 && (p = xc_cpupool_getinfo(c->v->xc, id)) != NULL) {
        bool shown = p->sched_id == want && (!s->cpupool || p->cpupool_id == s->pool);
        uint32_t pool = p->cpupool_id;

        xc_cpupool_infofree(c->v->xc, p);
        if (shown && !a)
            print_pool(c, credit2, pool);
        if (shown)
            rc = show_domains(c, credit2, list, n, &pool, a);
        id = pool + 1;
    }
    free(list);
    return rc;
}

static int show(struct cli *c, bool credit2, const struct sched_args *s)
{
    struct json_object *a = c->json ? json_object_new_array() : NULL;
    struct vane_dom d;
    int rc;

    if (!s->domain)
        rc = show_pools(c, credit2, s, a);
    else
        rc = vane_dom_find(c->v, s->domain, &d) < 0 ? cli_error(c) : show_domains(c, credit2, &d, 1, NULL, a);
    if (a && rc == 0)
        return cli_json(a);
    json_object_put(a);
    return rc;
}

static int set_domain(struct cli *c, bool credit2, const struct sched_args *s)
{
    struct vane_dom d;
    unsigned weight, cap;

    if (vane_dom_find(c->v, s->domain, &d) < 0 ||
        get_params(c->v, credit2, d.domid, &weight, &cap) < 0 ||
        set_params(c->v, credit2, d.domid, s->weight != NOT_GIVEN ? (unsigned)s->weight : weight,
                   s->cap != NOT_GIVEN ? (unsigned)s->cap : cap) < 0)
        return cli_error(c);
    return cli_ok(c, NULL, NULL);
}

static int sched(struct cli *c, int argc, char **argv, bool credit2)
{
    static const struct option opts[] = {
        { "domain", 1, NULL, 'd' }, { "weight", 1, NULL, 'w' }, { "cap", 1, NULL, 'c' },
        { "schedparam", 0, NULL, 's' }, { "cpupool", 1, NULL, 'p' }, { "ratelimit_us", 1, NULL, 'r' },
        { NULL, 0, NULL, 0 },
    };
    struct sched_args s = { .weight = NOT_GIVEN, .cap = NOT_GIVEN, .ratelimit = NOT_GIVEN };
    bool sets;
    int ch;

    while ((ch = getopt_long(argc, argv, "d:w:c:p:r:sh", opts, NULL)) != -1) {
        switch (ch) {
        case 'd': s.domain = optarg; break;
        case 'w':
            if (!cli_number(optarg, 65535, &s.weight) || s.weight == 0)
                return cli_fail(c, "a share beside the others' 256", "weight is 1 to 65535, not %s", optarg);
            break;
        case 'c':
            if (!cli_number(optarg, 65535, &s.cap))
                return cli_fail(c, "per cent of one CPU; 0: no cap", "cap is 0 to 65535, not %s", optarg);
            break;
        case 's': s.schedparam = true; break;
        case 'p': s.cpupool = optarg; break;
        case 'r':
            if (!cli_number(optarg, UINT32_MAX, &s.ratelimit))
                return cli_fail(c, "microseconds", "no rate limit is called %s", optarg);
            break;
        default: return cli_usage(c, argv[0]);
        }
    }
    sets = s.weight != NOT_GIVEN || s.cap != NOT_GIVEN;
    if (s.cpupool && (s.domain || sets))
        return cli_fail(c, NULL, "Specifying a cpupool is not allowed with domain options.");
    if (sets && !s.domain)
        return cli_fail(c, "use -d DOMAIN", "Must specify a domain.");
    if (s.ratelimit != NOT_GIVEN && !s.schedparam)
        return cli_fail(c, "use -s", "Must specify schedparam to set schedule parameter values.");
    if (!vane_xc(c->v))
        return cli_error(c);
    if (s.cpupool && vane_pool_find(c->v, s.cpupool, &s.pool) < 0)
        return cli_error(c);
    if (s.ratelimit != NOT_GIVEN)
        return set_ratelimit(c->v, credit2, s.pool, (unsigned)s.ratelimit) < 0 ? cli_error(c) : cli_ok(c, NULL, NULL);
    if (s.schedparam) {
        print_pool(c, credit2, s.pool);
        return 0;
    }
    return sets ? set_domain(c, credit2, &s) : show(c, credit2, &s);
}

int cmd_sched_credit2(struct cli *c, int argc, char **argv)
{
    return sched(c, argc, argv, true);
}

int cmd_sched_credit(struct cli *c, int argc, char **argv)
{
    return sched(c, argc, argv, false);
}
