/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd.c - disk images in formats of their own (qcow2, vhd, qed), served by the packaged qemu-nbd
 *
 * qemu-nbd turns the image into a block device /dev/nbdN; from there on the disk is like any other.
 *
 *   I1  nothing is recorded: a server carries its domain and device in the path of its pid file, on its
 *       command line, so whatever killed us, the next command sees whom each one serves.
 *   I2  a server is ended only when its command line names one of our devices: a /dev/nbdN that somebody
 *       else uses is never touched.
 *
 * ABI: linux/nbd.h; /sys/block/nbdN/pid is the task that serves the device, absent when there is none.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/nbd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/create.h"
#include "device.h"

#define MAX_NBD 64
#define PID_DIR VANE_RUN_DIR "/nbd/"
#define SERVER "qemu-nbd"

/* A small file into @out, a string. Its length, or -errno. */
static ssize_t read_small(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -errno : read(fd, out, size - 1);

    if (n < 0 && fd >= 0)
        n = -errno;
    if (fd >= 0)
        close(fd);
    out[n > 0 ? n : 0] = '\0';
    return n;
}

/* The process that serves /dev/nbd@n, 0 when nobody does, -1 when there is no such device. */
static pid_t server_of(unsigned n)
{
    char path[64], text[32];

    snprintf(path, sizeof(path), "/sys/block/nbd%u", n);
    if (access(path, F_OK) < 0)
        return -1;
    snprintf(path, sizeof(path), "/sys/block/nbd%u/pid", n);
    return read_small(path, text, sizeof(text)) > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

/* Whom the server @pid works for, from its command line (I1). */
static bool served(pid_t pid, struct dev *d)
{
    char path[64], args[4096];
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    n = read_small(path, args, sizeof(args));
    for (ssize_t at = 0; at < n; at += (ssize_t)strlen(args + at) + 1) {
        if (sscanf(args + at, "--pid-file=" PID_DIR "%u-%u.pid", &d->domid, &d->number) == 2) {
            d->kind = "vbd";
            return true;
        }
    }
    return false;
}

/* End the server of /dev/nbd@n and wait until it has let go of the image. */
static void disconnect(struct vane *v, unsigned n, pid_t pid, const struct dev *d)
{
    int64_t deadline = vane_now_ms() + DEV_DESTROY_MS;
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "/dev/nbd%u", n);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, NBD_DISCONNECT) < 0)
        vane_log(v, VANE_WARN, "cannot disconnect %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    while (kill(pid, 0) == 0 && vane_now_ms() < deadline)
        usleep(5000);
    if (kill(pid, 0) == 0)
        vane_log(v, VANE_WARN, SERVER " (process %d) still holds the image of device %u", (int)pid, d->number);
    snprintf(path, sizeof(path), PID_DIR "%u-%u.pid", d->domid, d->number);
    unlink(path);
}

bool nbd_is(const struct dev *d, const void *dev)
{
    const struct dev *other = dev;

    return d->domid == other->domid && d->number == other->number;
}

bool nbd_of_domain(const struct dev *d, const void *domid)
{
    return d->domid == *(const uint32_t *)domid;
}

void nbd_detach(struct vane *v, nbd_which *which, const void *arg)
{
    if (access(PID_DIR, F_OK) < 0)
        return;                         /* there never was one */
    for (unsigned n = 0; n < MAX_NBD; n++) {
        pid_t pid = server_of(n);
        struct dev d;

        if (pid < 0)
            return;
        if (pid > 0 && served(pid, &d) && which(&d, arg))                                 /* I2 */
            disconnect(v, n, pid, &d);
    }
}

static int run_server(struct vane *v, char *const argv[])
{
    extern char **environ;
    pid_t pid;
    int status, rc = posix_spawnp(&pid, SERVER, NULL, NULL, argv, environ);

    if (rc != 0)
        return vane_fail(v, -rc, "install qemu-utils, or convert the image: qemu-img convert -O raw",
                         "cannot run " SERVER ": %s", strerror(rc));
    if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
        return vane_fail(v, -EIO, NULL, SERVER " was killed");
    return WEXITSTATUS(status);
}

/* With max_part the kernel would read partition tables that the guest writes. */
static void warn_partitions(struct vane *v)
{
    char text[16];

    if (read_small("/sys/module/nbd/parameters/max_part", text, sizeof(text)) > 0 && strtol(text, NULL, 10) > 0)
        vane_log(v, VANE_WARN, "Dom0 reads partition tables on /dev/nbd*: load the module with nbd.max_part=0");
}

int nbd_attach(struct vane *v, uint32_t domid, const struct vane_disk *d, bool again, char node[64])
{
    const struct dev self = { domid, "vbd", d->number };
    char pid_file[96], format[32], device[80];
    const char *reason = "all are in use";

    if (!again && dev_exists(vane_store(v), &self))
        return vane_fail(v, -EEXIST, NULL, "domain %u already has a disk %s", domid, d->vdev);
    nbd_detach(v, nbd_is, &self);       /* of a command that was killed */

    if (server_of(0) < 0)
        return vane_fail(v, -ENODEV, "modprobe nbd max_part=0", "disk %s: format %s needs /dev/nbd0, and there "
                         "is none", d->vdev, d->format);
    warn_partitions(v);
    mkdir(VANE_RUN_DIR, 0700);
    mkdir(PID_DIR, 0700);
    snprintf(pid_file, sizeof(pid_file), "--pid-file=" PID_DIR "%u-%u.pid", domid, d->number);
    snprintf(format, sizeof(format), "--format=%s", strcmp(d->format, "vhd") == 0 ? "vpc" : d->format);
    for (unsigned n = 0; n < MAX_NBD && server_of(n) >= 0; n++) {
        const char *argv[12] = { SERVER, "--fork", pid_file, format, "--discard=unmap" };
        unsigned argc = 5;
        int rc;

        if (server_of(n) > 0)
            continue;
        snprintf(node, 64, "/dev/nbd%u", n);
        snprintf(device, sizeof(device), "--connect=%s", node);
        argv[argc++] = device;
        if (!d->writable)
            argv[argc++] = "--read-only";
        argv[argc++] = "--";
        argv[argc++] = d->target;
        rc = run_server(v, (char *const *)(uintptr_t)argv);       /* posix_spawn does not write to them */
        if (rc <= 0)
            return rc;
        if (server_of(n) == 0)          /* not taken by somebody else meanwhile: it is the image */
            return vane_fail(v, -EIO, "its own message is above; is the image of that format, and not in use?",
                             "disk %s: " SERVER " cannot serve %s as %s", d->vdev, d->target, d->format);
        reason = "somebody else took them";
    }
    return vane_fail(v, -EBUSY, "load the module nbd with more nbds_max", "disk %s: no free /dev/nbd*: %s", d->vdev,
                     reason);
}
