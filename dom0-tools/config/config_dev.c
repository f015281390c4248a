/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_dev.c - disk = [...] and vif = [...]
 *
 * Disks go through libxlutil's own parser, so the whole grammar of xl-disk-configuration(5) holds,
 * old prefixes included. A vif is a list of key=value pairs.
 *
 * Refuses: two devices of one number or one vifname (a
 * second guest with the same vifname would silently take the first one's network).
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"

#define MAX_DEVICES 64

void vane_disk_free(struct vane_disk *d)
{
    free(d->target);
    free(d->vdev);
    free(d->script);
    memset(d, 0, sizeof(*d));
}

void vane_nic_free(struct vane_nic *n)
{
    free(n->bridge);
    free(n->ifname);
    free(n->script);
    free(n->ip);
    free(n->gatewaydev);
    memset(n, 0, sizeof(*n));
}

/*
 * ABI: xen-vbd-interface(7). xvd: major 202, 16 partitions a disk up to xvdp, then the extended form
 * with bit 28 set and 256 a disk; hd and sd keep their old majors.
 */
bool vane_vdev_number(const char *vdev, uint32_t *number)
{
    uint32_t disk = 0, part = 0;
    const char *p = vdev + 3;

    if (strncmp(vdev, "xvd", 3) != 0 && strncmp(vdev, "sd", 2) != 0 && strncmp(vdev, "hd", 2) != 0) {
        char *end;
        unsigned long n = strtoul(vdev, &end, 0);

        if (!isdigit((unsigned char)vdev[0]) || *end || n > 0x1fffffff)
            return false;
        *number = (uint32_t)n;
        return true;
    }
    if (vdev[0] != 'x')
        p = vdev + 2;
    if (!islower((unsigned char)*p))
        return false;
    for (; islower((unsigned char)*p); p++) {
        disk = disk * 26 + (uint32_t)(*p - 'a' + 1);
        if (disk > (1u << 20))
            return false;
    }
    disk--;
    for (; isdigit((unsigned char)*p); p++) {
        part = part * 10 + (uint32_t)(*p - '0');
        if (part > 255)
            return false;
    }
    if (*p)
        return false;
    if (vdev[0] == 'x') {
        *number = disk < 16 && part < 16 ? 202u << 8 | disk << 4 | part : 1u << 28 | disk << 8 | part;
    } else if (vdev[0] == 's') {
        if (disk > 15 || part > 15)
            return false;
        *number = 8u << 8 | disk << 4 | part;
    } else {
        if (disk > 3 || part > 63)
            return false;
        *number = (disk < 2 ? 3u : 22u) << 8 | (disk & 1) << 6 | part;
    }
    return true;
}

void vane_vdev_name(uint32_t number, char *out, size_t len)
{
    uint32_t disk, part;
    char letters[8];
    int n = 0;

    if (number >> 28 == 1) {
        disk = (number >> 8) & 0xfffff;
        part = number & 0xff;
    } else if (number >> 8 == 202) {
        disk = (number >> 4) & 15;
        part = number & 15;
    } else {
        snprintf(out, len, "%u", number);
        return;
    }
    do {
        letters[n++] = (char)('a' + disk % 26);
        disk = disk / 26;
    } while (disk-- > 0 && n < 7);
    snprintf(out, len, "xvd");
    for (size_t at = 3; n > 0 && at + 1 < len; at++) {
        out[at] = letters[--n];
        out[at + 1] = '\0';
    }
    if (part)
        snprintf(out + strlen(out), len - strlen(out), "%u", part);
}

/* Take what we act on out of libxl's description; refuse what we cannot serve. */
static int take_disk(struct vane *v, const libxl_device_disk *x, struct vane_disk *d)
{
    if (!x->pdev_path || !*x->pdev_path)
        return vane_fail(v, -EINVAL, "name a file or block device", "disk %s has no target",
                         x->vdev ? x->vdev : "?");
    if (!x->vdev || !vane_vdev_number(x->vdev, &d->number))
        return vane_fail(v, -EINVAL, "xvda, xvdb, ...", "disk %s: %s is no virtual device",
                         x->pdev_path, x->vdev ? x->vdev : "(none)");
    if (x->format == LIBXL_DISK_FORMAT_EMPTY)
        return vane_fail(v, -EOPNOTSUPP, "block-attach the disk when there is one",
                         "disk %s: a PV guest has no empty drives", x->vdev);
    if (x->format != LIBXL_DISK_FORMAT_RAW && x->format != LIBXL_DISK_FORMAT_UNKNOWN)
        d->format = libxl_disk_format_to_string(x->format);
    if (x->backend != LIBXL_DISK_BACKEND_UNKNOWN && x->backend != LIBXL_DISK_BACKEND_PHY &&
        x->backend != LIBXL_DISK_BACKEND_QDISK && x->backend != LIBXL_DISK_BACKEND_TAP)
        return vane_fail(v, -EOPNOTSUPP, NULL, "disk %s: back end %s is not supported", x->vdev,
                         libxl_disk_backend_to_string(x->backend));
    if (x->is_cdrom)
        vane_log(v, VANE_WARN, "disk %s: a PV guest sees a CD as a read-only disk", x->vdev);
    if (x->backend_domname && *x->backend_domname && strcmp(x->backend_domname, "0") != 0 &&
        strcmp(x->backend_domname, "Domain-0") != 0)
        return vane_fail(v, -EOPNOTSUPP, "drop backend=", "disk %s: back ends run in Dom0 only",
                         x->vdev);
    d->target = strdup(x->pdev_path);
    d->vdev = strdup(x->vdev);
    d->script = x->script && *x->script ? strdup(x->script) : NULL;
    d->writable = x->readwrite && !x->is_cdrom;
    d->removable = x->removable;
    d->direct_io_safe = x->direct_io_safe;
    d->discard = libxl_defbool_is_default(x->discard_enable) ? d->writable
                                                              : libxl_defbool_val(x->discard_enable);
    d->trusted = libxl_defbool_is_default(x->trusted) || libxl_defbool_val(x->trusted);
    return d->target && d->vdev ? 0 : vane_fail(v, -ENOMEM, NULL, "out of memory");
}

static int parse_disk(struct cfg_parser *p, unsigned n, const char *const *specs,
                      struct vane_disk *out)
{
    libxl_device_disk x;
    int rc;

    memset(out, 0, sizeof(*out));
    libxl_device_disk_init(&x);
    if (xlu_disk_parse(p->xlu, (int)n, specs, &x) != 0)
        rc = cfg_parser_fail(p, "disk");
    else
        rc = take_disk(p->v, &x, out);
    libxl_device_disk_dispose(&x);
    if (rc < 0)
        vane_disk_free(out);
    return rc;
}

int vane_config_parse_disk(struct vane *v, unsigned n, const char *const *specs,
                           struct vane_disk *out)
{
    struct cfg_parser p = {0};
    int rc = cfg_parser_open(v, "command line", &p);

    if (rc == 0)
        rc = parse_disk(&p, n, specs, out);
    cfg_parser_close(&p);
    return rc;
}

static bool parse_mac(const char *s, uint8_t mac[6])
{
    unsigned b[6];
    int used = 0;

    if (sscanf(s, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &used) != 6 ||
        s[used])
        return false;
    for (int i = 0; i < 6; i++)
        mac[i] = (uint8_t)b[i];
    return !(mac[0] & 1);           /* no multicast address */
}

static int parse_rate(struct cfg_parser *p, const char *s, struct vane_nic *n)
{
    libxl_device_nic x;
    int rc = 0;

    libxl_device_nic_init(&x);
    if (xlu_vif_parse_rate(p->xlu, s, &x) != 0)
        rc = cfg_parser_fail(p, "vif rate");
    n->rate_bytes = x.rate_bytes_per_interval;
    n->rate_usecs = x.rate_interval_usecs;
    libxl_device_nic_dispose(&x);
    return rc;
}

static int set_string(struct vane *v, char **to, const char *value)
{
    free(*to);
    *to = strdup(value);
    return *to ? 0 : vane_fail(v, -ENOMEM, NULL, "out of memory");
}

static int nic_number(struct vane *v, const char *key, const char *s, unsigned long max,
                      unsigned long *out)
{
    char *end;

    *out = strtoul(s, &end, 10);
    if (!isdigit((unsigned char)s[0]) || *end || *out > max)
        return vane_fail(v, -EINVAL, NULL, "vif: %s=%s is not a number up to %lu", key, s, max);
    return 0;
}

static int nic_key(struct cfg_parser *p, struct vane_nic *n, const char *key, const char *value)
{
    struct vane *v = p->v;
    unsigned long u;
    int rc = 0;

    if (strcmp(key, "mac") == 0) {
        n->has_mac = parse_mac(value, n->mac);
        if (!n->has_mac)
            rc = vane_fail(v, -EINVAL, "six bytes in hex, the first one even",
                           "vif: %s is no MAC address", value);
    } else if (strcmp(key, "bridge") == 0) {
        rc = set_string(v, &n->bridge, value);
    } else if (strcmp(key, "vifname") == 0) {
        rc = strlen(value) < 16 && !strchr(value, '/')
            ? set_string(v, &n->ifname, value)
            : vane_fail(v, -EINVAL, "at most 15 characters", "vif: vifname %s is no interface name",
                        value);
    } else if (strcmp(key, "script") == 0) {
        rc = set_string(v, &n->script, value);
    } else if (strcmp(key, "ip") == 0) {
        rc = set_string(v, &n->ip, value);
    } else if (strcmp(key, "gatewaydev") == 0 || strcmp(key, "netdev") == 0) {
        rc = set_string(v, &n->gatewaydev, value);
    } else if (strcmp(key, "rate") == 0) {
        rc = parse_rate(p, value, n);
    } else if (strcmp(key, "devid") == 0) {
        rc = nic_number(v, key, value, 255, &u);
        n->devid = (int)u;
    } else if (strcmp(key, "mtu") == 0) {
        rc = nic_number(v, key, value, 65535, &u);
        n->mtu = (unsigned)u;
    } else if (strcmp(key, "trusted") == 0) {
        n->trusted = strcmp(value, "0") != 0 && strcmp(value, "false") != 0;
    } else if (strcmp(key, "backend") == 0) {
        if (strcmp(value, "0") != 0 && strcmp(value, "Domain-0") != 0)
            rc = vane_fail(v, -EOPNOTSUPP, "drop backend=", "vif: back ends run in Dom0 only");
    } else if (strcmp(key, "type") == 0 || strcmp(key, "model") == 0 || strcmp(key, "accel") == 0 ||
               strcmp(key, "forwarddev") == 0) {
        if (strcmp(value, "vif") != 0 && strcmp(value, "netfront") != 0)
            vane_log(v, VANE_WARN, "vif: %s=%s is not acted upon", key, value);
    } else {
        rc = vane_fail(v, -EINVAL, "xl-network-configuration(5) lists the keys",
                       "vif: unknown key %s", key);
    }
    return rc;
}

static int parse_nic(struct cfg_parser *p, const char *spec, struct vane_nic *n)
{
    char *copy = strdup(spec), *save = NULL;
    int rc = copy ? 0 : vane_fail(p->v, -ENOMEM, NULL, "out of memory");

    memset(n, 0, sizeof(*n));
    n->devid = -1;
    n->trusted = true;
    for (char *item = copy ? strtok_r(copy, ",", &save) : NULL; item && rc == 0;
         item = strtok_r(NULL, ",", &save)) {
        char *value;

        item += strspn(item, " \t");
        value = strchr(item, '=');
        if (!value && !*item)
            continue;
        if (!value) {
            rc = vane_fail(p->v, -EINVAL, NULL, "vif: %s has no value", item);
            break;
        }
        *value++ = '\0';
        for (char *end = item + strlen(item); end > item && isspace((unsigned char)end[-1]);)
            *--end = '\0';
        value += strspn(value, " \t");
        for (char *end = value + strlen(value); end > value && isspace((unsigned char)end[-1]);)
            *--end = '\0';
        rc = nic_key(p, n, item, value);
    }
    free(copy);
    if (rc == 0 && !n->script && (n->ip || n->gatewaydev))
        vane_log(p->v, VANE_WARN, "vif: %s is acted upon by scripts only: add script=vif-bridge or vif-route",
                 n->ip ? "ip=" : "gatewaydev=");
    if (rc < 0)
        vane_nic_free(n);
    return rc;
}

int vane_config_parse_nic(struct vane *v, const char *spec, struct vane_nic *out)
{
    struct cfg_parser p = {0};
    int rc = cfg_parser_open(v, "command line", &p);

    if (rc == 0)
        rc = parse_nic(&p, spec, out);
    cfg_parser_close(&p);
    return rc;
}

/* The list under @key with its length bounded; an absent key is an empty list. */
static int get_list(struct cfg_parser *p, const char *key, XLU_ConfigList **list, unsigned *n)
{
    int count = 0, rc = xlu_cfg_get_list(p->xlu, key, list, &count, 0);

    *n = 0;
    if (rc == ESRCH)
        return 0;
    if (rc)
        return cfg_parser_fail(p, key);
    if (count > MAX_DEVICES)
        return vane_fail(p->v, -E2BIG, NULL, "%s: more than %d entries in %s", p->origin,
                         MAX_DEVICES, key);
    *n = (unsigned)count;
    return 0;
}

int cfg_parse_disks(struct cfg_parser *p, struct vane_config *c)
{
    XLU_ConfigList *list;
    unsigned n;
    int rc = get_list(p, "disk", &list, &n);

    if (rc < 0 || n == 0)
        return rc;
    c->disks = calloc(n, sizeof(*c->disks));
    if (!c->disks)
        return vane_fail(p->v, -ENOMEM, NULL, "out of memory");
    for (unsigned i = 0; i < n; i++) {
        const char *spec = xlu_cfg_get_listitem(list, (int)i);

        if (!spec)
            return vane_fail(p->v, -EINVAL, NULL, "%s: disk: entry %u is no string", p->origin, i);
        rc = parse_disk(p, 1, &spec, &c->disks[i]);
        if (rc < 0)
            return rc;
        c->n_disks++;
        for (unsigned k = 0; k < i; k++) {
            if (c->disks[k].number == c->disks[i].number)
                return vane_fail(p->v, -EINVAL, NULL, "%s: two disks are %s", p->origin,
                                 c->disks[i].vdev);
        }
    }
    return 0;
}

int cfg_parse_nics(struct cfg_parser *p, struct vane_config *c)
{
    XLU_ConfigList *list;
    unsigned n;
    int rc = get_list(p, "vif", &list, &n);

    if (rc < 0 || n == 0)
        return rc;
    c->nics = calloc(n, sizeof(*c->nics));
    if (!c->nics)
        return vane_fail(p->v, -ENOMEM, NULL, "out of memory");
    for (unsigned i = 0; i < n; i++) {
        const char *spec = xlu_cfg_get_listitem(list, (int)i);

        if (!spec)
            return vane_fail(p->v, -EINVAL, NULL, "%s: vif: entry %u is no string", p->origin, i);
        rc = parse_nic(p, spec, &c->nics[i]);
        if (rc < 0)
            return rc;
        c->n_nics++;
        if (c->nics[i].devid < 0)
            c->nics[i].devid = (int)i;
        for (unsigned k = 0; k < i; k++) {
            if (c->nics[k].devid == c->nics[i].devid)
                return vane_fail(p->v, -EINVAL, NULL, "%s: two vifs have devid %d", p->origin,
                                 c->nics[i].devid);
            if (c->nics[k].ifname && c->nics[i].ifname &&
                strcmp(c->nics[k].ifname, c->nics[i].ifname) == 0)
                return vane_fail(p->v, -EINVAL, NULL, "%s: two vifs are named %s", p->origin,
                                 c->nics[i].ifname);
        }
    }
    return 0;
}

bool vane_cpus_has(const struct vane_cpus *c, unsigned cpu)
{
    return cpu < VANE_MAX_CPUS && (c->map[cpu / 64] >> (cpu % 64) & 1);
}

bool vane_cpus_parse(const char *s, struct vane_cpus *out)
{
    struct vane_cpus r = { .given = true };
    bool any = false;

    if (strcmp(s, "all") == 0) {
        memset(r.map, 0xff, sizeof(r.map));
        *out = r;
        return true;
    }
    for (;;) {
        bool remove = false;
        unsigned long a, b;
        char *end;

        s += strspn(s, " \t");
        if (*s == '^') {
            remove = true;
            s++;
        }
        if (!isdigit((unsigned char)*s))
            return false;
        a = b = strtoul(s, &end, 10);
        if (*end == '-') {
            if (!isdigit((unsigned char)end[1]))
                return false;
            b = strtoul(end + 1, &end, 10);
        }
        if (a > b || b >= VANE_MAX_CPUS)
            return false;
        for (unsigned long i = a; i <= b; i++) {
            if (remove)
                r.map[i / 64] &= ~(1ull << (i % 64));
            else
                r.map[i / 64] |= 1ull << (i % 64);
        }
        any = true;
        s = end + strspn(end, " \t");
        if (*s == '\0')
            break;
        if (*s++ != ',')
            return false;
    }
    *out = r;
    return any;
}
