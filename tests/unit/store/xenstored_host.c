/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenstored_host.c - lets Debian's own xenstored and oxenstored run on a machine without Xen
 *
 * Preloaded into the daemon, it answers the few calls that reach the hypervisor from files in
 * $XS_HOST_DIR, which the test (store_host.c) makes:
 *
 *   domN      one page: the store ring of domain N. The file's existence is the domain's existence,
 *             its mode's group-execute bit its "shut down" flag.
 *   evtchn    a FIFO: four bytes are the number of a port that became pending.
 *
 * Ports: 1 is VIRQ_DOM_EXC, 100 + N the daemon's end of domain N's channel. The daemon is the
 * packaged binary; only what a hypervisor would say is ours.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/stat.h>
#include <unistd.h>
#define XC_WANT_COMPAT_MAP_FOREIGN_API
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#define PORT_VIRQ 1
#define PORT_DOM  100
#define DOM_MAX   512

static int evtchn_fd = -1;

static const char *host_path(const char *name, unsigned n)
{
    static char buf[512];

    snprintf(buf, sizeof(buf), "%s/%s", getenv("XS_HOST_DIR"), name);
    if (n != UINT32_MAX)
        snprintf(buf + strlen(buf), sizeof(buf) - strlen(buf), "%u", n);
    return buf;
}

static void *map_page(uint32_t domid)
{
    int fd = open(host_path("dom", domid), O_RDWR | O_CLOEXEC);
    void *p;

    if (fd < 0)
        return NULL;
    p = mmap(NULL, XC_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return p == MAP_FAILED ? NULL : p;
}

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild,
                                unsigned flags)
{
    static int dummy;

    (void)logger;
    (void)dombuild;
    (void)flags;
    return (xc_interface *)&dummy;
}

int xc_interface_close(xc_interface *xch)
{
    (void)xch;
    return 0;
}

static uint32_t find_dom(uint32_t first, struct stat *st)
{
    while (first < DOM_MAX && stat(host_path("dom", first), st) != 0)
        first++;
    return first;
}

int xc_domain_getinfo(xc_interface *xch, uint32_t first, unsigned max, xc_dominfo_t *info)
{
    struct stat st;

    (void)xch;
    first = find_dom(first, &st);
    if (!max || first == DOM_MAX)
        return 0;
    memset(info, 0, sizeof(*info));
    info->domid = first;
    info->shutdown = (st.st_mode & S_IXGRP) != 0;
    return 1;
}

int xc_domain_getinfolist(xc_interface *xch, uint32_t first, unsigned max, xc_domaininfo_t *info)
{
    unsigned n = 0;
    struct stat st;

    (void)xch;
    for (; n < max && (first = find_dom(first, &st)) < DOM_MAX; n++, first++) {
        memset(&info[n], 0, sizeof(info[n]));
        info[n].domain = (domid_t)first;
        info[n].flags = st.st_mode & S_IXGRP ? XEN_DOMINF_shutdown : 0;
    }
    return (int)n;
}

void *xc_map_foreign_range(xc_interface *xch, uint32_t dom, int size, int prot, unsigned long mfn)
{
    (void)xch;
    (void)size;
    (void)prot;
    (void)mfn;
    return map_page(dom);
}

xenevtchn_handle *xenevtchn_open(xentoollog_logger *logger, unsigned flags)
{
    (void)logger;
    (void)flags;
    evtchn_fd = open(host_path("evtchn", UINT32_MAX), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    return evtchn_fd < 0 ? NULL : (xenevtchn_handle *)&evtchn_fd;
}

xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd, unsigned flags)
{
    (void)fd;
    return xenevtchn_open(logger, flags);
}

int xenevtchn_close(xenevtchn_handle *xce)
{
    (void)xce;
    return close(evtchn_fd);
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
    (void)xce;
    return evtchn_fd;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
    (void)xce;
    (void)port;                         /* the test's domains look at their ring */
    return 0;
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned virq)
{
    (void)xce;
    (void)virq;
    return PORT_VIRQ;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid,
                                                     evtchn_port_t port)
{
    (void)xce;
    (void)port;
    return (xenevtchn_port_or_error_t)(PORT_DOM + domid);
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
    (void)xce;
    (void)port;
    return 0;
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
    (void)xce;
    (void)port;
    return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
    uint32_t port;

    (void)xce;
    if (read(evtchn_fd, &port, sizeof(port)) != (ssize_t)sizeof(port)) {
        errno = EAGAIN;
        return -1;
    }
    return (xenevtchn_port_or_error_t)port;
}

xengnttab_handle *xengnttab_open(xentoollog_logger *logger, unsigned flags)
{
    static int dummy;

    (void)logger;
    (void)flags;
    return (xengnttab_handle *)&dummy;
}

int xengnttab_close(xengnttab_handle *xgt)
{
    (void)xgt;
    return 0;
}

int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t count)
{
    (void)xgt;
    (void)count;
    return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot)
{
    (void)xgt;
    (void)ref;
    (void)prot;
    return map_page(domid);
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start, uint32_t count)
{
    (void)xgt;
    return munmap(start, (size_t)count * XC_PAGE_SIZE);
}

/* oxenstored raises a limit it may not touch here, and does not need. */
int setrlimit(__rlimit_resource_t what, const struct rlimit *limit)
{
    (void)what;
    (void)limit;
    return 0;
}

/* Dom0's own ring: the kernel tells its port and maps its page through these files. */
static const char *redirect(const char *path)
{
    if (!strcmp(path, "/proc/xen/xsd_port"))
        return host_path("xsd_port", UINT32_MAX);
    if (!strcmp(path, "/proc/xen/xsd_kva"))
        return host_path("dom", 0);
    return path;
}

int open(const char *path, int flags, ...)
{
    static int (*real)(const char *, int, ...);
    va_list ap;
    mode_t mode;

    va_start(ap, flags);
    mode = va_arg(ap, mode_t);
    va_end(ap);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "open");
    return real(redirect(path), flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

/* oxenstored knows one place for its socket; a test has its own. */
int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    static int (*real)(int, const struct sockaddr *, socklen_t);
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    const char *name, *path;

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "bind");
    if (addr->sa_family != AF_UNIX)
        return real(fd, addr, len);
    memcpy(&un, addr, len < sizeof(un) ? len : sizeof(un) - 1);
    name = strrchr(un.sun_path, '/');
    path = host_path(name ? name + 1 : un.sun_path, UINT32_MAX);
    if (strlen(path) >= sizeof(un.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(un.sun_path, path, strlen(path) + 1);
    unlink(path);
    return real(fd, (const struct sockaddr *)&un, sizeof(un));
}
