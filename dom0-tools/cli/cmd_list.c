/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_list.c - tables of domains, byte for byte as xl prints them: programs cut them by column */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../lib/create.h"
#include "../lib/handle.h"
#include "../lib/store.h"
#include "cli.h"

/* The domains named on the command line from @first on, or all. Returns the count or -1. */
static int select_domains(struct cli *c, int argc, char **argv, int first, struct vane_dom **out)
{
    int n;

    if (first >= argc) {
        n = vane_dom_list(c->v, out);
        return n < 0 ? (cli_error(c), -1) : n;
    }
    *out = calloc((size_t)(argc - first), sizeof(**out));
    if (!*out)
        return -1;
    for (n = 0; first + n < argc; n++) {
        if (vane_dom_find(c->v, argv[first + n], &(*out)[n]) < 0) {
            free(*out);
            cli_error(c);
            return -1;
        }
    }
    return n;
}

static void state_letters(const struct vane_dom *d, char out[7])
{
    out[0] = d->running ? 'r' : '-';
    out[1] = d->blocked ? 'b' : '-';
    out[2] = d->paused ? 'p' : '-';
    out[3] = d->shutdown ? 's' : '-';
    out[4] = d->shutdown && !d->dying && d->shutdown_reason == SHUTDOWN_crash ? 'c' : '-';
    out[5] = d->dying ? 'd' : '-';
    out[6] = '\0';
}

static struct json_object *dom_json(const struct vane_dom *d)
{
    struct json_object *o = json_object_new_object();
    char uuid[VANE_UUID_LEN], state[7];

    vane_uuid_format(uuid, &d->uuid);
    state_letters(d, state);
    json_object_object_add(o, "name", json_object_new_string(d->name));
    json_object_object_add(o, "domid", json_object_new_int((int)d->domid));
    json_object_object_add(o, "uuid", json_object_new_string(uuid));
    json_object_object_add(o, "memory_kb", json_object_new_uint64(d->mem_kb));
    json_object_object_add(o, "max_memory_kb", json_object_new_uint64(d->max_kb));
    json_object_object_add(o, "vcpus", json_object_new_int((int)d->vcpus_online));
    json_object_object_add(o, "max_vcpus", json_object_new_int((int)d->vcpu_max_id + 1));
    json_object_object_add(o, "state", json_object_new_string(state));
    if (d->shutdown)
        json_object_object_add(o, "shutdown_reason",
                               json_object_new_string(vane_shutdown_name(d->shutdown_reason)));
    json_object_object_add(o, "cpu_ns", json_object_new_uint64(d->cpu_ns));
    json_object_object_add(o, "cpupool", json_object_new_int((int)d->cpupool));
    return o;
}

static char *pool_name(struct vane *v, uint32_t pool)
{
    char known[256], *name;

    if (store_get_pools_name(vane_store(v), pool, known, sizeof(known)) >= 0)
        return strdup(known);
    return asprintf(&name, "Pool-%u", pool) < 0 ? NULL : name;
}

struct list_options {
    bool verbose, context, cpupool, numa, claims;
};

static void print_list(struct cli *c, const struct vane_dom *d, int n, const struct list_options *o)
{
    printf("Name                                        ID   Mem VCPUs\tState\tTime(s)");
    if (o->verbose)
        printf("   UUID                            Reason-Code\tSecurity Label");
    if (o->context && !o->verbose)
        printf("   Security Label");
    if (o->claims)
        printf("  Claimed");
    if (o->cpupool)
        printf("         Cpupool");
    if (o->numa)
        printf(" NODE Affinity");
    printf("\n");
    for (int i = 0; i < n; i++) {
        char state[7], uuid[VANE_UUID_LEN];

        state_letters(&d[i], state);
        printf("%-40s %5u %5llu %5u     %s  %8.1f", d[i].name, d[i].domid,
               (unsigned long long)((d[i].mem_kb + d[i].outstanding_kb) / 1024),
               d[i].vcpus_online, state, (double)d[i].cpu_ns / 1e9);
        if (o->verbose) {
            vane_uuid_format(uuid, &d[i].uuid);
            printf(" %s", uuid);
            if (d[i].shutdown)
                printf(" %8x", (unsigned)d[i].shutdown_reason);
            else
                printf(" %8s", "-");
        }
        if (o->claims)
            printf(" %5llu", (unsigned long long)(d[i].outstanding_kb / 1024));
        if (o->verbose || o->context)
            printf(" %16s", "-");
        if (o->cpupool) {
            char *pool = pool_name(c->v, d[i].cpupool);

            printf("%16s", pool ? pool : "");
            free(pool);
        }
        if (o->numa)
            printf(" all");
        printf("\n");
    }
}

int cmd_list(struct cli *c, int argc, char **argv)
{
    static const struct option opts[] = {
        { "long", 0, NULL, 'l' }, { "verbose", 0, NULL, 'v' }, { "context", 0, NULL, 'Z' },
        { "cpupool", 0, NULL, 'c' }, { "numa", 0, NULL, 'n' }, { NULL, 0, NULL, 0 },
    };
    struct list_options o = {0};
    struct vane_dom *d;
    bool details = false;
    int ch, n;

    while ((ch = getopt_long(argc, argv, "lvhZcn", opts, NULL)) != -1) {
        switch (ch) {
        case 'l': details = true; break;
        case 'v': o.verbose = true; break;
        case 'Z': o.context = true; break;
        case 'c': o.cpupool = true; break;
        case 'n': o.numa = true; break;
        default: return cli_usage(c, argv[0]);
        }
    }
    n = select_domains(c, argc, argv, optind, &d);
    if (n < 0)
        return EXIT_FAILURE;
    if (details) {
        ch = cli_list_long(c, d, n);
    } else if (c->json) {
        struct json_object *a = json_object_new_array();

        for (int i = 0; i < n; i++)
            json_object_array_add(a, dom_json(&d[i]));
        ch = cli_json(a);
    } else {
        print_list(c, d, n, &o);
        ch = 0;
    }
    free(d);
    return ch;
}

int cmd_claims(struct cli *c, int argc, char **argv)
{
    struct list_options o = { .claims = true };
    struct vane_dom *d;
    int n = select_domains(c, argc, argv, argc, &d);

    if (n < 0)
        return EXIT_FAILURE;
    print_list(c, d, n, &o);
    free(d);
    return 0;
}

int cmd_vm_list(struct cli *c, int argc, char **argv)
{
    struct json_object *a = c->json ? json_object_new_array() : NULL;
    struct vane_dom *d;
    int n = select_domains(c, argc, argv, argc, &d);

    if (n < 0)
        return EXIT_FAILURE;
    if (!a)
        printf("UUID                                  ID    name\n");
    for (int i = 0; i < n; i++) {
        char uuid[VANE_UUID_LEN];

        vane_uuid_format(uuid, &d[i].uuid);
        if (a)
            json_object_array_add(a, dom_json(&d[i]));
        else
            printf("%s  %u    %-30s\n", uuid, d[i].domid, d[i].name);
    }
    free(d);
    return a ? cli_json(a) : 0;
}

int cmd_domid(struct cli *c, int argc, char **argv)
{
    struct vane_dom d;
    char id[16];
    int rc;

    if (!cli_args(c, argc, argv, 1, 1, 1))
        return EXIT_FAILURE;
    rc = vane_dom_find(c->v, argv[1], &d);
    if (rc < 0 && rc != -ESRCH)
        return cli_error(c);
    if (rc < 0 || strcmp(d.name, argv[1]) != 0)
        return cli_fail(c, "`vane list` shows the domains there are", "Can't get domid of domain name "
                        "'%s', maybe this domain does not exist.", argv[1]);
    snprintf(id, sizeof(id), "%u", d.domid);
    if (c->json)
        return cli_ok(c, "domid", id);
    puts(id);
    return 0;
}

int cmd_domname(struct cli *c, int argc, char **argv)
{
    struct vane_dom d;
    uint64_t id;

    if (!cli_args(c, argc, argv, 1, 1, 1))
        return EXIT_FAILURE;
    if (!cli_number(argv[1], DOMID_FIRST_RESERVED - 1, &id))
        return cli_fail(c, NULL, "Invalid domain id.");
    if (vane_dom_get(c->v, (uint32_t)id, &d) < 0)
        return cli_fail(c, "`vane list` shows the domains there are", "Can't get domain name of domain "
                        "id '%" PRIu64 "', maybe this domain does not exist.", id);
    if (c->json)
        return cli_ok(c, "name", d.name);
    puts(d.name);
    return 0;
}

/* ---- uptime ---- */

static long seconds_up(struct vane *v, const struct vane_dom *d)
{
    char uuid[VANE_UUID_LEN], text[32];
    long start = 0;

    if (d->domid == 0) {
        struct timespec ts;

        clock_gettime(CLOCK_BOOTTIME, &ts);
        return ts.tv_sec;
    }
    vane_uuid_format(uuid, &d->uuid);
    if (store_get_vm_start_time(vane_store(v), uuid, text, sizeof(text)) > 0)
        start = strtol(text, NULL, 10);
    return start ? (long)time(NULL) - start : 0;
}

/* As xl: days, hours and minutes; seconds unless @brief. */
static void format_uptime(long s, bool brief, char *out, size_t len)
{
    int n = 0;

    if (s < 0)
        s = 0;
    if (s >= 86400)
        n = snprintf(out, len, "%ld day%s, ", s / 86400, s >= 2 * 86400 ? "s" : "");
    n += snprintf(out + n, len - (size_t)n, "%2ld:%02ld", s % 86400 / 3600, s % 3600 / 60);
    if (!brief)
        snprintf(out + n, len - (size_t)n, ":%02ld", s % 60);
}

int cmd_uptime(struct cli *c, int argc, char **argv)
{
    struct json_object *a = c->json ? json_object_new_array() : NULL;
    bool brief = false;
    struct vane_dom *d;
    int ch, n;

    while ((ch = getopt(argc, argv, "sh")) != -1) {
        if (ch != 's')
            return cli_usage(c, argv[0]);
        brief = true;
    }
    n = select_domains(c, argc, argv, optind, &d);
    if (n < 0)
        return EXIT_FAILURE;
    if (!a && !brief)
        printf("Name                                ID Uptime\n");
    for (int i = 0; i < n; i++) {
        long s = seconds_up(c->v, &d[i]);
        char up[64], now[16];
        time_t t = time(NULL);

        format_uptime(s, brief, up, sizeof(up));
        strftime(now, sizeof(now), "%H:%M:%S", localtime(&t));
        if (a) {
            struct json_object *o = json_object_new_object();

            json_object_object_add(o, "name", json_object_new_string(d[i].name));
            json_object_object_add(o, "domid", json_object_new_int((int)d[i].domid));
            json_object_object_add(o, "uptime_s", json_object_new_int64(s));
            json_object_array_add(a, o);
        } else if (brief) {
            printf(" %s up %s, %s (%u)\n", now, up, d[i].name, d[i].domid);
        } else {
            printf("%-33s %4u %s\n", d[i].name, d[i].domid, up);
        }
    }
    free(d);
    return a ? cli_json(a) : 0;
}

/* ---- vcpu-list ---- */

void cli_format_cpus(const uint8_t *map, int cpus, char *out, size_t len)
{
    size_t n = 0;
    int have = 0;

    out[0] = '\0';
    for (int i = 0; i < cpus; i++)
        have += map[i / 8] >> (i % 8) & 1;
    if (have == cpus) {
        snprintf(out, len, "all");
        return;
    }
    for (int i = 0; i < cpus; i++) {
        int j = i;

        if (!(map[i / 8] >> (i % 8) & 1))
            continue;
        while (j + 1 < cpus && (map[(j + 1) / 8] >> ((j + 1) % 8) & 1))
            j++;
        n += (size_t)snprintf(out + n, len - n, j > i ? "%s%d-%d" : "%s%d", n ? "," : "", i, j);
        if (n >= len)
            return;
        i = j;
    }
    if (n == 0)
        snprintf(out, len, "none");
}

static void one_vcpu(struct cli *c, const struct vane_dom *d, uint32_t id, int cpus,
                     struct json_object *a)
{
    struct vane *v = c->v;
    xc_vcpuinfo_t i;
    xc_cpumap_t hard = xc_cpumap_alloc(v->xc), soft = xc_cpumap_alloc(v->xc);
    char h[256] = "", s[256] = "";

    if (hard && soft && xc_vcpu_getinfo(v->xc, d->domid, id, &i) == 0) {
        if (xc_vcpu_getaffinity(v->xc, d->domid, (int)id, hard, soft,
                                XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT) == 0) {
            cli_format_cpus(hard, cpus, h, sizeof(h));
            cli_format_cpus(soft, cpus, s, sizeof(s));
        }
        if (a) {
            struct json_object *o = json_object_new_object();

            json_object_object_add(o, "name", json_object_new_string(d->name));
            json_object_object_add(o, "domid", json_object_new_int((int)d->domid));
            json_object_object_add(o, "vcpu", json_object_new_int((int)id));
            json_object_object_add(o, "online", json_object_new_boolean(i.online));
            json_object_object_add(o, "cpu", json_object_new_int((int)i.cpu));
            json_object_object_add(o, "running", json_object_new_boolean(i.running));
            json_object_object_add(o, "blocked", json_object_new_boolean(i.blocked));
            json_object_object_add(o, "cpu_ns", json_object_new_uint64(i.cpu_time));
            json_object_object_add(o, "hard", json_object_new_string(h));
            json_object_object_add(o, "soft", json_object_new_string(s));
            json_object_array_add(a, o);
        } else {
            printf("%-32s %5u %5u", d->name, d->domid, id);
            if (!i.online)
                printf("%5c %3c%cp ", '-', '-', '-');
            else
                printf("%5u %3c%c- ", i.cpu, i.running ? 'r' : '-', i.blocked ? 'b' : '-');
            printf("%9.1f  %s / %s\n", (double)i.cpu_time / 1e9, h, s);
        }
    }
    free(hard);
    free(soft);
}

int cmd_vcpu_list(struct cli *c, int argc, char **argv)
{
    struct json_object *a = c->json ? json_object_new_array() : NULL;
    xc_physinfo_t phys = {0};
    struct vane_dom *d;
    int n = select_domains(c, argc, argv, 1, &d);

    if (n < 0)
        return EXIT_FAILURE;
    xc_physinfo(c->v->xc, &phys);
    if (!a)
        printf("%-32s %5s %5s %5s %5s %9s %s\n", "Name", "ID", "VCPU", "CPU", "State", "Time(s)",
               "Affinity (Hard / Soft)");
    for (int i = 0; i < n; i++) {
        for (uint32_t id = 0; id <= d[i].vcpu_max_id; id++)
            one_vcpu(c, &d[i], id, (int)phys.max_cpu_id + 1, a);
    }
    free(d);
    return a ? cli_json(a) : 0;
}
