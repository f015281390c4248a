/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_host.c - the machine and the hypervisor: info, dmesg, cpupool-list, debug-keys */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "../lib/handle.h"
#include "../lib/store.h"
#include "cli.h"

/* One line of `xl info`: the key padded to 23 columns; programs look for "key   :". */
static void line(struct json_object *o, const char *key, const char *fmt, ...) PRINTF(3, 4);
static void line(struct json_object *o, const char *key, const char *fmt, ...)
{
    char value[2048];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    if (o)
        json_object_object_add(o, key, json_object_new_string(value));
    else
        printf("%-23s: %s\n", key, value);
}

static const char *scheduler_name(int id)
{
    switch (id) {
    case XEN_SCHEDULER_CREDIT: return "credit";
    case XEN_SCHEDULER_CREDIT2: return "credit2";
    case XEN_SCHEDULER_ARINC653: return "arinc653";
    case XEN_SCHEDULER_RTDS: return "rtds";
    case XEN_SCHEDULER_NULL: return "null";
    default: return "unknown";
    }
}

static int info_machine(struct cli *c, struct json_object *o, xc_physinfo_t *p)
{
    static const struct { uint32_t bit; const char *name; } caps[] = {
        { XEN_SYSCTL_PHYSCAP_pv, " pv" }, { XEN_SYSCTL_PHYSCAP_hvm, " hvm" },
        { XEN_SYSCTL_PHYSCAP_hap, " hap" }, { XEN_SYSCTL_PHYSCAP_shadow, " shadow" },
        { XEN_SYSCTL_PHYSCAP_iommu_hap_pt_share, " iommu_hap_pt_share" },
        { XEN_SYSCTL_PHYSCAP_vmtrace, " vmtrace" }, { XEN_SYSCTL_PHYSCAP_vpmu, " vpmu" },
        { XEN_SYSCTL_PHYSCAP_gnttab_v1, " gnttab-v1" }, { XEN_SYSCTL_PHYSCAP_gnttab_v2, " gnttab-v2" },
    };
    struct utsname u;
    char virt[256] = "";
    const uint32_t *hw = p->hw_cap;

    uname(&u);
    if (xc_physinfo(c->v->xc, p) < 0) {
        vane_fail(c->v, -errno, NULL, "cannot read the host's figures: %s", strerror(errno));
        return cli_error(c);
    }
    for (size_t i = 0; i < ARRAY_SIZE(caps); i++) {
        if (p->capabilities & caps[i].bit)
            strncat(virt, caps[i].name, sizeof(virt) - strlen(virt) - 1);
    }
    line(o, "host", "%s", u.nodename);
    line(o, "release", "%s", u.release);
    line(o, "version", "%s", u.version);
    line(o, "machine", "%s", u.machine);
    line(o, "nr_cpus", "%u", p->nr_cpus);
    line(o, "max_cpu_id", "%u", p->max_cpu_id);
    line(o, "nr_nodes", "%u", p->nr_nodes);
    line(o, "cores_per_socket", "%u", p->cores_per_socket);
    line(o, "threads_per_core", "%u", p->threads_per_core);
    line(o, "cpu_mhz", "%u.%03u", p->cpu_khz / 1000, p->cpu_khz % 1000);
    line(o, "hw_caps", "%08x:%08x:%08x:%08x:%08x:%08x:%08x:%08x", hw[0], hw[1], hw[2], hw[3], hw[4],
         hw[5], hw[6], hw[7]);
    line(o, "virt_caps", "%s", virt[0] ? virt + 1 : "");
    line(o, "total_memory", "%llu", (unsigned long long)p->total_pages / 256);
    line(o, "free_memory", "%llu", (unsigned long long)(p->free_pages - p->outstanding_pages) / 256);
    line(o, "sharing_freed_memory", "0");
    line(o, "sharing_used_memory", "0");
    line(o, "outstanding_claims", "%llu", (unsigned long long)p->outstanding_pages / 256);
    return 0;
}

static void info_free_cpus(struct cli *c, struct json_object *o, const xc_physinfo_t *p)
{
    xc_cpumap_t map = xc_cpupool_freeinfo(c->v->xc);
    unsigned n = 0;

    for (int i = 0; map && i <= (int)p->max_cpu_id; i++)
        n += xc_cpumap_testcpu(i, map) ? 1u : 0;
    free(map);
    line(o, "free_cpus", "%u", n);
}

static void info_topology(struct cli *c, const xc_physinfo_t *p)
{
    unsigned cpus = p->max_cpu_id + 1, nodes = p->max_node_id + 1;
    xc_cputopo_t *topo = calloc(cpus, sizeof(*topo));
    xc_meminfo_t *mem = calloc(nodes, sizeof(*mem));
    uint32_t *dist = calloc((size_t)nodes * nodes, sizeof(*dist));

    if (topo && xc_cputopoinfo(c->v->xc, &cpus, topo) == 0) {
        printf("cpu_topology           :\ncpu:    core    socket     node\n");
        for (unsigned i = 0; i < cpus; i++) {
            if (topo[i].core != XEN_INVALID_CORE_ID)
                printf("%3u:    %4u     %4u     %4u\n", i, topo[i].core, topo[i].socket, topo[i].node);
        }
    }
    printf("device topology        :\ndevice           node\nNo device topology data available\n");
    if (mem && dist && xc_numainfo(c->v->xc, &nodes, mem, dist) == 0) {
        printf("numa_info              :\nnode:    memsize    memfree    distances\n");
        for (unsigned i = 0; i < nodes; i++) {
            if (mem[i].memsize == XEN_INVALID_MEM_SZ)
                continue;
            printf("%4u:    %6llu     %6llu      %u", i, (unsigned long long)(mem[i].memsize >> 20),
                   (unsigned long long)(mem[i].memfree >> 20), dist[(size_t)i * nodes]);
            for (unsigned j = 1; j < nodes; j++)
                printf(",%u", dist[(size_t)i * nodes + j]);
            printf("\n");
        }
    }
    free(topo);
    free(mem);
    free(dist);
}

static void info_hypervisor(struct cli *c, struct json_object *o)
{
    xc_interface *xc = c->v->xc;
    int version = xc_version(xc, XENVER_version, NULL), sched = -1;
    xen_extraversion_t extra = "";
    xen_capabilities_info_t caps = "";
    xen_platform_parameters_t params = {0};
    xen_changeset_info_t changeset = "";
    xen_commandline_t cmdline = "";
    xen_compile_info_t *cc = calloc(1, sizeof(*cc));
    union { xen_build_id_t b; char space[sizeof(xen_build_id_t) + 64]; } id;
    char hex[129] = "";
    int n;

    xc_version(xc, XENVER_extraversion, &extra);
    xc_version(xc, XENVER_capabilities, &caps);
    xc_version(xc, XENVER_platform_parameters, &params);
    xc_version(xc, XENVER_changeset, &changeset);
    xc_version(xc, XENVER_commandline, &cmdline);
    xc_sched_id(xc, &sched);
    memset(&id, 0, sizeof(id));
    id.b.len = 64;
    n = xc_version(xc, XENVER_build_id, &id.b);
    for (int i = 0; i < n && i < 64; i++)
        snprintf(hex + 2 * i, 3, "%02x", id.b.buf[i]);

    line(o, "xen_major", "%d", version >> 16);
    line(o, "xen_minor", "%d", version & 0xffff);
    line(o, "xen_extra", "%s", extra);
    line(o, "xen_version", "%d.%d%s", version >> 16, version & 0xffff, extra);
    line(o, "xen_caps", "%s", caps);
    line(o, "xen_scheduler", "%s", scheduler_name(sched));
    line(o, "xen_pagesize", "%d", xc_version(xc, XENVER_pagesize, NULL));
    line(o, "platform_params", "virt_start=0x%llx", (unsigned long long)params.virt_start);
    line(o, "xen_changeset", "%s", changeset);
    line(o, "xen_commandline", "%s", cmdline);
    if (cc && xc_version(xc, XENVER_compile_info, cc) == 0) {
        line(o, "cc_compiler", "%s", cc->compiler);
        line(o, "cc_compile_by", "%s", cc->compile_by);
        line(o, "cc_compile_domain", "%s", cc->compile_domain);
        line(o, "cc_compile_date", "%s", cc->compile_date);
    }
    line(o, "build_id", "%s", hex);
    line(o, "xend_config_format", "4");
    free(cc);
}

int cmd_info(struct cli *c, int argc, char **argv)
{
    static const struct option opts[] = { { "numa", 0, NULL, 'n' }, { NULL, 0, NULL, 0 } };
    struct json_object *o = c->json ? json_object_new_object() : NULL;
    xc_physinfo_t p = {0};
    bool numa = false;
    int ch;

    while ((ch = getopt_long(argc, argv, "hn", opts, NULL)) != -1) {
        if (ch != 'n')
            return cli_usage(c, argv[0]);
        numa = true;
    }
    if (!vane_xc(c->v))
        return cli_error(c);
    if (info_machine(c, o, &p))
        return EXIT_FAILURE;
    info_free_cpus(c, o, &p);
    if (numa && !o)
        info_topology(c, &p);
    info_hypervisor(c, o);
    return o ? cli_json(o) : 0;
}

int cmd_dmesg(struct cli *c, int argc, char **argv)
{
    static const struct option opts[] = { { "clear", 0, NULL, 'c' }, { NULL, 0, NULL, 0 } };
    struct json_object *o;
    char *all = NULL, buf[16384];
    size_t len = 0;
    uint32_t index = 0;
    bool clear = false;
    int ch;

    while ((ch = getopt_long(argc, argv, "hc", opts, NULL)) != -1) {
        if (ch != 'c')
            return cli_usage(c, argv[0]);
        clear = true;
    }
    if (!vane_xc(c->v))
        return cli_error(c);
    for (;;) {
        unsigned n = sizeof(buf);
        char *more;

        if (xc_readconsolering(c->v->xc, buf, &n, clear, 1, &index) < 0) {
            vane_fail(c->v, -errno, NULL, "cannot read the hypervisor's log: %s", strerror(errno));
            free(all);
            return cli_error(c);
        }
        if (n == 0 || !(more = realloc(all, len + n + 1)))
            break;
        all = more;
        memcpy(all + len, buf, n);
        len += n;
        all[len] = '\0';
    }
    if (c->json) {
        o = json_object_new_object();
        json_object_object_add(o, "dmesg", json_object_new_string(all ? all : ""));
        free(all);
        return cli_json(o);
    }
    fwrite(all, 1, len, stdout);
    free(all);
    return 0;
}

int cmd_debug_keys(struct cli *c, int argc, char **argv)
{
    if (!cli_args(c, argc, argv, 1, 1, 1))
        return EXIT_FAILURE;
    if (!vane_xc(c->v))
        return cli_error(c);
    if (xc_send_debug_keys(c->v->xc, argv[1]) < 0) {
        vane_fail(c->v, -errno, NULL, "cannot send debug keys: %s", strerror(errno));
        return cli_error(c);
    }
    return cli_ok(c, NULL, NULL);
}

int cmd_cpupool_list(struct cli *c, int argc, char **argv)
{
    static const struct option opts[] = { { "cpus", 0, NULL, 'c' }, { NULL, 0, NULL, 0 } };
    struct json_object *a = c->json ? json_object_new_array() : NULL;
    xc_cpupoolinfo_t *p;
    uint32_t only = 0;
    bool cpus = false, all;
    int ch;

    while ((ch = getopt_long(argc, argv, "hc", opts, NULL)) != -1) {
        if (ch != 'c')
            return cli_usage(c, argv[0]);
        cpus = true;
    }
    all = optind >= argc;
    if (!vane_xc(c->v) || (!all && vane_pool_find(c->v, argv[optind], &only) < 0))
        return cli_error(c);
    if (!a)
        printf("%-19s%s", "Name", cpus ? "CPU list\n" : "CPUs   Sched     Active   Domain count\n");
    for (uint32_t id = 0; (p = xc_cpupool_getinfo(c->v->xc, id)) != NULL; ) {
        char name[256], list[512] = "";
        int n = 0, max = xc_get_max_cpus(c->v->xc);
        size_t at = 0;

        if (store_get_pools_name(vane_store(c->v), p->cpupool_id, name, sizeof(name)) < 0)
            snprintf(name, sizeof(name), "Pool-%u", p->cpupool_id);
        for (int i = 0; i < max; i++) {
            if (xc_cpumap_testcpu(i, p->cpumap) && at < sizeof(list) - 8)
                at += (size_t)snprintf(list + at, sizeof(list) - at, n++ ? ",%d" : "%d", i);
        }
        if (all || p->cpupool_id == only) {
            if (a) {
                struct json_object *o = json_object_new_object();

                json_object_object_add(o, "name", json_object_new_string(name));
                json_object_object_add(o, "cpus", json_object_new_string(list));
                json_object_object_add(o, "sched",
                                       json_object_new_string(scheduler_name((int)p->sched_id)));
                json_object_object_add(o, "domains", json_object_new_int((int)p->n_dom));
                json_object_array_add(a, o);
            } else if (cpus) {
                printf("%-19s%s\n", name, list);
            } else {
                printf("%-19s%3d %9s       y       %4u\n", name, n,
                       scheduler_name((int)p->sched_id), p->n_dom);
            }
        }
        id = p->cpupool_id + 1;
        xc_cpupool_infofree(c->v->xc, p);
    }
    return a ? cli_json(a) : 0;
}
