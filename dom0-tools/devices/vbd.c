/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vbd.c - disks: files through loop devices or qemu-nbd, block devices as they are
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

#include <xen/io/xenbus.h>

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

/* The image @file has a format of its own: qemu-nbd makes a block device of it. */
static int serve(struct vane *v, bool again, struct vbd *out)
{
    struct stat st;
    int rc = nbd_attach(v, out->domid, out->d, again, out->node);

    if (rc < 0)
        return rc;
    out->server = true;
    out->fd = open(out->node, (out->d->writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (out->fd < 0 || fstat(out->fd, &st) < 0) {
        rc = vane_fail(v, -errno, NULL, "cannot open %s: %s", out->node, strerror(errno));
        vbd_close(v, out);
        return rc;
    }
    out->rdev = st.st_rdev;
    return 0;
}

int vbd_open(struct vane *v, uint32_t domid, const struct vane_disk *d, enum vbd_how how, struct vbd *out)
{
    struct stat st;
    int fd, rc = 0;

    *out = (struct vbd){ .d = d, .fd = -1, .domid = domid };
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
    /* Linux opens a network disk that is not connected, an empty drive: whoever writes there gets errors. */
    if (S_ISBLK(st.st_mode) && lseek(fd, 0, SEEK_END) < 512) {
        close(fd);
        return vane_fail(v, -ENXIO, "is it connected, a medium inserted?", "disk %s: %s holds nothing", d->vdev, d->target);
    }
    if (S_ISBLK(st.st_mode) && !d->format && how != VBD_LOOK) {
        out->fd = fd;
        out->rdev = st.st_rdev;
        out->file_dev = st.st_rdev;
        snprintf(out->node, sizeof(out->node), "%.63s", d->target);
        return 0;
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        rc = vane_fail(v, -EINVAL, NULL, "disk %s: %s is neither a file nor a block device",
                       d->vdev, d->target);
    } else if (S_ISREG(st.st_mode) && st.st_size < 512) {
        rc = vane_fail(v, -EINVAL, "truncate -s 1G FILE makes one of 1 GiB",
                       "disk %s: %s is smaller than a sector", d->vdev, d->target);
    } else {
        out->file_dev = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
        out->file_ino = S_ISBLK(st.st_mode) ? 0 : st.st_ino;
        if (how != VBD_LOOK)
            rc = d->format ? serve(v, how == VBD_AGAIN, out) : loop_attach(v, d->target, fd, d->writable, out);
    }
    close(fd);
    return rc;
}

void vbd_close(struct vane *v, struct vbd *b)
{
    if (b->fd >= 0)
        close(b->fd);
    b->fd = -1;
    if (b->server)
        nbd_detach(v, nbd_is, &(struct dev){ b->domid, "vbd", b->d->number });
    b->server = false;
}

/* Does device @number of @domid, by /libxl, use the image of @b?  Sets *@writable then. */
static bool same_image(struct store_io *io, uint32_t domid, uint32_t number, const struct vbd *b,
                       bool *writable)
{
    enum store_vbdmode mode = STORE_VBDMODE_W;
    char params[1025];
    struct stat st;
    bool same;

    /* params is the host path: this node only Dom0 can write */
    if (store_get_libxl_vbd_params(io, domid, number, params, sizeof(params)) <= 0 ||
        stat(params, &st) < 0)
        return false;
    same = S_ISBLK(st.st_mode) ? st.st_rdev == b->file_dev && b->file_ino == 0
                               : st.st_dev == b->file_dev && st.st_ino == b->file_ino;
    if (same)
        store_get_libxl_vbd_mode(io, domid, number, &mode);
    *writable = mode == STORE_VBDMODE_W;
    return same;
}

/* The same machine: a copy that stands suspended while this one is received (a move within a host). */
static bool same_machine(struct store_io *io, uint32_t a, uint32_t b)
{
    char va[STORE_PATH_MAX], vb[STORE_PATH_MAX];

    return a != b && store_get_dom_vm(io, a, va, sizeof(va)) > 0 &&
           store_get_dom_vm(io, b, vb, sizeof(vb)) > 0 && strcmp(va, vb) == 0;
}

/* Against the disks of one domain. */
static int check_domain(struct vane *v, struct store_io *io, uint32_t self, uint32_t domid,
                        const struct vbd *b)
{
    char path[STORE_PATH_MAX];
    unsigned n;
    char **devs;
    int rc = 0;

    store_path_libxl_device_vbd(path, sizeof(path), domid);
    devs = store_xs_list(io, path, &n);
    for (unsigned i = 0; i < n && rc == 0; i++) {
        bool writable;

        if (same_image(io, domid, (uint32_t)strtoul(devs[i], NULL, 10), b, &writable) &&
            (b->d->writable || writable) && !same_machine(io, self, domid))
            rc = vane_fail(v, -EBUSY, "attach it read-only in both, or detach it there first",
                           "disk %s: %s is in use by domain %u as device %s (%s)", b->d->vdev,
                           b->d->target, domid, devs[i], writable ? "writable" : "read-only");
    }
    free(devs);
    return rc;
}

static int check_sharing(struct vane *v, struct store_io *io, uint32_t self, const struct vbd *b)
{
    char path[STORE_PATH_MAX];
    unsigned n;
    char **doms;
    int rc = 0;

    store_path_libxls(path, sizeof(path));
    doms = store_xs_list(io, path, &n);
    for (unsigned i = 0; i < n && rc == 0; i++) {
        uint64_t domid;

        if (store_value_uint(STORE_TYPE_DOMID, doms[i], strlen(doms[i]), &domid) == 0)
            rc = check_domain(v, io, self, (uint32_t)domid, b);
    }
    free(doms);
    return rc;
}

/* A script= as it is found: absolute, or below Xen's directory. */
static void script_path(char *out, size_t size, const char *script)
{
    if (!script)
        script = "block";
    snprintf(out, size, "%s%s", script[0] == '/' ? "" : "/etc/xen/scripts/", script);
}

/* Toolstack truth: what block-list, block-detach and check_sharing() go by, in vane and in xl. */
static void put_truth(struct store_io *io, uint32_t domid, const struct vane_disk *d, const char *fe,
                      const char *be)
{
    char script[1024];

    store_put_libxl_vbd_frontend(io, domid, d->number, fe);
    store_put_libxl_vbd_backend(io, domid, d->number, be);
    store_put_libxl_vbd_params(io, domid, d->number, d->target);
    store_put_libxl_vbd_type(io, domid, d->number, STORE_VBDTYPE_PHY);
    store_put_libxl_vbd_dev(io, domid, d->number, d->vdev);
    store_put_libxl_vbd_mode(io, domid, d->number, d->writable ? STORE_VBDMODE_W : STORE_VBDMODE_R);
    store_put_libxl_vbd_removable(io, domid, d->number, d->removable);
    store_put_libxl_vbd_device_type(io, domid, d->number, STORE_VBDDEV_DISK);
    if (d->script) {
        script_path(script, sizeof(script), d->script);
        store_put_libxl_vbd_script(io, domid, d->number, script);
    }
}

/* For blkfront. It writes its own protocol; trusted is 1 where absent. */
static void put_front(struct store_io *io, uint32_t domid, const struct vane_disk *d, const char *be)
{
    store_put_vbd_fe(io, domid, d->number);
    STORE_PROTECT(io, VBD_FE, domid, store_n(domid), store_n(d->number));
    store_put_vbd_fe_backend(io, domid, d->number, be);
    store_put_vbd_fe_backend_id(io, domid, d->number, 0);
    store_put_vbd_fe_state(io, domid, d->number, XenbusStateInitialising);
    store_put_vbd_fe_virtual_device(io, domid, d->number, d->number);
    if (!d->trusted)
        store_put_vbd_fe_trusted(io, domid, d->number, false);
}

void vbd_put_image(struct store_io *io, uint32_t domid, const struct vbd *b)
{
    char text[32];

    snprintf(text, sizeof(text), "%x:%x", major(b->rdev), minor(b->rdev));
    store_put_vbd_be_params(io, 0, domid, b->d->number, b->node);
    store_put_vbd_be_physical_device(io, 0, domid, b->d->number, text);
}

/* For blkback; with script= for the script, which then says what the device is; without, xl runs one when it detaches the disk. */
static void put_back(struct store_io *io, uint32_t domid, const struct vbd *b, const char *fe)
{
    const struct vane_disk *d = b->d;
    char text[1024];

    store_put_vbd_be(io, 0, domid, d->number);
    STORE_PROTECT(io, VBD_BE, domid, store_n(0), store_n(domid), store_n(d->number));
    store_put_vbd_be_frontend(io, 0, domid, d->number, fe);
    store_put_vbd_be_frontend_id(io, 0, domid, d->number, domid);
    store_put_vbd_be_online(io, 0, domid, d->number, true);
    store_put_vbd_be_state(io, 0, domid, d->number, XenbusStateInitialising);
    store_put_vbd_be_dev(io, 0, domid, d->number, d->vdev);
    store_put_vbd_be_mode(io, 0, domid, d->number, d->writable ? STORE_VBDMODE_W : STORE_VBDMODE_R);
    if (!d->discard)                                            /* blkback offers it where absent */
        store_put_vbd_be_discard_enable(io, 0, domid, d->number, false);
    if (d->direct_io_safe)
        store_put_vbd_be_direct_io_safe(io, 0, domid, d->number, true);
    script_path(text, sizeof(text), d->script);
    store_put_vbd_be_script(io, 0, domid, d->number, text);
    store_put_vbd_be_type(io, 0, domid, d->number, STORE_VBDTYPE_PHY);
    if (d->script)
        store_put_vbd_be_params(io, 0, domid, d->number, d->target);
    else if (b->fd >= 0)
        vbd_put_image(io, domid, b);
}

int vbd_store(struct vane *v, struct store_io *io, uint32_t domid, const struct vbd *b)
{
    const struct vane_disk *d = b->d;
    char fe[STORE_PATH_MAX], be[STORE_PATH_MAX];
    int rc = d->script ? 0 : check_sharing(v, io, domid, b);                                       /* I2 */

    if (rc < 0)
        return rc;
    store_path_vbd_fe(fe, sizeof(fe), domid, d->number);
    store_path_vbd_be(be, sizeof(be), 0, domid, d->number);
    put_truth(io, domid, d, fe, be);
    put_front(io, domid, d, be);
    put_back(io, domid, b, fe);
    return 0;
}

bool vbd_is_open(const struct dev *d)
{
    char path[128];

    snprintf(path, sizeof(path), "/sys/bus/xen-backend/devices/vbd-%u-%u/physical_device", d->domid, d->number);
    return access(path, F_OK) == 0;
}

/* Then our descriptor may go (I1). */
static bool has_opened(const struct dev *d, const char *unused)
{
    (void)unused;
    return vbd_is_open(d);
}

int vbd_finish(struct vane *v, uint32_t domid, struct vbd *b)
{
    static const char *const args[] = { "add", NULL };
    struct dev d = { domid, "vbd", b->d->number };
    int rc = b->d->script ? dev_wait_backend(v, &d)
                          : dev_wait_kernel(v, &d, has_opened, NULL, "open the disk");

    if (rc == 0 && b->d->script)
        rc = hotplug_run(v, &d, b->d->script, NULL, args);
    if (rc == 0) {
        b->server = false;              /* the back end's now */
        vbd_close(v, b);
    }
    return rc;
}
