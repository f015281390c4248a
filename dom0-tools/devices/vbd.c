/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vbd.c - disks: files through loop devices, block devices as they are
 *
 *   I1  a loop device is made with LO_FLAGS_AUTOCLEAR and our descriptor held until the back end has
 *       opened it: if we die at any moment, the kernel frees it.
 *   I2  an image is writable in at most one device, and then in no other: checked in the transaction
 *       that adds the device, so two commands cannot both pass.
 *
 * ABI: blkif.h (XenStore nodes); linux/loop.h LOOP_CONFIGURE.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <xenstore.h>

#include "../lib/paths.h"
#include "device.h"

#define LOOP_TRIES 64

static int loop_attach(struct vane *v, const char *path, int file, bool writable, struct vbd *out)
{
    int ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC), err = 0;

    if (ctl < 0)
        return vane_fail(v, -errno, "modprobe loop", "no loop devices: %s", strerror(errno));
    for (int i = 0; i < LOOP_TRIES; i++) {
        struct loop_config c = { .fd = (uint32_t)file, .block_size = 512 };
        int n = ioctl(ctl, LOOP_CTL_GET_FREE), fd;
        struct stat st;

        if (n < 0) {
            err = errno;
            break;
        }
        snprintf(out->node, sizeof(out->node), "/dev/loop%d", n);
        fd = open(out->node, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
        if (fd < 0) {
            err = errno;
            continue;
        }
        c.info.lo_flags = LO_FLAGS_AUTOCLEAR | (writable ? 0u : LO_FLAGS_READ_ONLY);        /* I1 */
        snprintf((char *)c.info.lo_file_name, LO_NAME_SIZE, "%s", path);
        if (ioctl(fd, LOOP_CONFIGURE, &c) == 0 && fstat(fd, &st) == 0) {
            close(ctl);
            out->fd = fd;
            out->rdev = st.st_rdev;
            return 0;
        }
        err = errno;
        close(fd);
        if (err != EBUSY)               /* EBUSY: somebody else took it first */
            break;
    }
    close(ctl);
    return vane_fail(v, -err, NULL, "cannot attach %s to a loop device: %s", path, strerror(err));
}

int vbd_open(struct vane *v, const struct vane_disk *d, struct vbd *out)
{
    struct stat st;
    int fd, rc = 0;

    *out = (struct vbd){ .d = d, .fd = -1 };
    if (d->script)
        return 0;                       /* the target is the script's business */
    fd = open(d->target, (d->writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        int err = errno;

        if (fd >= 0)
            close(fd);
        return vane_fail(v, -err, err == EROFS || err == EACCES ? "attach it read-only (r)" :
                         "check disk= in the configuration", "disk %s: cannot open %s: %s", d->vdev,
                         d->target, strerror(err));
    }
    if (S_ISBLK(st.st_mode)) {
        out->fd = fd;
        out->rdev = st.st_rdev;
        out->file_dev = st.st_rdev;
        snprintf(out->node, sizeof(out->node), "%.63s", d->target);
        return 0;
    }
    if (!S_ISREG(st.st_mode)) {
        rc = vane_fail(v, -EINVAL, NULL, "disk %s: %s is neither a file nor a block device",
                       d->vdev, d->target);
    } else if (st.st_size < 512) {
        rc = vane_fail(v, -EINVAL, "truncate -s 1G FILE makes one of 1 GiB",
                       "disk %s: %s is smaller than a sector", d->vdev, d->target);
    } else {
        out->file_dev = st.st_dev;
        out->file_ino = st.st_ino;
        rc = loop_attach(v, d->target, fd, d->writable, out);
    }
    close(fd);
    return rc;
}

void vbd_close(struct vbd *b)
{
    if (b->fd >= 0)
        close(b->fd);
    b->fd = -1;
}

/* Does the device whose /libxl directory is given use the image of @b? */
static bool same_image(struct vane *v, xs_transaction_t t, uint32_t domid, const char *dev,
                       const struct vbd *b)
{
    char *params = store_read(v, t, PATH_LIBXL_KIND "/%s/params", domid, "vbd", dev);
    struct stat st;
    bool same = false;

    /* params is the host path: this node only Dom0 can write */
    if (params && *params && stat(params, &st) == 0)
        same = S_ISBLK(st.st_mode) ? st.st_rdev == b->file_dev && b->file_ino == 0
                                   : st.st_dev == b->file_dev && st.st_ino == b->file_ino;
    free(params);
    return same;
}

/* The same machine: a copy that stands suspended while this one is received (a move within a host). */
static bool same_machine(struct vane *v, xs_transaction_t t, uint32_t a, uint32_t b)
{
    char *va = store_read(v, t, PATH_DOM("vm"), a), *vb = store_read(v, t, PATH_DOM("vm"), b);
    bool same = a != b && va && vb && strcmp(va, vb) == 0;

    free(va);
    free(vb);
    return same;
}

static int check_sharing(struct vane *v, xs_transaction_t t, uint32_t self, const struct vbd *b)
{
    unsigned nd;
    char **doms = store_list(v, t, &nd, PATH_LIBXLS);
    int rc = 0;

    for (unsigned i = 0; i < nd && rc == 0; i++) {
        uint32_t domid = (uint32_t)strtoul(doms[i], NULL, 10);
        unsigned nv;
        char **devs = store_list(v, t, &nv, PATH_LIBXL_KIND, domid, "vbd");

        if (nv && same_machine(v, t, self, domid))
            nv = 0;
        for (unsigned j = 0; j < nv && rc == 0; j++) {
            char *mode;

            if (!same_image(v, t, domid, devs[j], b))
                continue;
            mode = store_read(v, t, PATH_LIBXL_KIND "/%s/mode", domid, "vbd", devs[j]);
            if (b->d->writable || !mode || mode[0] == 'w')
                rc = vane_fail(v, -EBUSY, "attach it read-only in both, or detach it there first",
                               "disk %s: %s is in use by domain %u as device %s (%s)", b->d->vdev,
                               b->d->target, domid, devs[j],
                               mode && mode[0] == 'w' ? "writable" : "read-only");
            free(mode);
        }
        free(devs);
    }
    free(doms);
    return rc;
}

static void put_backend(struct nodes *n, const struct vbd *b, uint32_t domid)
{
    const struct vane_disk *d = b->d;

    nodes_put(n, "frontend", PATH_FRONTEND, domid, "vbd", d->number);
    nodes_put(n, "params", "%s", d->target);
    if (d->script)
        nodes_put(n, "script", "%s%s", d->script[0] == '/' ? "" : "/etc/xen/scripts/", d->script);
    nodes_put(n, "frontend-id", "%u", domid);
    nodes_put(n, "online", "1");
    nodes_put(n, "removable", "%d", d->removable);
    nodes_put(n, "bootable", "1");
    nodes_put(n, "state", "1");
    nodes_put(n, "dev", "%s", d->vdev);
    nodes_put(n, "type", "phy");
    nodes_put(n, "mode", d->writable ? "w" : "r");
    nodes_put(n, "device-type", "disk");
    if (d->direct_io_safe)
        nodes_put(n, "direct-io-safe", "1");
    nodes_put(n, "discard-enable", "%d", d->discard);
    nodes_put(n, "specification", "xen");
}

int vbd_store(struct vane *v, xs_transaction_t t, uint32_t domid, const struct vbd *b)
{
    const struct vane_disk *d = b->d;
    struct nodes n = { .v = v, .t = t, .domid = domid };
    struct dev self = { domid, "vbd", d->number };
    int rc = d->script ? 0 : check_sharing(v, t, domid, b);                                        /* I2 */

    if (rc < 0)
        return rc;
    if (dev_exists(v, t, &self))
        return vane_fail(v, -EEXIST, NULL, "domain %u already has a disk %s", domid, d->vdev);
    nodes_dir(&n, STORE_DOM0, PATH_LIBXL_DEV, domid, "vbd", d->number);
    nodes_put(&n, "backend", PATH_BACKEND, 0u, "vbd", domid, d->number);
    put_backend(&n, b, domid);

    nodes_dir(&n, STORE_GUEST_OWNS, PATH_FRONTEND, domid, "vbd", d->number);
    nodes_put(&n, "backend", PATH_BACKEND, 0u, "vbd", domid, d->number);
    nodes_put(&n, "backend-id", "0");
    nodes_put(&n, "state", "1");
    nodes_put(&n, "virtual-device", "%u", d->number);
    nodes_put(&n, "device-type", "disk");
    nodes_put(&n, "trusted", "%d", d->trusted);
    nodes_put(&n, "protocol", "x86_64-abi");

    nodes_dir(&n, STORE_GUEST_READS, PATH_BACKEND, 0u, "vbd", domid, d->number);
    put_backend(&n, b, domid);
    if (!d->script) {
        nodes_put(&n, "physical-device", "%x:%x", major(b->rdev), minor(b->rdev));
        nodes_put(&n, "physical-device-path", "%s", b->node);
        nodes_put(&n, "hotplug-status", "connected");
    }
    return n.rc;
}

/* The back end shows in sysfs once it has opened the device: then our descriptor may go (I1). */
static int wait_opened(struct vane *v, uint32_t domid, const struct vbd *b)
{
    char path[128];
    int64_t deadline = vane_now_ms() + DEV_INIT_MS;

    snprintf(path, sizeof(path), "/sys/bus/xen-backend/devices/vbd-%u-%u/physical_device", domid,
             b->d->number);
    while (access(path, F_OK) < 0) {
        if (vane_now_ms() > deadline)
            return vane_fail(v, -ETIMEDOUT, "dmesg in Dom0 says why xen-blkback refused it",
                             "the back end did not open %s for disk %s", b->node, b->d->vdev);
        usleep(1000);
    }
    return 0;
}

int vbd_finish(struct vane *v, uint32_t domid, struct vbd *b)
{
    static const char *const args[] = { "add", NULL };
    struct dev d = { domid, "vbd", b->d->number };
    int rc = dev_wait_backend(v, &d);

    if (rc == 0)
        rc = b->d->script ? hotplug_run(v, &d, b->d->script, NULL, args) : wait_opened(v, domid, b);
    if (rc == 0)
        vbd_close(b);
    return rc;
}
