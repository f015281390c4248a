/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * life.c - requests to a running domain
 *
 * The directory control belongs to the guest: we write a request there and see it taken, which is a hint for the
 * user; whether the domain is down is asked of the hypervisor (H111).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "create.h"
#include "handle.h"
#include "life.h"
#include "paths.h"
#include "store.h"

#define ACK_MS 10000
#define SLACK_KB 1024u

static int fail(struct vane *v, const char *what, uint32_t domid)
{
    return vane_fail(v, -errno, NULL, "cannot %s domain %u: %s", what, domid, strerror(errno));
}

int vane_pause(struct vane *v, uint32_t domid)
{
    return vane_xc(v) && xc_domain_pause(v->xc, domid) == 0 ? 0 : fail(v, "pause", domid);
}

int vane_unpause(struct vane *v, uint32_t domid)
{
    return vane_xc(v) && xc_domain_unpause(v->xc, domid) == 0 ? 0 : fail(v, "unpause", domid);
}

struct ack {
    uint32_t domid;
    const char *what;
};

static int taken(struct vane *v, void *arg)
{
    const struct ack *a = arg;
    char *s = store_read(v, XBT_NULL, PATH_DOM("control/shutdown"), a->domid);
    int same = s && strcmp(s, a->what) == 0;

    free(s);
    return !same;
}

int vane_ask(struct vane *v, const struct vane_dom *d, const char *what)
{
    struct ack a = { d->domid, what };
    char path[128];
    int rc;

    if (d->domid == 0)
        return vane_fail(v, -EINVAL, "use shutdown(8) in Dom0", "Domain-0 is not asked to %s", what);
    if (d->shutdown || d->dying)
        return vane_fail(v, -EINVAL, "`vane destroy` removes it", "domain %s is down already", d->name);
    snprintf(path, sizeof(path), PATH_DOM("control/shutdown"), d->domid);
    rc = store_write(v, XBT_NULL, path, what);
    if (rc == 0)
        rc = store_wait(v, path, ACK_MS, taken, &a);
    if (rc == -ETIMEDOUT) {
        store_remove(v, XBT_NULL, PATH_DOM("control/shutdown"), d->domid);
        return vane_fail(v, rc, "is it booted? `vane destroy` stops it at once",
                         "domain %s does not answer the request to %s", d->name, what);
    }
    return rc < 0 ? rc : 0;
}

static int is_down(struct vane *v, void *arg)
{
    const uint32_t *domid = arg;
    struct vane_dom d;

    return vane_dom_get(v, *domid, &d) < 0 || d.shutdown || d.dying;
}

int vane_wait_down(struct vane *v, uint32_t domid, int timeout_ms)
{
    int rc = store_wait(v, "@releaseDomain", timeout_ms, is_down, &domid);

    if (rc == -ETIMEDOUT)
        vane_fail(v, rc, NULL, "domain %u is still up", domid);
    return rc < 0 ? rc : 0;
}

struct rename_arg {
    const struct vane_dom *d;
    const char *name;
};

static int do_rename(struct vane *v, xs_transaction_t t, void *arg)
{
    const struct rename_arg *r = arg;
    char path[128], uuid[VANE_UUID_LEN];
    unsigned n;
    char **doms = store_list(v, t, &n, PATH_DOMS);
    int rc = 0;

    for (unsigned i = 0; i < n && rc == 0; i++) {
        uint32_t id = (uint32_t)strtoul(doms[i], NULL, 10);
        char *name = store_read(v, t, PATH_DOM("name"), id);

        if (id != r->d->domid && name && strcmp(name, r->name) == 0)
            rc = vane_fail(v, -EEXIST, NULL, "domain %s exists already, with id %u", r->name, id);
        free(name);
    }
    free(doms);
    if (rc < 0)
        return rc;
    snprintf(path, sizeof(path), PATH_DOM("name"), r->d->domid);
    rc = store_write(v, t, path, r->name);
    vane_uuid_format(uuid, &r->d->uuid);
    snprintf(path, sizeof(path), PATH_VM("name"), uuid);
    return rc < 0 || r->d->domid == 0 ? rc : store_write(v, t, path, r->name);
}

int vane_rename(struct vane *v, const struct vane_dom *d, const char *name)
{
    struct rename_arg r = { d, name };
    char line[256];
    int rc;

    if (!*name || strlen(name) > 200 || strpbrk(name, "/\n\t\"'\\"))
        return vane_fail(v, -EINVAL, NULL, "%s cannot be a name", name);
    rc = store_transaction(v, do_rename, &r);
    if (rc < 0)
        return rc;
    snprintf(line, sizeof(line), "name = \"%s\"", name);
    return vane_record_append(v, vane_record_of(d), line);
}

int vane_mem_max(struct vane *v, const struct vane_dom *d, uint64_t kb)
{
    char path[128];
    int rc;

    if (kb < 4096)
        return vane_fail(v, -EINVAL, NULL, "less than 4 MiB makes no sense");
    if (kb < d->mem_kb)
        return vane_fail(v, -EINVAL, "shrink it with mem-set first", "domain %s has %llu MiB", d->name,
                         (unsigned long long)(d->mem_kb / 1024));
    snprintf(path, sizeof(path), PATH_DOM("memory/static-max"), d->domid);
    rc = store_writef(v, XBT_NULL, path, "%llu", (unsigned long long)kb);
    if (rc < 0)
        return rc;
    if (xc_domain_setmaxmem(v->xc, d->domid, kb + SLACK_KB) < 0)
        return fail(v, "set the memory limit of", d->domid);
    return 0;
}

int vane_mem_set(struct vane *v, const struct vane_dom *d, uint64_t kb)
{
    unsigned long max = store_read_u(v, XBT_NULL, 0, PATH_DOM("memory/static-max"), d->domid);
    char path[128];

    if (kb < 4096)
        return vane_fail(v, -EINVAL, NULL, "less than 4 MiB makes no sense");
    if (max && kb > max)
        return vane_fail(v, -EINVAL, "raise it with mem-max first",
                         "%llu MiB are more than the domain's maximum of %lu MiB",
                         (unsigned long long)(kb / 1024), max / 1024);
    if (xc_domain_setmaxmem(v->xc, d->domid, kb + SLACK_KB) < 0)
        return fail(v, "set the memory limit of", d->domid);
    snprintf(path, sizeof(path), PATH_DOM("memory/target"), d->domid);
    return store_writef(v, XBT_NULL, path, "%llu", (unsigned long long)kb);
}

struct vcpu_arg {
    const struct vane_dom *d;
    unsigned n;
};

static int write_vcpus(struct vane *v, xs_transaction_t t, void *arg)
{
    const struct vcpu_arg *a = arg;
    int rc = 0;

    for (unsigned i = 0; i <= a->d->vcpu_max_id && rc == 0; i++) {
        char path[128];

        snprintf(path, sizeof(path), PATH_DOM("cpu/%u/availability"), a->d->domid, i);
        rc = store_write(v, t, path, i < a->n ? "online" : "offline");
    }
    return rc;
}

int vane_vcpu_set(struct vane *v, const struct vane_dom *d, unsigned n)
{
    struct vcpu_arg a = { d, n };

    if (n == 0 || n > d->vcpu_max_id + 1)
        return vane_fail(v, -EINVAL, "maxvcpus= in the configuration sets the limit",
                         "domain %s can have 1 to %u vcpus", d->name, d->vcpu_max_id + 1);
    return store_transaction(v, write_vcpus, &a);
}

int vane_sysrq(struct vane *v, const struct vane_dom *d, char key)
{
    char path[128];

    snprintf(path, sizeof(path), PATH_DOM("control/sysrq"), d->domid);
    return store_writef(v, XBT_NULL, path, "%c", key);
}
