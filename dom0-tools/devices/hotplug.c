/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hotplug.c - run a device's script= with the protocol Xen's hotplug scripts use
 *
 * Environment: script, XENBUS_TYPE, XENBUS_PATH, XENBUS_BASE_PATH, and for a vif also vif, netdev and
 * INTERFACE. The script answers in the back-end directory: hotplug-status "connected" or "error", with
 * hotplug-error. No shell of ours is involved; the script is executed directly.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device.h"

#define MAX_ARGS 8

static int wait_child(pid_t pid, int timeout_ms)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0), status = 0;
    struct pollfd p = { .fd = fd, .events = POLLIN };

    if (fd >= 0 && poll(&p, 1, timeout_ms) <= 0) {
        kill(pid, SIGKILL);
        status = -1;
    }
    if (fd >= 0)
        close(fd);
    if (status == 0) {
        waitpid(pid, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    }
    waitpid(pid, &status, 0);
    return -ETIMEDOUT;
}

int hotplug_run(struct vane *v, const struct dev *d, const char *script, const char *vif,
                const char *const *args)
{
    char path[256], own[STORE_PATH_MAX], why[200], e_script[300], e_path[STORE_PATH_MAX + 16], e_type[64], e_vif[64], e_dev[64], e_if[64], e_p[256];
    char base[] = "XENBUS_BASE_PATH=backend";
    char *env[10], *argv[MAX_ARGS + 2];
    const char *sys_path = getenv("PATH");
    unsigned n = 0, a = 0;
    pid_t pid;
    int rc;

    snprintf(path, sizeof(path), "%s%s", script[0] == '/' ? "" : "/etc/xen/scripts/", script);
    snprintf(e_script, sizeof(e_script), "script=%s", path);
    snprintf(e_type, sizeof(e_type), "XENBUS_TYPE=%s", d->kind);
    store_path_dev_be(own, sizeof(own), STORE_SELF, d->kind, d->domid, d->number);
    snprintf(e_path, sizeof(e_path), "XENBUS_PATH=%s", own);
    snprintf(e_p, sizeof(e_p), "PATH=%.240s", sys_path ? sys_path : "/usr/sbin:/usr/bin:/sbin:/bin");
    env[n++] = e_p;
    env[n++] = e_script;
    env[n++] = e_type;
    env[n++] = e_path;
    env[n++] = base;
    if (vif) {
        snprintf(e_vif, sizeof(e_vif), "vif=%s", vif);
        snprintf(e_dev, sizeof(e_dev), "netdev=%s", vif);
        snprintf(e_if, sizeof(e_if), "INTERFACE=%s", vif);
        env[n++] = e_vif;
        env[n++] = e_dev;
        env[n++] = e_if;
    }
    env[n] = NULL;
    argv[a++] = path;
    for (unsigned i = 0; args[i] && a <= MAX_ARGS; i++)
        argv[a++] = (char *)(uintptr_t)args[i];     /* posix_spawn does not write to them */
    argv[a] = NULL;

    vane_log(v, VANE_DEBUG, "hotplug: %s %s for %s %u", path, args[0], d->kind, d->number);
    rc = posix_spawn(&pid, path, NULL, NULL, argv, env);
    if (rc != 0)
        return vane_fail(v, -rc, "check script= in the configuration", "cannot run %s: %s", path,
                         strerror(rc));
    rc = wait_child(pid, DEV_HOTPLUG_MS);
    if (rc == 0)
        return 0;
    if (store_get_dev_be_hotplug_error(vane_store(v), 0, d->kind, d->domid, d->number, why,
                                       sizeof(why)) < 0)
        why[0] = '\0';
    if (rc == -ETIMEDOUT)
        rc = vane_fail(v, rc, NULL, "%s %s did not end within %d s", path, args[0],
                       DEV_HOTPLUG_MS / 1000);
    else
        rc = vane_fail(v, -EIO, "the script's own messages are above", "%s %s failed (status %d)%s%s",
                       path, args[0], rc, *why ? ": " : "", why);
    return rc;
}
