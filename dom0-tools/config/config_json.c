/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_json.c - a configuration in the JSON shape that `xl list -l` prints
 *
 * Programs read this output (libxl's domain config type), so names and value forms are libxl's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "config.h"

static void put(struct json_object *o, const char *key, const char *s)
{
    if (s)
        json_object_object_add(o, key, json_object_new_string(s));
}

static void put_u(struct json_object *o, const char *key, uint64_t n)
{
    json_object_object_add(o, key, json_object_new_uint64(n));
}

/* libxl's defbool; a plain boolean is put_flag()'s. */
static void put_bool(struct json_object *o, const char *key, bool b)
{
    put(o, key, b ? "True" : "False");
}

static void put_flag(struct json_object *o, const char *key, bool b)
{
    json_object_object_add(o, key, json_object_new_boolean(b));
}

static struct json_object *disk_json(const struct vane_disk *d)
{
    struct json_object *o = json_object_new_object();

    put(o, "pdev_path", d->target);
    put(o, "vdev", d->vdev);
    put(o, "backend", d->format ? "qdisk" : "phy");
    put(o, "format", d->format ? d->format : "raw");
    put(o, "script", d->script);
    put_u(o, "removable", d->removable);
    put_u(o, "readwrite", d->writable);
    put_flag(o, "direct_io_safe", d->direct_io_safe);
    put_bool(o, "discard_enable", d->discard);
    put_bool(o, "trusted", d->trusted);
    return o;
}

static struct json_object *nic_json(const struct vane_nic *n)
{
    struct json_object *o = json_object_new_object();
    char mac[18];

    put_u(o, "devid", (uint64_t)(n->devid < 0 ? 0 : n->devid));
    if (n->has_mac) {
        snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", n->mac[0], n->mac[1], n->mac[2],
                 n->mac[3], n->mac[4], n->mac[5]);
        put(o, "mac", mac);
    }
    put(o, "bridge", n->bridge);
    put(o, "ip", n->ip);
    put(o, "ifname", n->ifname);
    put(o, "script", n->script);
    put(o, "gatewaydev", n->gatewaydev);
    put(o, "nictype", "vif");
    if (n->mtu)
        put_u(o, "mtu", n->mtu);
    if (n->rate_bytes) {
        put_u(o, "rate_bytes_per_interval", n->rate_bytes);
        put_u(o, "rate_interval_usecs", n->rate_usecs);
    }
    put_bool(o, "trusted", n->trusted);
    return o;
}

static struct json_object *cpuid_json(const struct vane_cpuids *c)
{
    static const char *const regs[4] = { "eax", "ebx", "ecx", "edx" };
    struct json_object *a = json_object_new_array();

    for (unsigned i = 0; i < c->n; i++) {
        struct json_object *o = json_object_new_object();

        put_u(o, "leaf", c->list[i].leaf);
        if (c->list[i].subleaf != VANE_NO_SUBLEAF)
            put_u(o, "subleaf", c->list[i].subleaf);
        for (int r = 0; r < 4; r++) {
            if (strspn(c->list[i].reg[r], "x") < 32)
                put(o, regs[r], c->list[i].reg[r]);
        }
        json_object_array_add(a, o);
    }
    return a;
}

/* An array of the CPUs of each vCPU, up to the first one that may use all. */
static void put_affinity(struct json_object *o, const char *key, const struct vane_cpus *map, unsigned n)
{
    struct json_object *list = json_object_new_array();

    for (unsigned i = 0; i < n && map[i].given; i++) {
        struct json_object *cpus = json_object_new_array();

        for (unsigned cpu = 0; cpu < VANE_MAX_CPUS; cpu++) {
            if (vane_cpus_has(&map[i], cpu))
                json_object_array_add(cpus, json_object_new_int((int)cpu));
        }
        json_object_array_add(list, cpus);
    }
    if (json_object_array_length(list) > 0)
        json_object_object_add(o, key, list);
    else
        json_object_put(list);
}

static void put_limits(struct json_object *b, const struct vane_config *c)
{
    if (c->max_grant_frames >= 0)
        put_u(b, "max_grant_frames", (uint64_t)c->max_grant_frames);
    if (c->max_maptrack_frames >= 0)
        put_u(b, "max_maptrack_frames", (uint64_t)c->max_maptrack_frames);
    if (c->grant_version)
        put_u(b, "max_grant_version", c->grant_version);
    put_u(b, "event_channels", c->max_event_port);
}

static void put_time(struct json_object *b, const struct vane_config *c)
{
    put(b, "tsc_mode", vane_tsc_modes[c->tsc_mode]);
    if (c->time_offset)
        put_u(b, "rtc_timeoffset", (uint32_t)c->time_offset);
    put_bool(b, "localtime", c->localtime);
}

static struct json_object *build_info_json(const struct vane_config *c)
{
    struct json_object *b = json_object_new_object(), *avail = json_object_new_array();
    struct json_object *sched = json_object_new_object();

    put_u(b, "max_vcpus", c->max_vcpus);
    for (unsigned i = 0; i < c->vcpus; i++)
        json_object_array_add(avail, json_object_new_int((int)i));
    json_object_object_add(b, "avail_vcpus", avail);
    put_affinity(b, "vcpu_hard_affinity", c->hard, c->max_vcpus);
    put_affinity(b, "vcpu_soft_affinity", c->soft, c->max_vcpus);
    if (c->hard[0].given || c->soft[0].given)
        put_bool(b, "numa_placement", false);
    put_time(b, c);
    put_u(b, "max_memkb", c->max_kb);
    put_u(b, "target_memkb", c->mem_kb);
    put_u(b, "video_memkb", 0);
    if (c->has_weight)
        put_u(sched, "weight", c->weight);
    if (c->has_cap)
        put_u(sched, "cap", c->cap);
    json_object_object_add(b, "sched_params", sched);
    put_bool(b, "claim_mode", true);
    put_bool(b, "disable_migrate", c->nomigrate);
    put_limits(b, c);
    if (c->cpuid.n)
        json_object_object_add(b, "cpuid", cpuid_json(&c->cpuid));
    put(b, "kernel", c->kernel);
    put(b, "cmdline", c->cmdline);
    put(b, "ramdisk", c->ramdisk);
    json_object_object_add(b, "type.pv", json_object_new_object());
    return b;
}

char *vane_config_json(const struct vane_config *c, const char *uuid)
{
    /* libxl's names of the actions use _ where the configuration has - */
    static const char *const actions[VANE_ACTIONS] = {
        "destroy", "restart", "rename_restart", "preserve", "coredump_destroy", "coredump_restart",
        "soft_reset",
    };
    struct json_object *o = json_object_new_object(), *ci = json_object_new_object();
    char *text;

    put(ci, "type", "pv");
    put(ci, "name", c->name);
    put(ci, "uuid", uuid);
    put(ci, "pool_name", c->pool);
    put_bool(ci, "run_hotplug_scripts", true);
    json_object_object_add(o, "c_info", ci);
    json_object_object_add(o, "b_info", build_info_json(c));
    if (c->n_disks) {
        struct json_object *a = json_object_new_array();

        for (unsigned i = 0; i < c->n_disks; i++)
            json_object_array_add(a, disk_json(&c->disks[i]));
        json_object_object_add(o, "disks", a);
    }
    if (c->n_nics) {
        struct json_object *a = json_object_new_array();

        for (unsigned i = 0; i < c->n_nics; i++)
            json_object_array_add(a, nic_json(&c->nics[i]));
        json_object_object_add(o, "nics", a);
    }
    for (int e = 0; e < VANE_EVENTS; e++)
        put(o, vane_event_key((enum vane_event)e), actions[c->on[e]]);
    text = strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
                                                  JSON_C_TO_STRING_SPACED |
                                                  JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
    return text;
}
