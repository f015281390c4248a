/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * create.c - the pipeline that makes a domain
 *
 * kernel, domain, names, memory, nodes and devices, image, start state, introduction, back ends,
 * unpause. Back ends start while the image is written; a domain out of a stream has its devices
 * before its memory. Each step is timed.
 *
 *   I1  the mark (journal.h) exists before the domain does and goes when the domain is complete, or gone.
 *   I2  a failure after the domain exists destroys it before returning; the first error is reported.
 *   I3  the name is claimed in the transaction that checks that nobody has it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../builder/build.h"
#include "../builder/cache.h"
#include "../builder/guest_mem_xen.h"
#include "../devices/device.h"
#include "boot.h"
#include "create.h"
#include "handle.h"
#include "journal.h"
#include "life.h"

struct work {
    struct vane *v;
    struct vane_config *c;
    struct vane_create *arg;
    uint32_t domid;
    struct loaded_kernel kernel;
    void *ramdisk;
    size_t ramdisk_len;
    struct guest_mem *gm;
    struct build_plan plan;
    uint32_t store_port, console_port;
    uint64_t store_mfn, console_mfn;
    struct vbd *vbds;
    int64_t step_start;
};

static int64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

static void step_done(struct work *w, const char *name)
{
    int64_t now = now_us();

    if (w->arg->n_steps < VANE_MAX_STEPS)
        w->arg->step[w->arg->n_steps++] = (struct vane_step){ name, now - w->step_start };
    w->step_start = now;
}

static int load_files(struct work *w)
{
    struct stat st;
    int fd, rc = kernel_load(w->v, w->c->kernel, w->arg->cache_dir, &w->kernel);

    if (rc < 0)
        return rc;
    w->arg->kernel_from_cache = w->kernel.from_cache;
    if (!w->c->ramdisk)
        return 0;
    fd = open(w->c->ramdisk, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        rc = vane_fail(w->v, errno ? -errno : -EINVAL, "check ramdisk= in the configuration",
                       "ramdisk %s: %s", w->c->ramdisk, errno ? strerror(errno) : "not a file");
    } else if (st.st_size > 0) {
        w->ramdisk_len = (size_t)st.st_size;
        w->ramdisk = mmap(NULL, w->ramdisk_len, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
        if (w->ramdisk == MAP_FAILED) {
            w->ramdisk = NULL;
            rc = vane_fail(w->v, -errno, NULL, "ramdisk %s: %s", w->c->ramdisk, strerror(errno));
        }
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

static int plan(struct work *w)
{
    const char *why;
    int rc = build_plan(&w->kernel.k, w->c->mem_kb / 4, w->ramdisk, w->ramdisk_len, &w->plan, &why);

    return rc < 0 ? vane_fail(w->v, rc, rc == -ENOMEM ? "raise memory=" : NULL, "kernel %s: %s",
                              w->c->kernel, why) : 0;
}

/* One number, one device: *_store() relies on it. */
static int check_devices(const struct work *w)
{
    const struct vane_config *c = w->c;

    for (unsigned i = 0; i < c->n_disks; i++) {
        for (unsigned j = 0; j < i; j++) {
            if (c->disks[i].number == c->disks[j].number)
                return vane_fail(w->v, -EEXIST, "check disk= in the configuration",
                                 "there are two disks %s", c->disks[i].vdev);
        }
    }
    for (unsigned i = 0; i < c->n_nics; i++) {
        for (unsigned j = 0; j < i; j++) {
            if (c->nics[i].devid == c->nics[j].devid)
                return vane_fail(w->v, -EEXIST, "check vif= in the configuration",
                                 "there are two network cards with devid=%d", c->nics[i].devid);
        }
    }
    return 0;
}

/* ---- the name and the domain's directories ---- */

/* What a domain of this id left behind: its home goes last when a domain is destroyed. */
static void remove_leftover(struct store_io *io, uint32_t domid)
{
    char path[STORE_PATH_MAX];

    store_path_libxl(path, sizeof(path), domid);
    store_xs_remove(io, path);
    store_path_dom(path, sizeof(path), domid);
    store_xs_remove(io, path);
}

/*
 * The transaction (I3). Of each node that one changes the daemon asks for every other domain whether it may hear of it, by
 * reading the node and its directory; a node made outside costs none of that. So it has the name only.
 */
static int claim_name(struct vane *v, struct store_io *io, void *arg)
{
    const struct work *w = arg;
    uint32_t d = w->domid;
    char path[STORE_PATH_MAX];
    bool leftover;
    int rc = vane_name_is_free(v, io, w->c->name, d, w->arg->replaces, &leftover);

    if (rc < 0)
        return rc;
    if (w->arg->replaces != VANE_DOMID_ANY) {       /* the name moves in this transaction */
        store_path_dom_name(path, sizeof(path), w->arg->replaces);
        store_xs_remove(io, path);
    }
    if (leftover)
        remove_leftover(io, d);
    store_put_dom_name(io, d, w->c->name);
    STORE_PROTECT(io, DOM_NAME, d, store_n(d));     /* its directory is new and Dom0's alone */
    return 0;
}

/* The virtual machine's node, and where toolstacks look for what kind it is. */
static void write_machine(const struct work *w, struct store_io *io)
{
    char start[32], uuid[VANE_UUID_LEN];

    vane_uuid_format(uuid, &w->c->uuid);
    snprintf(start, sizeof(start), "%lld.00", (long long)time(NULL));
    store_put_vm(io, uuid);
    STORE_PROTECT(io, VM, w->domid, store_s(uuid));
    store_put_vm_uuid(io, uuid, uuid);
    store_put_vm_name(io, uuid, w->c->name);
    store_put_vm_start_time(io, uuid, start);
    store_put_libxl_type(io, w->domid, STORE_DOMTYPE_PV);
}

/*
 * A new node inherits its directory's permissions: while the home is the guest's, the nodes are made
 * that stay the guest's; then it becomes Dom0's, and those that Dom0 keeps follow. The guest is not introduced yet: it
 * can reach none of this.
 */
static void write_home(const struct work *w, struct store_io *io)
{
    uint32_t d = w->domid;
    char home[STORE_PATH_MAX], uuid[VANE_UUID_LEN], vm[STORE_PATH_MAX];

    store_path_dom(home, sizeof(home), d);
    store_xs_protect_like(io, home, STORE_DOM_DATA, d, 0);
    store_put_dom_data(io, d);
    store_put_dom_drivers(io, d);
    store_put_dom_feature(io, d);
    store_put_dom_attr(io, d);
    store_put_dom_error(io, d);
    store_clear_dom_control_shutdown(io, d);
    store_clear_dom_control_feature_poweroff(io, d);
    store_clear_dom_control_feature_reboot(io, d);
    store_clear_dom_control_feature_suspend(io, d);
    store_put_dom_control_sysrq(io, d, "");
    STORE_PROTECT(io, DOM_CONTROL, d, store_n(d));
    STORE_PROTECT(io, DOM, d, store_n(d));

    vane_uuid_format(uuid, &w->c->uuid);
    store_path_vm(vm, sizeof(vm), uuid);
    store_put_dom_vm(io, d, vm);
    store_put_dom_domid(io, d, d);
    store_put_dom_memory_static_max(io, d, w->c->max_kb);
    store_put_dom_memory_target(io, d, w->c->mem_kb);
    for (unsigned i = 0; i < w->c->max_vcpus; i++)
        store_put_dom_cpu_availability(io, d, i, i < w->c->vcpus ? STORE_AVAIL_ONLINE
                                                                 : STORE_AVAIL_OFFLINE);
}

/* Not in the transaction: nobody looks below a home before the domain is introduced, and whoever finds the mark (I1) removes
 * all of it. */
static int write_nodes(struct vane *v, struct store_io *io, void *arg)
{
    (void)v;
    write_machine(arg, io);
    write_home(arg, io);
    return 0;
}

/* ---- console and devices; start_info tells a PV guest where its store is ---- */

static int write_console(struct vane *v, struct store_io *io, void *arg)
{
    const struct work *w = arg;

    (void)v;
    console_store(io, w->domid, w->arg->console, w->console_port, w->console_mfn);
    return 0;
}

static int write_devices(struct vane *v, struct store_io *io, void *arg)
{
    struct work *w = arg;
    int rc = 0;

    for (unsigned i = 0; i < w->c->n_disks && rc >= 0; i++)
        rc = vbd_store(v, io, w->domid, &w->vbds[i]);
    for (unsigned i = 0; i < w->c->n_nics && rc >= 0; i++)
        rc = vif_store(v, io, w->domid, &w->c->nics[i], &w->c->uuid);
    return rc;
}

static int open_disks(struct work *w)
{
    int rc = 0;

    w->vbds = calloc(w->c->n_disks + 1, sizeof(*w->vbds));
    if (!w->vbds)
        return vane_fail(w->v, -ENOMEM, NULL, "out of memory");
    for (unsigned i = 0; i < w->c->n_disks; i++)
        w->vbds[i].fd = -1;
    for (unsigned i = 0; i < w->c->n_disks && rc == 0; i++)
        rc = vbd_open(w->v, w->domid, &w->c->disks[i], w->arg->disks_later ? VBD_LOOK : VBD_MAKE, &w->vbds[i]);
    return rc;
}

static int finish_devices(struct work *w)
{
    int rc = 0;

    for (unsigned i = 0; i < w->c->n_disks && rc == 0 && !w->arg->disks_later; i++)
        rc = vbd_finish(w->v, w->domid, &w->vbds[i]);
    for (unsigned i = 0; i < w->c->n_nics && rc == 0; i++)
        rc = vif_finish(w->v, w->domid, &w->c->nics[i]);
    return rc;
}

static int clear_page(struct guest_mem *gm, uint64_t pfn)
{
    void *p = gm_map(gm, pfn, 1);

    if (!p)
        return -ENOMEM;
    memset(p, 0, 4096);
    gm_unmap(gm, p, 1);
    return 0;
}

/* Memory for a new kernel, with the two ring pages ready. */
static int fresh_memory(struct work *w)
{
    w->gm = gm_xen_populate(w->v, w->domid, w->plan.pages);
    if (!w->gm)
        return vane_last_error(w->v)->code;
    w->store_mfn = gm_mfn(w->gm, w->plan.store);
    w->console_mfn = gm_mfn(w->gm, w->plan.console);
    if (clear_page(w->gm, w->plan.store) < 0 || clear_page(w->gm, w->plan.console) < 0)
        return vane_fail(w->v, -ENOMEM, NULL, "cannot map the guest's memory: %s",
                         vane_xc_said(w->v));
    return 0;
}

/* The image may have been taken of a domain on its way to another size: it has to fit, and then the way goes on. */
static int settle_memory(struct work *w, uint64_t target_kb)
{
    struct vane_dom d;
    int rc = boot_memory_limit(w->v, w->domid, w->c->mem_kb);

    if (rc < 0 || target_kb == 0)
        return rc;
    rc = vane_dom_state(w->v, w->domid, &d);
    return rc < 0 ? rc : vane_mem_set(w->v, &d, target_kb);
}

static int filled_memory(struct work *w)
{
    struct vane_fill f = { .domid = w->domid, .store_port = w->store_port, .console_port = w->console_port };
    int rc = boot_memory_limit(w->v, w->domid, w->c->max_kb > w->c->mem_kb ? w->c->max_kb : w->c->mem_kb);

    if (rc == 0)
        rc = w->arg->fill(w->v, &f, w->arg->opaque);
    if (rc == 0)
        rc = settle_memory(w, f.target_kb);
    w->store_mfn = f.store_mfn;
    w->console_mfn = f.console_mfn;
    return rc;
}

static int store_devices(struct work *w)
{
    return w->c->n_disks + w->c->n_nics ? store_transaction(w->v, write_devices, w) : 0;
}

/*
 * A domain that comes out of a stream may be one whose users wait: its devices are complete before its memory
 * arrives, so that little is left to do after the last byte. Only the console's ring is found in its memory.
 */
static int devices_first(struct work *w)
{
    int rc = store_devices(w);

    if (rc == 0)
        rc = finish_devices(w);
    if (rc == 0 && w->arg->has_devices)
        w->arg->has_devices(w->domid, w->arg->whose);
    step_done(w, "devices");
    return rc;
}

static int memory_and_nodes(struct work *w)
{
    struct vane *v = w->v;
    int rc = w->arg->fill ? devices_first(w) : 0;

    if (rc == 0)
        rc = boot_event_port(v, w->domid, &w->store_port);
    if (rc == 0)
        rc = boot_event_port(v, w->domid, &w->console_port);
    if (rc == 0)
        rc = w->arg->fill ? filled_memory(w) : fresh_memory(w);
    step_done(w, "memory");
    if (rc == 0)
        rc = boot_seed_grants(v, w->domid, w->console_mfn, w->store_mfn);
    if (rc == 0)
        rc = store_batch(v, write_console, w);
    if (rc == 0 && !w->arg->fill)
        rc = store_devices(w);
    step_done(w, "nodes");
    return rc;
}

static int write_image(struct work *w)
{
    struct build_facts f = { .store_port = w->store_port, .console_port = w->console_port,
                             .cmdline = w->c->cmdline };
    struct vane *v = w->v;
    struct vane_dom d;
    int rc = vane_dom_state(v, w->domid, &d);

    if (rc < 0)
        return rc;
    f.shared_info_maddr = d.shared_info_mfn << 12;
    if (build_write(&w->plan, &f, w->gm) < 0)
        return vane_fail(v, -ENOMEM, "is Dom0 short of memory?",
                         "cannot map the guest's memory: %s", vane_xc_said(v));
    step_done(w, "image");
    rc = boot_shared_info(v, w->domid, d.shared_info_mfn);
    if (rc == 0)
        rc = boot_start_state(v, w->domid, &w->plan, w->gm);
    step_done(w, "start state");
    return rc;
}

static int introduce(struct work *w)
{
    if (!xs_introduce_domain(w->v->xs, w->domid, w->store_mfn, w->store_port))
        return vane_fail(w->v, -errno, "see xenstored's log", "XenStore does not accept the domain: %s",
                         strerror(errno));
    step_done(w, "introduce");
    return 0;
}

static int destroy_replaced(struct work *w)
{
    struct vane_dom old;
    struct vane *v = w->v;
    int rc;

    if (w->arg->replaces == VANE_DOMID_ANY || vane_dom_state(v, w->arg->replaces, &old) < 0)
        return 0;
    /* same UUID, so the same mark: it is ours already. Its /vm node is now the new domain's. */
    dev_remove_all(v, old.domid);
    remove_leftover(vane_store(v), old.domid);
    rc = store_result(v, vane_store(v));
    if (rc < 0)
        return rc;
    if (xc_domain_destroy(v->xc, old.domid) < 0 && errno != ESRCH)
        return vane_fail(v, -errno, NULL, "the hypervisor does not destroy domain %u: %s", old.domid,
                         strerror(errno));
    vane_record_remove(vane_record_of(&old));
    vane_userdata_remove(vane_record_of(&old));
    step_done(w, "old domain");
    return 0;
}

/* From the moment the domain exists (I2 is the caller's). */
static int build_domain(struct work *w)
{
    struct vane *v = w->v;
    int rc = boot_new_settings(v, w->c, w->domid, w->arg->fill != NULL);

    if (rc == 0 && !w->arg->fill)
        rc = boot_cpuid(v, w->c, w->domid);
    step_done(w, "domain");
    if (rc == 0)
        rc = store_transaction(v, claim_name, w);
    if (rc == 0)
        rc = store_batch(v, write_nodes, w);
    step_done(w, "names");
    if (rc == 0)
        rc = destroy_replaced(w);
    if (rc == 0)
        rc = vane_record_write(v, (struct vane_record){ w->domid, w->c->uuid }, w->c->text);
    if (rc == 0)
        vane_userdata_write(v, (struct vane_record){ w->domid, w->c->uuid }, w->c);
    if (rc == 0)
        rc = open_disks(w);
    if (rc == 0)
        rc = memory_and_nodes(w);
    if (rc == 0 && !w->arg->fill)
        rc = write_image(w);
    if (rc == 0)
        rc = introduce(w);
    if (rc == 0 && !w->arg->fill)
        rc = finish_devices(w);
    step_done(w, "back ends");
    if (rc == 0 && !w->arg->paused && xc_domain_unpause(v->xc, w->domid) < 0)
        rc = vane_fail(v, -errno, NULL, "cannot start the domain: %s", strerror(errno));
    return rc;
}

/* May be called twice. */
static void release(struct work *w)
{
    for (unsigned i = 0; w->vbds && i < w->c->n_disks; i++)
        vbd_close(w->v, &w->vbds[i]);
    free(w->vbds);
    w->vbds = NULL;
    if (w->ramdisk)
        munmap(w->ramdisk, w->ramdisk_len);
    w->ramdisk = NULL;
    kernel_unload(&w->kernel);
    gm_xen_free(w->gm);
    w->gm = NULL;
}

/* Destroy the half-made domain and report why it was not made (I2). False: the next command has to (I1). */
static bool undo(struct work *w)
{
    struct vane_error first = *vane_last_error(w->v);
    struct vane_dom d;
    int rc;
    bool gone;

    release(w);
    rc = vane_dom_state(w->v, w->domid, &d);
    if (rc == 0)
        rc = vane_destroy_marked(w->v, &d);
    gone = rc == 0 || rc == -ESRCH;
    if (!gone)
        vane_log(w->v, VANE_WARN, "%s", vane_last_error(w->v)->what);
    vane_fail(w->v, first.code, first.hint, "%s", first.what);
    return gone;
}

/* Said before anything is made. A restart gets the memory that its predecessor gives back. */
static int check_memory(struct work *w)
{
    xc_physinfo_t info = {0};

    if (w->arg->replaces != VANE_DOMID_ANY || xc_physinfo(w->v->xc, &info) < 0 ||
        w->c->mem_kb / 4 <= info.free_pages - info.outstanding_pages)
        return 0;
    return vane_fail(w->v, -ENOMEM, "lower memory=, or make room with `vane mem-set` or `vane destroy`",
                     "not enough free memory on this host: %llu MiB wanted, %llu MiB free",
                     (unsigned long long)(w->c->mem_kb / 1024),
                     (unsigned long long)((info.free_pages - info.outstanding_pages) / 256));
}

int vane_create(struct vane *v, struct vane_config *cfg, struct vane_create *arg)
{
    struct work w = { .v = v, .c = cfg, .arg = arg, .step_start = now_us() };
    struct journal j = { .fd = -1 };
    int rc = 0;

    arg->n_steps = 0;
    if (!cfg->has_uuid)
        vane_uuid_random(&cfg->uuid);
    if (!vane_xc(v) || !vane_xs(v) || !vane_fmem(v))
        return vane_last_error(v)->code;
    rc = vane_host_conf(v, VANE_HOST_CONF, cfg);
    if (rc == 0)
        rc = check_memory(&w);
    if (rc == 0)
        rc = check_devices(&w);
    if (rc == 0 && !arg->fill)
        rc = load_files(&w);
    if (rc == 0 && !arg->fill)
        rc = plan(&w);
    step_done(&w, "kernel");
    if (rc == 0)
        rc = journal_begin(v, &cfg->uuid, &j);                          /* I1 */
    if (rc == 0)
        rc = boot_new_domain(v, cfg, &w.domid);
    if (rc == 0) {
        arg->domid = w.domid;
        journal_note(&j, w.domid);
        rc = build_domain(&w);
        if (rc < 0 && !undo(&w))
            journal_leave(&j);
    }
    journal_end(&j);
    release(&w);
    return rc;
}
