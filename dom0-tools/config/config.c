/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.c - xl.cfg text to struct vane_config
 *
 *   I1  a config handed out is complete: name, kernel and memory are set, vcpus <= max_vcpus.
 *   I2  every string in it is its own (strdup), so it outlives the parser.
 *
 * Refuses: HVM and PVH guests, boot loaders that would read a guest's disk in Dom0 (XSA-443, 497).
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxlutil.h>

#include "config_internal.h"

static const char *const action_names[VANE_ACTIONS] = {
    "destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart",
    "soft-reset",
};
static const char *const event_keys[VANE_EVENTS] = {
    "on_poweroff", "on_reboot", "on_crash", "on_watchdog", "on_soft_reset",
};
static const enum vane_action event_defaults[VANE_EVENTS] = {
    ACT_DESTROY, ACT_RESTART, ACT_DESTROY, ACT_DESTROY, ACT_SOFT_RESET,
};

const char *vane_action_name(enum vane_action a)
{
    return (unsigned)a < VANE_ACTIONS ? action_names[a] : "unknown";
}

const char *vane_event_key(enum vane_event e)
{
    return (unsigned)e < VANE_EVENTS ? event_keys[e] : "unknown";
}

int cfg_parser_open(struct vane *v, const char *origin, struct cfg_parser *p)
{
    p->v = v;
    p->origin = origin;
    p->said = NULL;
    p->said_len = 0;
    p->report = open_memstream(&p->said, &p->said_len);
    p->xlu = p->report ? xlu_cfg_init(p->report, origin) : NULL;
    if (!p->xlu)
        return vane_fail(v, -ENOMEM, NULL, "cannot parse %s: out of memory", origin);
    return 0;
}

void cfg_parser_close(struct cfg_parser *p)
{
    if (p->xlu)
        xlu_cfg_destroy(p->xlu);
    if (p->report)
        fclose(p->report);
    free(p->said);
}

int cfg_parser_fail(struct cfg_parser *p, const char *what)
{
    char *nl;

    fflush(p->report);
    nl = p->said ? strchr(p->said, '\n') : NULL;
    if (nl)
        *nl = '\0';
    return vane_fail(p->v, -EINVAL, "xl.cfg(5) describes the keys and their values", "%s: %s",
                     what, p->said && *p->said ? p->said : "invalid");
}

/* A string key into its own copy; absent leaves *@out alone. */
static int get_string(struct cfg_parser *p, const char *key, char **out)
{
    const char *s;
    int rc = xlu_cfg_get_string(p->xlu, key, &s, 0);

    if (rc == ESRCH)
        return 0;
    if (rc)
        return cfg_parser_fail(p, key);
    free(*out);
    *out = strdup(s);
    return *out ? 0 : vane_fail(p->v, -ENOMEM, NULL, "out of memory");
}

static int get_long(struct cfg_parser *p, const char *key, long min, long max, long *out)
{
    long n;
    int rc = xlu_cfg_get_long(p->xlu, key, &n, 0);

    if (rc == ESRCH)
        return 0;
    if (rc)
        return cfg_parser_fail(p, key);
    if (n < min || n > max)
        return vane_fail(p->v, -EINVAL, NULL, "%s: %s = %ld is not between %ld and %ld", p->origin,
                         key, n, min, max);
    *out = n;
    return 1;
}

static int parse_type(struct cfg_parser *p)
{
    char *type = NULL, *builder = NULL;
    int rc = get_string(p, "type", &type);

    if (rc == 0)
        rc = get_string(p, "builder", &builder);
    if (rc == 0 && ((type && strcmp(type, "pv") != 0) ||
                    (!type && builder && strcmp(builder, "generic") != 0)))
        rc = vane_fail(p->v, -EOPNOTSUPP, "set type = \"pv\"; HVM and PVH guests are not supported",
                       "%s: a guest of type %s cannot run here", p->origin, type ? type : builder);
    free(type);
    free(builder);
    return rc;
}

static int parse_boot(struct cfg_parser *p, struct vane_config *c)
{
    char *root = NULL, *extra = NULL, *loader = NULL, *firmware = NULL;
    int rc = get_string(p, "kernel", &c->kernel);

    if (rc == 0)
        rc = get_string(p, "ramdisk", &c->ramdisk);
    if (rc == 0)
        rc = get_string(p, "cmdline", &c->cmdline);
    if (rc == 0)
        rc = get_string(p, "root", &root);
    if (rc == 0)
        rc = get_string(p, "extra", &extra);
    if (rc == 0)
        rc = get_string(p, "bootloader", &loader);
    if (rc == 0)
        rc = get_string(p, "firmware", &firmware);
    if (rc == 0 && ((loader && *loader) || (firmware && *firmware)))
        rc = vane_fail(p->v, -EOPNOTSUPP,
                       "copy the guest's kernel and initrd to Dom0 and set kernel= and ramdisk=",
                       "%s: boot loader %s: guest disks are never parsed in Dom0", p->origin,
                       loader && *loader ? loader : firmware);
    if (rc == 0 && !c->cmdline && (root || extra)) {
        int n = root && *root ? asprintf(&c->cmdline, "root=%s %s", root, extra ? extra : "")
                              : asprintf(&c->cmdline, "%s", extra ? extra : "");
        if (n < 0) {
            c->cmdline = NULL;
            rc = vane_fail(p->v, -ENOMEM, NULL, "out of memory");
        }
    } else if (rc == 0 && c->cmdline && (root || extra)) {
        vane_log(p->v, VANE_WARN, "%s: cmdline is set, so root and extra are ignored", p->origin);
    }
    if (rc == 0 && (!c->kernel || !*c->kernel))
        rc = vane_fail(p->v, -EINVAL, "set kernel = \"/path/to/vmlinuz\"", "%s: no kernel given",
                       p->origin);
    if (rc == 0 && c->ramdisk && !*c->ramdisk) {
        free(c->ramdisk);
        c->ramdisk = NULL;
    }
    if (rc == 0 && c->cmdline && strlen(c->cmdline) >= 1024)       /* ABI: MAX_GUEST_CMDLINE */
        rc = vane_fail(p->v, -EINVAL, NULL, "%s: the command line is longer than 1023 bytes",
                       p->origin);
    free(root);
    free(extra);
    free(loader);
    free(firmware);
    return rc;
}

static int parse_sizes(struct cfg_parser *p, struct vane_config *c)
{
    long mem = 32, max = 0, n;
    int rc = get_long(p, "memory", 1, 1L << 24, &mem);

    if (rc < 0)
        return rc;
    max = mem;
    if ((rc = get_long(p, "maxmem", 4, 1L << 24, &max)) < 0)
        return rc;
    if (max < mem)
        return vane_fail(p->v, -EINVAL, NULL, "%s: maxmem (%ld) is below memory (%ld)", p->origin,
                         max, mem);
    c->mem_kb = (uint64_t)mem * 1024;
    c->max_kb = (uint64_t)max * 1024;

    n = 1;
    if ((rc = get_long(p, "vcpus", 1, VANE_MAX_VCPUS, &n)) < 0)
        return rc;
    c->vcpus = (unsigned)n;
    if ((rc = get_long(p, "maxvcpus", 1, VANE_MAX_VCPUS, &n)) < 0)
        return rc;
    c->max_vcpus = (unsigned)n;
    if (c->max_vcpus < c->vcpus)
        return vane_fail(p->v, -EINVAL, NULL, "%s: maxvcpus (%u) is below vcpus (%u)", p->origin,
                         c->max_vcpus, c->vcpus);
    return 0;
}

static int parse_limits(struct cfg_parser *p, struct vane_config *c)
{
    long n = 0;
    int rc;

    if ((rc = get_long(p, "cpu_weight", 1, 65535, &n)) < 0)
        return rc;
    c->has_weight = rc > 0;
    c->weight = (unsigned)n;
    if ((rc = get_long(p, "cap", 0, 65535, &n)) < 0)
        return rc;
    c->has_cap = rc > 0;
    c->cap = c->has_cap ? (unsigned)n : 0;
    n = -1;
    if ((rc = get_long(p, "max_grant_frames", 1, 4096, &n)) < 0)
        return rc;
    c->max_grant_frames = (int)n;
    n = -1;
    if ((rc = get_long(p, "max_maptrack_frames", 0, 65536, &n)) < 0)
        return rc;
    c->max_maptrack_frames = (int)n;
    n = 0;
    if ((rc = get_long(p, "max_grant_version", 1, 2, &n)) < 0)
        return rc;
    c->grant_version = (unsigned)n;
    n = 1023;
    if ((rc = get_long(p, "max_event_channels", 1, INT_MAX, &n)) < 0)
        return rc;
    c->max_event_port = (unsigned)n;
    n = 0;
    if ((rc = get_long(p, "rtc_timeoffset", INT_MIN, INT_MAX, &n)) < 0)
        return rc;
    c->time_offset = (int32_t)n;
    n = 0;
    if ((rc = get_long(p, "localtime", 0, 1, &n)) < 0)
        return rc;
    c->localtime = n != 0;
    n = 0;
    if ((rc = get_long(p, "nomigrate", 0, 1, &n)) < 0)
        return rc;
    c->nomigrate = n != 0;
    return 0;
}

const char *const vane_tsc_modes[VANE_TSC_MODES] = { "default", "always_emulate", "native", "native_paravirt" };

static int parse_tsc(struct cfg_parser *p, struct vane_config *c)
{
    const char *s;

    if (xlu_cfg_get_string(p->xlu, "tsc_mode", &s, 1))
        return 0;
    for (unsigned i = 0; i < VANE_TSC_MODES; i++) {
        if (strcmp(s, vane_tsc_modes[i]) == 0 || (s[0] == (char)('0' + i) && !s[1])) {
            c->tsc_mode = i;
            return 0;
        }
    }
    return vane_fail(p->v, -EINVAL, NULL, "%s: tsc_mode %s is unknown", p->origin, s);
}

static int parse_policies(struct cfg_parser *p, struct vane_config *c)
{
    for (int e = 0; e < VANE_EVENTS; e++) {
        const char *s;
        int a;

        c->on[e] = event_defaults[e];
        if (xlu_cfg_get_string(p->xlu, event_keys[e], &s, 1))
            continue;
        for (a = 0; a < VANE_ACTIONS && strcmp(action_names[a], s) != 0; a++)
            ;
        if (a == VANE_ACTIONS)
            return vane_fail(p->v, -EINVAL, "destroy, restart, rename-restart, preserve, "
                             "coredump-destroy or coredump-restart", "%s: %s = %s is unknown",
                             p->origin, event_keys[e], s);
        c->on[e] = (enum vane_action)a;
    }
    return 0;
}

/* cpus = "0-3" for all vcpus, or a list with one entry a vcpu. */
static int parse_affinity(struct cfg_parser *p, const char *key, struct vane_cpus *map)
{
    XLU_ConfigList *list;
    const char *s;
    int n;

    if (xlu_cfg_get_list(p->xlu, key, &list, &n, 1) == 0) {
        for (int i = 0; i < n && i < VANE_MAX_VCPUS; i++) {
            s = xlu_cfg_get_listitem(list, i);
            if (!s || !vane_cpus_parse(s, &map[i]))
                return vane_fail(p->v, -EINVAL, NULL, "%s: %s: %s is no list of CPUs", p->origin,
                                 key, s ? s : "(empty)");
        }
    } else if (xlu_cfg_get_string(p->xlu, key, &s, 1) == 0) {
        if (!vane_cpus_parse(s, &map[0]))
            return vane_fail(p->v, -EINVAL, "for example \"0-3,^1\"",
                             "%s: %s: %s is no list of CPUs", p->origin, key, s);
        for (int i = 1; i < VANE_MAX_VCPUS; i++)
            map[i] = map[0];
    }
    return 0;
}

static int parse_identity(struct cfg_parser *p, struct vane_config *c)
{
    char *uuid = NULL;
    int rc = get_string(p, "name", &c->name);

    if (rc == 0)
        rc = get_string(p, "uuid", &uuid);
    if (rc == 0)
        rc = get_string(p, "pool", &c->pool);
    if (rc == 0 && uuid) {
        c->has_uuid = vane_uuid_parse(uuid, &c->uuid);
        if (!c->has_uuid)
            rc = vane_fail(p->v, -EINVAL, NULL, "%s: %s is no UUID", p->origin, uuid);
    }
    if (rc == 0 && (!c->name || !*c->name))
        rc = vane_fail(p->v, -EINVAL, "set name = \"...\"", "%s: the domain has no name", p->origin);
    if (rc == 0 && (strlen(c->name) > VANE_NAME_MAX || strchr(c->name, '/') ||
                    strpbrk(c->name, "\n\t")))
        rc = vane_fail(p->v, -EINVAL, "at most 200 characters, none of them / or a tab",
                       "%s: the name cannot be used", p->origin);
    free(uuid);
    return rc;
}

static int parse_all(struct cfg_parser *p, struct vane_config *c)
{
    int rc = parse_type(p);

    if (rc >= 0)
        rc = parse_identity(p, c);
    if (rc >= 0)
        rc = parse_boot(p, c);
    if (rc >= 0)
        rc = parse_sizes(p, c);
    if (rc >= 0)
        rc = parse_limits(p, c);
    if (rc >= 0)
        rc = parse_tsc(p, c);
    if (rc >= 0)
        rc = parse_policies(p, c);
    if (rc >= 0)
        rc = parse_affinity(p, "cpus", c->hard);
    if (rc >= 0)
        rc = parse_affinity(p, "cpus_soft", c->soft);
    if (rc >= 0)
        rc = cfg_parse_cpuid(p, c);
    if (rc >= 0)
        rc = cfg_parse_disks(p, c);
    if (rc >= 0)
        rc = cfg_parse_nics(p, c);
    return rc < 0 ? rc : 0;
}

int vane_config_parse(struct vane *v, const char *origin, const char *text, size_t len,
                      struct vane_config **out)
{
    struct vane_config *c = calloc(1, sizeof(*c));
    struct cfg_parser p = {0};
    int rc;

    *out = NULL;
    if (!c || !(c->text = strndup(text, len))) {
        free(c);
        return vane_fail(v, -ENOMEM, NULL, "out of memory");
    }
    if (len > INT_MAX / 2 || strlen(c->text) != len) {
        rc = vane_fail(v, -EINVAL, NULL, "%s is not a text file", origin);
        goto out;
    }
    rc = cfg_parser_open(v, origin, &p);
    if (rc == 0 && xlu_cfg_readdata(p.xlu, c->text, (int)len) != 0)
        rc = cfg_parser_fail(&p, "syntax error");
    if (rc == 0)
        rc = vane_config_check_keys(v, origin, c->text, len);
    if (rc == 0)
        rc = parse_all(&p, c);
out:
    cfg_parser_close(&p);
    if (rc < 0)
        vane_config_free(c);
    else
        *out = c;
    return rc;
}

bool vane_config_rename(struct vane_config *c, const char *name)
{
    char *copy = strdup(name);

    if (!copy)
        return false;
    free(c->name);
    c->name = copy;
    return true;
}

void vane_config_free(struct vane_config *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < c->n_disks; i++)
        vane_disk_free(&c->disks[i]);
    for (unsigned i = 0; i < c->n_nics; i++)
        vane_nic_free(&c->nics[i]);
    free(c->cpuid.list);
    free(c->disks);
    free(c->nics);
    free(c->text);
    free(c->name);
    free(c->kernel);
    free(c->ramdisk);
    free(c->cmdline);
    free(c->pool);
    free(c);
}
