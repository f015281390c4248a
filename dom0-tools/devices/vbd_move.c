/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vbd_move.c - a disk that changes hosts
 *
 * It is open at one host at a time: the source's back end lets go of it while its guest stands still, the target's learns
 * what to open only then. Until the hand-over is decided the guest may have to go on at the source, so there the back
 * end is taken from its driver and not from the guest: nodes, ring and event channel stay.
 *
 * ABI: bind and unbind in sysfs. Linux's blkback is made for that: it stays Connected in XenStore and attaches to a ring
 * in use, at the responses already made.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/major.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "device.h"

/* Have the driver take the device, or let go of it: @how is "bind" or "unbind". */
static int drive(struct vane *v, const struct dev *d, const char *how)
{
    char path[80], name[32];
    int fd, n = snprintf(name, sizeof(name), "vbd-%u-%u", d->domid, d->number), rc = 0;

    snprintf(path, sizeof(path), "/sys/bus/xen-backend/drivers/vbd/%s", how);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, name, (size_t)n) != n)
        rc = vane_fail(v, -errno, "is it xen-blkback that serves it?", "cannot %s the back end of disk %u: %s", how,
                       d->number, strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc;
}

/* What the back end uses, by the number in its directory, which only Dom0 writes. */
static bool number_of(struct vane *v, const struct dev *d, unsigned *major, unsigned *minor)
{
    char number[32];

    return store_get_vbd_be_physical_device(vane_store(v), 0, d->domid, d->number, number, sizeof(number)) > 0 &&
           sscanf(number, "%x:%x", major, minor) == 2;
}

static int open_device(struct vane *v, const struct dev *d, unsigned major, unsigned minor)
{
    char link[64], target[256], path[300] = "";
    const char *name;
    ssize_t n;
    int fd;

    snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major, minor);
    n = readlink(link, target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = '\0';
    name = strrchr(target, '/');
    snprintf(path, sizeof(path), "/dev/%s", name ? name + 1 : target);
    fd = name ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    return fd < 0 ? vane_fail(v, -errno, NULL, "cannot open disk %u (%s): %s", d->number, path, strerror(errno)) : fd;
}

/* Devices that end with their last user: their number may be another image's by the time it is wanted again. */
static bool is_passing(unsigned major, unsigned minor)
{
    char path[80], text[2] = "";
    int fd;

    if (major != LOOP_MAJOR)
        return false;
    snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/loop/autoclear", major, minor);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (read(fd, text, 1) < 0)
            text[0] = '\0';
        close(fd);
    }
    return text[0] == '1';
}

static bool has_server(unsigned major, unsigned minor)
{
    char path[80];

    snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/pid", major, minor);
    return major == NBD_MAJOR && access(path, F_OK) == 0;
}

int vbd_release(struct vane *v, const struct dev *d)
{
    struct store_io *io = vane_store(v);
    char node[STORE_PATH_MAX];
    unsigned major, minor;
    bool gone, served;
    int fd, rc;

    if (!vbd_is_open(d) || !number_of(v, d, &major, &minor))
        return 0;
    gone = is_passing(major, minor);
    served = has_server(major, minor);
    fd = open_device(v, d, major, minor);       /* it must not end before it is flushed */
    if (fd < 0)
        return fd;
    rc = drive(v, d, "unbind");
    if (rc == 0 && fsync(fd) < 0)
        rc = vane_fail(v, -errno, NULL, "cannot flush disk %u: %s", d->number, strerror(errno));
    close(fd);
    if (rc < 0)
        return rc;
    nbd_detach(v, nbd_is, d);
    gone |= served && !has_server(major, minor);
    if (gone) {                                 /* vbd_reopen() makes a new one */
        store_path_vbd_be_physical_device(node, sizeof(node), 0, d->domid, d->number);
        store_xs_remove(io, node);
        rc = store_result(v, io);
    }
    return rc;
}

static int write_image(struct vane *v, struct store_io *io, void *arg)
{
    const struct vbd *b = arg;

    (void)v;
    vbd_put_image(io, b->domid, b);
    return 0;
}

static int make_again(struct vane *v, uint32_t domid, const struct vane_disk *disk)
{
    struct vbd b;
    int rc = vbd_open(v, domid, disk, VBD_AGAIN, &b);

    if (rc == 0 && !disk->script)
        rc = store_transaction(v, write_image, &b);
    if (rc == 0 && dev_is_unbound(&(struct dev){ domid, "vbd", disk->number }))
        rc = drive(v, &(struct dev){ domid, "vbd", disk->number }, "bind");
    if (rc == 0)
        rc = vbd_finish(v, domid, &b);
    if (rc < 0)
        vbd_close(v, &b);
    return rc;
}

int vbd_reopen(struct vane *v, uint32_t domid, const struct vane_disk *disk)
{
    const struct dev d = { domid, "vbd", disk->number };
    unsigned major, minor;

    if (vbd_is_open(&d))
        return 0;
    if (dev_is_unbound(&d) && number_of(v, &d, &major, &minor))
        return drive(v, &d, "bind");
    return make_again(v, domid, disk);
}
