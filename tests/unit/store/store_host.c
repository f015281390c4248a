/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_host.h"

#define PORT_VIRQ 1
#define PORT_DOM  100

/* The package that boots in Dom0, unpacked by the build; or, if that is not there yet, the one installed here. */
static const char *const daemons[2][2] = {
    { "build/pkgs/root/usr/lib/xen-4.17/bin/xenstored", "/usr/lib/xen-4.17/bin/xenstored" },
    { "build/pkgs/root/usr/lib/xen-4.17/bin/oxenstored", "/usr/lib/xen-4.17/bin/oxenstored" },
};

static const char *daemon_path(bool ocaml)
{
    return daemons[ocaml][access(daemons[ocaml][0], X_OK) == 0 ? 0 : 1];
}

static void die(const char *what)
{
    fprintf(stderr, "store_host: %s: %s\n", what, strerror(errno));
    exit(2);
}

static const char *in_dir(const struct host *h, const char *name)
{
    static char buf[2][128];
    static int turn;

    snprintf(buf[turn ^= 1], sizeof(buf[0]), "%s/%s", h->dir, name);
    return buf[turn];
}

bool host_available(bool ocaml)
{
    return access(daemon_path(ocaml), X_OK) == 0;
}

static void put_file(const char *path, const char *text, off_t size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, text, strlen(text)) < 0 || (size && ftruncate(fd, size) != 0))
        die(path);
    close(fd);
}

static void run_daemon(const struct host *h)
{
    char conf[128], self[256], preload[300];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    int log = open(in_dir(h, "log"), O_WRONLY | O_CREAT | O_APPEND, 0600);

    if (n < 0 || log < 0)
        die("exec");
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    snprintf(preload, sizeof(preload), "%s/xenstored_host.so", self);
    snprintf(conf, sizeof(conf), "%s/conf", h->dir);
    setenv("LD_PRELOAD", preload, 1);
    setenv("XS_HOST_DIR", h->dir, 1);
    setenv("XENSTORED_ROOTDIR", h->dir, 1);
    dup2(log, 1);
    dup2(log, 2);
    if (h->ocaml)
        execl(daemon_path(true), daemon_path(true), "--no-fork", "--config-file", conf, NULL);
    else
        execl(daemon_path(false), daemon_path(false), "-N", "-F", in_dir(h, "pid"), NULL);
    _exit(127);
}

static void launch(struct host *h)
{
    h->pid = fork();
    if (h->pid < 0)
        die("fork");
    if (h->pid == 0)
        run_daemon(h);
    for (int i = 0; i < 500; i++) {
        struct xs_handle *xs = xs_open(0);

        if (xs) {
            xs_close(xs);
            return;
        }
        usleep(10000);
    }
    die("the daemon does not answer");
}

void host_start(struct host *h, bool ocaml)
{
    char conf[512];

    *h = (struct host){ .dir = "/tmp/store_host.XXXXXX", .ocaml = ocaml };
    if (!mkdtemp(h->dir) || mkfifo(in_dir(h, "evtchn"), 0600) != 0)
        die(h->dir);
    put_file(in_dir(h, "xsd_port"), "2", 0);
    put_file(in_dir(h, "dom0"), "", 4096);
    snprintf(conf, sizeof(conf), "pid-file = %s/pid\npersistent = false\nxenstored-kva = %s/dom0\n"
             "xenstored-port = %s/xsd_port\nxenstored-log-file = %s/log\naccess-log-nb-files = 0\n"
             "access-log-file = %s/access\n",
             h->dir, h->dir, h->dir, h->dir, h->dir);
    put_file(in_dir(h, "conf"), conf, 0);
    setenv("XENSTORED_RUNDIR", h->dir, 1);
    launch(h);
}

static void kill_daemon(struct host *h)
{
    kill(h->pid, SIGKILL);
    waitpid(h->pid, NULL, 0);
}

void host_restart(struct host *h)
{
    kill_daemon(h);
    unlink(in_dir(h, "socket"));
    launch(h);
}

void host_stop(struct host *h)
{
    char cmd[128];

    kill_daemon(h);
    snprintf(cmd, sizeof(cmd), "rm -r %s", h->dir);
    if (system(cmd) != 0)
        die(h->dir);
}

long host_rss(const struct host *h)
{
    char path[64], line[256];
    long kib = -1;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)h->pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        sscanf(line, "VmRSS: %ld", &kib);
    if (f)
        fclose(f);
    return kib;
}

static void notify(const struct host *h, uint32_t port)
{
    int fd = open(in_dir(h, "evtchn"), O_WRONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 || (write(fd, &port, sizeof(port)) < 0 && errno != EAGAIN))
        die("evtchn");
    close(fd);
}

static const char *dom_file(const struct host *h, uint32_t domid)
{
    char name[16];

    snprintf(name, sizeof(name), "dom%u", domid);
    return in_dir(h, name);
}

void host_make(const struct host *h, uint32_t domid)
{
    put_file(dom_file(h, domid), "", 4096);
}

void host_gone(const struct host *h, uint32_t domid)
{
    unlink(dom_file(h, domid));
    notify(h, PORT_VIRQ);
}

void host_add(const struct host *h, struct xs_handle *xs, struct guest *g, uint32_t domid)
{
    int fd;

    *g = (struct guest){ .host = h, .domid = domid };
    fd = open(dom_file(h, domid), O_RDWR | O_CLOEXEC);
    g->ring = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (g->ring == MAP_FAILED || !xs_introduce_domain(xs, domid, domid, 1))
        die("introduce");
}

void host_remove(struct guest *g)
{
    unlink(dom_file(g->host, g->domid));
    munmap(g->ring, 4096);
    notify(g->host, PORT_VIRQ);
}

void guest_notify(struct guest *g)
{
    notify(g->host, PORT_DOM + g->domid);
}

void guest_raw(struct guest *g, const void *p, size_t len)
{
    const char *s = p;

    for (size_t i = 0; i < len; i++) {
        uint32_t prod = __atomic_load_n(&g->ring->req_prod, __ATOMIC_RELAXED);

        for (int spin = 0; spin < 20000; spin++) {
            if (prod - __atomic_load_n(&g->ring->req_cons, __ATOMIC_ACQUIRE) < XENSTORE_RING_SIZE)
                break;
            guest_notify(g);
            usleep(100);
        }
        g->ring->req[MASK_XENSTORE_IDX(prod)] = s[i];
        __atomic_store_n(&g->ring->req_prod, prod + 1, __ATOMIC_RELEASE);
    }
    guest_notify(g);
}

static bool take(struct guest *g, void *p, size_t len)
{
    char *s = p;

    for (size_t i = 0; i < len; i++) {
        uint32_t cons = g->ring->rsp_cons;

        for (int spin = 0; __atomic_load_n(&g->ring->rsp_prod, __ATOMIC_ACQUIRE) == cons; spin++) {
            if (spin > 50000)
                return false;
            usleep(100);
        }
        s[i] = g->ring->rsp[MASK_XENSTORE_IDX(cons)];
        __atomic_store_n(&g->ring->rsp_cons, cons + 1, __ATOMIC_RELEASE);
        if (i + 1 == len || (cons + 1) % 512 == 0)
            guest_notify(g);
    }
    return true;
}

static int error_of(const char *name)
{
    static const struct {
        const char *name;
        int code;
    } known[] = { { "EINVAL", EINVAL }, { "EACCES", EACCES }, { "EEXIST", EEXIST },
                  { "EISDIR", EISDIR }, { "ENOENT", ENOENT }, { "ENOMEM", ENOMEM },
                  { "ENOSPC", ENOSPC }, { "EIO", EIO }, { "ENOTEMPTY", ENOTEMPTY },
                  { "ENOSYS", ENOSYS }, { "EROFS", EROFS }, { "EBUSY", EBUSY },
                  { "EAGAIN", EAGAIN }, { "EISCONN", EISCONN }, { "E2BIG", E2BIG },
                  { "EPERM", EPERM }, { "EQUOTA", EDQUOT } };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!strcmp(known[i].name, name))
            return known[i].code;
    }
    return EPROTO;
}

int guest_request(struct guest *g, unsigned type, uint32_t tx, const void *payload, size_t len,
                  char *buf, size_t size)
{
    struct xsd_sockmsg hdr = { .type = type, .req_id = ++g->req_id, .tx_id = tx,
                               .len = (uint32_t)len };
    char body[XENSTORE_PAYLOAD_MAX + 1];

    guest_raw(g, &hdr, sizeof(hdr));
    guest_raw(g, payload, len);
    do {
        if (!take(g, &hdr, sizeof(hdr)) || hdr.len > XENSTORE_PAYLOAD_MAX ||
            !take(g, body, hdr.len))
            return -ETIMEDOUT;
        body[hdr.len] = '\0';
        if (hdr.type == XS_WATCH_EVENT) {
            g->events++;
            snprintf(g->event, sizeof(g->event), "%.63s", body);
        }
    } while (hdr.type == XS_WATCH_EVENT || hdr.req_id != g->req_id);
    if (hdr.type == XS_ERROR)
        return -error_of(body);
    if (buf)
        memcpy(buf, body, hdr.len < size ? hdr.len + 1 : size);
    return (int)hdr.len;
}

/* PATH NUL TEXT, with the closing NUL or without. */
static int request2(struct guest *g, unsigned type, const char *path, const char *text, bool nul)
{
    char p[XENSTORE_PAYLOAD_MAX];
    size_t a = strlen(path) + 1, b = strlen(text) + nul;
    int rc;

    memcpy(p, path, a);
    memcpy(p + a, text, b);
    rc = guest_request(g, type, 0, p, a + b, NULL, 0);
    return rc < 0 ? rc : 0;
}

int guest_write(struct guest *g, const char *path, const char *value)
{
    return request2(g, XS_WRITE, path, value, false);
}

int guest_read(struct guest *g, const char *path, char *buf, size_t size)
{
    return guest_request(g, XS_READ, 0, path, strlen(path) + 1, buf, size);
}

int guest_rm(struct guest *g, const char *path)
{
    int rc = guest_request(g, XS_RM, 0, path, strlen(path) + 1, NULL, 0);

    return rc < 0 ? rc : 0;
}

int guest_chmod(struct guest *g, const char *path, const char *perm)
{
    return request2(g, XS_SET_PERMS, path, perm, true);
}

int guest_watch(struct guest *g, const char *path, const char *token)
{
    return request2(g, XS_WATCH, path, token, true);
}

uint32_t guest_begin(struct guest *g)
{
    char id[16];

    return guest_request(g, XS_TRANSACTION_START, 0, "", 1, id, sizeof(id)) > 0
         ? (uint32_t)strtoul(id, NULL, 10) : 0;
}
