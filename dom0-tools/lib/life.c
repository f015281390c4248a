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
#include "../store/watch.h"
#include "store.h"

#define ACK_MS 10000

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
    enum store_shutdown what;
};

static int taken(struct vane *v, void *arg)
{
    const struct ack *a = arg;
    enum store_shutdown now;

    return store_get_dom_control_shutdown(vane_store(v), a->domid, &now) != 0 || now != a->what;
}

/* The request as XenStore spells it; false when there is no such request. */
static bool request_of(const char *what, enum store_shutdown *out)
{
    uint64_t word;

    if (store_value_uint(STORE_TYPE_SHUTDOWN, what, strlen(what), &word))
        return false;
    *out = (enum store_shutdown)word;
    return true;
}

int vane_ask_begin(struct vane *v, const struct vane_dom *d, const char *what)
{
    struct store_io *io = vane_store(v);
    enum store_shutdown word;

    if (d->domid == 0)
        return vane_fail(v, -EINVAL, "use shutdown(8) in Dom0", "Domain-0 is not asked to %s", what);
    if (d->shutdown || d->dying)
        return vane_fail(v, -EINVAL, "`vane destroy` removes it", "domain %s is down already", d->name);
    if (!request_of(what, &word))
        return vane_fail(v, -EINVAL, NULL, "a domain cannot be asked to %s", what);
    store_put_dom_control_shutdown(io, d->domid, word);
    return store_result(v, io);
}

int vane_ask_end(struct vane *v, const struct vane_dom *d, const char *what)
{
    struct store_io *io = vane_store(v);
    struct ack a = { .domid = d->domid };
    char path[STORE_PATH_MAX];
    int rc;

    if (!request_of(what, &a.what))
        return vane_fail(v, -EINVAL, NULL, "a domain cannot be asked to %s", what);
    store_path_dom_control_shutdown(path, sizeof(path), d->domid);
    rc = store_wait(v, path, ACK_MS, taken, &a);
    if (rc == -ETIMEDOUT) {
        store_clear_dom_control_shutdown(io, d->domid);
        io->rc = 0;
        return vane_fail(v, rc, "is it booted? `vane destroy` stops it at once",
                         "domain %s does not answer the request to %s", d->name, what);
    }
    return rc < 0 ? rc : 0;
}

int vane_ask(struct vane *v, const struct vane_dom *d, const char *what)
{
    int rc = vane_ask_begin(v, d, what);

    return rc < 0 ? rc : vane_ask_end(v, d, what);
}

static int is_down(struct vane *v, void *arg)
{
    const uint32_t *domid = arg;
    struct vane_dom d;

    return vane_dom_state(v, *domid, &d) < 0 || d.shutdown || d.dying;
}

int vane_wait_down(struct vane *v, uint32_t domid, int timeout_ms)
{
    int rc = store_wait(v, WATCH_DOMAIN_GONE, timeout_ms, is_down, &domid);

    if (rc == -ETIMEDOUT)
        vane_fail(v, rc, NULL, "domain %u is still up", domid);
    return rc < 0 ? rc : 0;
}

struct rename_arg {
    const struct vane_dom *d;
    const char *name;
};

static int do_rename(struct vane *v, struct store_io *io, void *arg)
{
    const struct rename_arg *r = arg;
    char uuid[VANE_UUID_LEN];
    bool home;
    int rc = vane_name_is_free(v, io, r->name, r->d->domid, VANE_DOMID_ANY, &home);

    if (rc < 0)
        return rc;
    store_put_doms(io);                 /* a create under way has read it, and starts over: names.c, I3 */
    store_put_dom_name(io, r->d->domid, r->name);
    vane_uuid_format(uuid, &r->d->uuid);
    if (r->d->domid != 0)
        store_put_vm_name(io, uuid, r->name);
    return 0;
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

/* A restart, an image and a copy on another host get the memory that the domain has now. 0: unchanged. */
static int remember_memory(struct vane *v, const struct vane_dom *d, uint64_t kb, uint64_t max_kb)
{
    char lines[96];
    size_t n = 0;

    lines[0] = '\0';
    if (kb)
        n = (size_t)snprintf(lines, sizeof(lines), "memory = %llu\n", (unsigned long long)((kb + 1023) / 1024));
    if (max_kb)
        snprintf(lines + n, sizeof(lines) - n, "maxmem = %llu\n", (unsigned long long)((max_kb + 1023) / 1024));
    return vane_record_append(v, vane_record_of(d), lines);
}

int vane_mem_max(struct vane *v, const struct vane_dom *d, uint64_t kb)
{
    struct store_io *io = vane_store(v);
    int rc;

    if (kb < 4096)
        return vane_fail(v, -EINVAL, NULL, "less than 4 MiB makes no sense");
    if (kb < d->mem_kb)
        return vane_fail(v, -EINVAL, "shrink it with mem-set first", "domain %s has %llu MiB", d->name,
                         (unsigned long long)(d->mem_kb / 1024));
    store_put_dom_memory_static_max(io, d->domid, kb);
    rc = store_result(v, io);
    if (rc < 0)
        return rc;
    if (xc_domain_setmaxmem(v->xc, d->domid, kb + VANE_SLACK_KB) < 0)
        return fail(v, "set the memory limit of", d->domid);
    return remember_memory(v, d, 0, kb);
}

int vane_mem_set(struct vane *v, const struct vane_dom *d, uint64_t kb)
{
    struct store_io *io = vane_store(v);
    uint64_t max = 0;
    int rc;

    store_get_dom_memory_static_max(io, d->domid, &max);
    if (kb < 4096)
        return vane_fail(v, -EINVAL, NULL, "less than 4 MiB makes no sense");
    if (max && kb > max)
        return vane_fail(v, -EINVAL, "raise it with mem-max first",
                         "%llu MiB are more than the domain's maximum of %llu MiB",
                         (unsigned long long)(kb / 1024), (unsigned long long)(max / 1024));
    if (xc_domain_setmaxmem(v->xc, d->domid, kb + VANE_SLACK_KB) < 0)
        return fail(v, "set the memory limit of", d->domid);
    store_put_dom_memory_target(io, d->domid, kb);
    rc = store_result(v, io);
    return rc < 0 ? rc : remember_memory(v, d, kb, max);
}

struct vcpu_arg {
    const struct vane_dom *d;
    unsigned n;
};

static int write_vcpus(struct vane *v, struct store_io *io, void *arg)
{
    const struct vcpu_arg *a = arg;

    (void)v;
    for (unsigned i = 0; i <= a->d->vcpu_max_id; i++)
        store_put_dom_cpu_availability(io, a->d->domid, i,
                                       i < a->n ? STORE_AVAIL_ONLINE : STORE_AVAIL_OFFLINE);
    return 0;
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
    struct store_io *io = vane_store(v);
    char keys[2] = { key, '\0' };

    store_put_dom_control_sysrq(io, d->domid, keys);
    return store_result(v, io);
}
