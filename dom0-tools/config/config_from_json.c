/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_from_json.c - libxl's JSON of a domain, written as configuration text
 *
 * A stream carries its configuration as JSON. Turned into text it goes through the one parser there
 * is, with all its checks, and becomes the record of the domain.
 *
 *   I1  a value that could end a string in the text is left out: the JSON comes from another host.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "config.h"

static const char *str(struct json_object *o, const char *key)
{
    struct json_object *v;
    const char *s;

    if (!o || !json_object_object_get_ex(o, key, &v) || !json_object_is_type(v, json_type_string))
        return NULL;
    s = json_object_get_string(v);
    for (const char *p = s; *p; p++) {
        if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ')
            return NULL;                                                            /* I1 */
    }
    return s;
}

static int64_t num(struct json_object *o, const char *key, int64_t otherwise)
{
    struct json_object *v;

    return o && json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_int)
        ? json_object_get_int64(v) : otherwise;
}

static struct json_object *sub(struct json_object *o, const char *key, enum json_type type)
{
    struct json_object *v;

    return o && json_object_object_get_ex(o, key, &v) && json_object_is_type(v, type) ? v : NULL;
}

static void put(FILE *f, const char *key, const char *value)
{
    if (value)
        fprintf(f, "%s = \"%s\"\n", key, value);
}

/* A number that the text may have; what is out of range is libxl's way to say "the default". */
static void put_num(FILE *f, const char *key, struct json_object *o, const char *name, int64_t min, int64_t max)
{
    int64_t n = num(o, name, min - 1);

    if (n >= min && n <= max)
        fprintf(f, "%s = %lld\n", key, (long long)n);
}

/* libxl's defbool, and JSON's own. */
static bool is(struct json_object *o, const char *key, bool otherwise)
{
    struct json_object *v;
    const char *s = str(o, key);

    if (s)
        return strcmp(s, "True") == 0 || (strcmp(s, "False") != 0 && otherwise);
    return o && json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_boolean)
        ? json_object_get_boolean(v) : otherwise;
}

static void put_affinity(FILE *f, const char *key, struct json_object *list)
{
    size_t n = list ? json_object_array_length(list) : 0;

    for (size_t i = 0; i < n; i++) {
        struct json_object *cpus = json_object_array_get_idx(list, i);
        size_t count = json_object_is_type(cpus, json_type_array) ? json_object_array_length(cpus) : 0;

        fprintf(f, "%s%s\"", i == 0 ? key : ",", i == 0 ? " = [ " : " ");
        for (size_t k = 0; k < count; k++) {
            int64_t cpu = json_object_get_int64(json_object_array_get_idx(cpus, k));

            if (cpu >= 0 && cpu < VANE_MAX_CPUS)
                fprintf(f, "%s%d", k ? "," : "", (int)cpu);
        }
        fputs(count ? "\"" : "all\"", f);          /* ABI: libxl's empty map */
    }
    if (n > 0)
        fprintf(f, " ]\n");
}

static void put_cpuid(FILE *f, struct json_object *list)
{
    static const char *const regs[4] = { "eax", "ebx", "ecx", "edx" };
    size_t n = list ? json_object_array_length(list) : 0;

    for (size_t i = 0; i < n; i++) {
        struct json_object *leaf = json_object_array_get_idx(list, i);
        int64_t subleaf = num(leaf, "subleaf", VANE_NO_SUBLEAF);
        bool first = true;

        fprintf(f, "%s\"%lld", i == 0 ? "cpuid = [ " : ", ", (long long)num(leaf, "leaf", 0));
        if (subleaf != VANE_NO_SUBLEAF)
            fprintf(f, ",%lld", (long long)subleaf);
        for (int r = 0; r < 4; r++) {
            const char *bits = str(leaf, regs[r]);

            if (bits)
                fprintf(f, "%c%s=%s", first ? ':' : ',', regs[r], bits);
            first = first && !bits;
        }
        fprintf(f, "%s\"", first ? ":" : "");
    }
    if (n > 0)
        fprintf(f, " ]\n");
}

static void put_disks(FILE *f, struct json_object *list)
{
    fprintf(f, "disk = [ ");
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        struct json_object *d = json_object_array_get_idx(list, i);
        const char *script = str(d, "script"), *target = str(d, "pdev_path"), *vdev = str(d, "vdev");
        const char *format = str(d, "format");

        if (!target || !vdev)
            continue;
        fprintf(f, "\"%s%s%sformat=%s,vdev=%s,access=%s", script ? "script=" : "", script ? script : "",
                script ? "," : "", format ? format : "raw", vdev, num(d, "readwrite", 0) ? "rw" : "ro");
        fprintf(f, "%s%s,target=%s\", ", is(d, "direct_io_safe", false) ? ",direct-io-safe" : "",
                is(d, "discard_enable", true) ? "" : ",no-discard", target);
    }
    fprintf(f, "]\n");
}

static void put_nics(FILE *f, struct json_object *list)
{
    static const struct { const char *json, *key; } keys[] = {
        { "mac", "mac" }, { "bridge", "bridge" }, { "ifname", "vifname" }, { "script", "script" },
        { "ip", "ip" }, { "gatewaydev", "gatewaydev" },
    };

    fprintf(f, "vif = [ ");
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        struct json_object *n = json_object_array_get_idx(list, i);
        int64_t rate = num(n, "rate_bytes_per_interval", 0), usecs = num(n, "rate_interval_usecs", 0);

        fprintf(f, "\"devid=%lld", (long long)num(n, "devid", (int64_t)i));
        for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
            const char *value = str(n, keys[k].json);

            /* libxl writes its default script's path: that one we do without a script */
            if (value && !(strcmp(keys[k].key, "script") == 0 && strstr(value, "vif-bridge")))
                fprintf(f, ",%s=%s", keys[k].key, value);
        }
        if (num(n, "mtu", 0) > 0)
            fprintf(f, ",mtu=%lld", (long long)num(n, "mtu", 0));
        if (rate > 0 && usecs > 0 && usecs < 10000000 && rate < (1ll << 40))
            fprintf(f, ",rate=%lldB/s@%lldus", (long long)(rate * 1000000 / usecs), (long long)usecs);
        fprintf(f, "%s\", ", is(n, "trusted", true) ? "" : ",trusted=0");
    }
    fprintf(f, "]\n");
}

static void put_policies(FILE *f, struct json_object *o)
{
    for (int e = 0; e < VANE_EVENTS; e++) {
        const char *key = vane_event_key((enum vane_event)e), *s = str(o, key);
        char value[32];

        /* left out means libxl's default, which is destroy for all but one */
        snprintf(value, sizeof(value), "%s", s ? s : e == ON_SOFT_RESET ? "soft-reset" : "destroy");
        for (char *p = value; *p; p++) {
            if (*p == '_')
                *p = '-';
        }
        put(f, key, value);
    }
}

/* What the domain has been given beside memory: CPUs, limits, time. */
static void put_settings(FILE *f, struct json_object *b)
{
    struct json_object *sched = sub(b, "sched_params", json_type_object);
    int64_t offset = num(b, "rtc_timeoffset", 0);

    put_num(f, "cpu_weight", sched, "weight", 1, 65535);
    put_num(f, "cap", sched, "cap", 1, 65535);
    put_affinity(f, "cpus", sub(b, "vcpu_hard_affinity", json_type_array));
    put_affinity(f, "cpus_soft", sub(b, "vcpu_soft_affinity", json_type_array));
    put_num(f, "max_grant_frames", b, "max_grant_frames", 1, 4096);
    put_num(f, "max_maptrack_frames", b, "max_maptrack_frames", 0, 65536);
    put_num(f, "max_grant_version", b, "max_grant_version", 1, 2);
    put_num(f, "max_event_channels", b, "event_channels", 1, INT32_MAX);
    put(f, "tsc_mode", str(b, "tsc_mode"));
    if ((int32_t)offset)                            /* ABI: libxl has it as a uint32_t */
        fprintf(f, "rtc_timeoffset = \"%d\"\n", (int32_t)offset);
    if (is(b, "localtime", false))
        fprintf(f, "localtime = 1\n");
    if (is(b, "disable_migrate", false))
        fprintf(f, "nomigrate = 1\n");
    put_cpuid(f, sub(b, "cpuid", json_type_array));
}

char *config_text_from_json(const char *json)
{
    struct json_object *o = json_tokener_parse(json);
    struct json_object *c = sub(o, "c_info", json_type_object), *b = sub(o, "b_info", json_type_object);
    struct json_object *avail = sub(b, "avail_vcpus", json_type_array);
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    int64_t vcpus = num(b, "max_vcpus", 1), target = num(b, "target_memkb", 0);
    int64_t max = num(b, "max_memkb", target);

    if (f && c && b) {
        put(f, "name", str(c, "name"));
        put(f, "uuid", str(c, "uuid"));
        put(f, "type", str(c, "type"));
        put(f, "kernel", str(b, "kernel") ? str(b, "kernel") : "/restored");
        put(f, "ramdisk", str(b, "ramdisk"));
        put(f, "cmdline", str(b, "cmdline"));
        fprintf(f, "memory = %lld\nmaxmem = %lld\nmaxvcpus = %lld\nvcpus = %lld\n",
                (long long)(target / 1024), (long long)(max / 1024), (long long)vcpus,
                (long long)(avail ? (int64_t)json_object_array_length(avail) : vcpus));
        put(f, "pool", str(c, "pool_name"));
        put_settings(f, b);
        put_disks(f, sub(o, "disks", json_type_array));
        put_nics(f, sub(o, "nics", json_type_array));
        put_policies(f, o);
    }
    if (f)
        fclose(f);
    if (!c || !b) {
        free(text);
        text = NULL;
    }
    json_object_put(o);
    return text;
}
