/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conserver.c - PV consoles: the shared ring, a pty, and a log
 *
 *   I1  ring indices are read once and judged: a guest that lies about them loses its console, not we.
 *   I2  a log never grows beyond LOG_MAX; the part before is kept as one older file.
 *   I3  a pty that nobody reads never delays the guest: what does not fit is only logged.
 *
 * ABI: io/console.h; grant reference 0 of the domain, or the frame in ring-ref.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "../lib/handle.h"

#include <xengnttab.h>
#include <xen/grant_table.h>
#include <xen/io/console.h>

#include "../lib/store.h"
#include "daemon.h"
#include "vaned.h"

#define MAX_CONSOLES 512
#define LOG_MAX (1 << 20)

struct console {
    bool used, broken, granted;
    uint32_t domid;
    struct xencons_interface *ring;
    evtchn_port_t port;
    int pty, slave, log;
    off_t log_size;
    char log_path[300];
};

static struct console consoles[MAX_CONSOLES];
static xenevtchn_handle *evtchn;
static xengnttab_handle *gnttab;
static xenforeignmemory_handle *fmem;

int consoles_init(struct vane *v)
{
    evtchn = xenevtchn_open(NULL, 0);
    gnttab = xengnttab_open(NULL, 0);
    fmem = vane_fmem(v);
    mkdir(VANE_LOG_DIR, 0700);
    if (!evtchn || !gnttab || !fmem)
        return vane_fail(v, -ENODEV, "modprobe xen-evtchn xen-gntdev", "cannot serve consoles");
    fcntl(xenevtchn_fd(evtchn), F_SETFL, O_NONBLOCK);
    return 0;
}

static struct console *find(uint32_t domid)
{
    for (unsigned i = 0; i < MAX_CONSOLES; i++) {
        if (consoles[i].used && consoles[i].domid == domid)
            return &consoles[i];
    }
    return NULL;
}

/* ---- log ---- */

static void log_open(struct console *c, const char *name)
{
    struct stat st;

    c->log = -1;
    if (strchr(name, '/'))
        return;
    snprintf(c->log_path, sizeof(c->log_path), VANE_LOG_DIR "/%s.console", name);
    c->log = open(c->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (c->log >= 0 && fstat(c->log, &st) == 0)
        c->log_size = st.st_size;
}

static void log_write(struct console *c, const char *p, size_t n)
{
    if (c->log < 0)
        return;
    if (c->log_size + (off_t)n > LOG_MAX) {                                         /* I2 */
        char old[sizeof(c->log_path) + 4];

        snprintf(old, sizeof(old), "%s.old", c->log_path);
        rename(c->log_path, old);
        close(c->log);
        c->log = open(c->log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        c->log_size = 0;
    }
    if (c->log >= 0 && write(c->log, p, n) > 0)         /* a full disk costs log lines, nothing else */
        c->log_size += (off_t)n;
}

/* ---- ring ---- */

static void ring_to_host(struct console *c)
{
    struct xencons_interface *r = c->ring;
    XENCONS_RING_IDX cons = r->out_cons, prod = __atomic_load_n(&r->out_prod, __ATOMIC_ACQUIRE);
    char buf[sizeof(r->out)];
    size_t n = 0;

    if (prod - cons > sizeof(r->out)) {                                             /* I1 */
        c->broken = true;
        return;
    }
    if (prod == cons)
        return;
    while (cons != prod)
        buf[n++] = r->out[MASK_XENCONS_IDX(cons++, r->out)];
    __atomic_store_n(&r->out_cons, cons, __ATOMIC_RELEASE);
    xenevtchn_notify(evtchn, c->port);
    log_write(c, buf, n);
    for (size_t at = 0; at < n;) {
        ssize_t w = write(c->pty, buf + at, n - at);

        if (w <= 0)
            break;                                                                  /* I3 */
        at += (size_t)w;
    }
}

static void host_to_ring(struct console *c)
{
    struct xencons_interface *r = c->ring;
    XENCONS_RING_IDX cons = __atomic_load_n(&r->in_cons, __ATOMIC_ACQUIRE), prod = r->in_prod;
    char buf[sizeof(r->in)];
    ssize_t n;

    if (prod - cons > sizeof(r->in)) {                                              /* I1 */
        c->broken = true;
        return;
    }
    if (prod - cons == sizeof(r->in))
        return;
    n = read(c->pty, buf, sizeof(r->in) - (prod - cons));
    for (ssize_t i = 0; i < n; i++)
        r->in[MASK_XENCONS_IDX(prod++, r->in)] = buf[i];
    if (n > 0) {
        __atomic_store_n(&r->in_prod, prod, __ATOMIC_RELEASE);
        xenevtchn_notify(evtchn, c->port);
    }
}

static bool ring_has_room(const struct console *c)
{
    return !c->broken && c->ring->in_prod - c->ring->in_cons < sizeof(c->ring->in);
}

/* ---- opening and closing ---- */

static bool map_ring(struct vane *v, struct console *c)
{
    c->ring = xengnttab_map_grant_ref(gnttab, c->domid, GNTTAB_RESERVED_CONSOLE,
                                      PROT_READ | PROT_WRITE);
    c->granted = c->ring != NULL;
    if (!c->ring) {
        uint64_t frame = 0;
        xen_pfn_t mfn;

        store_get_con_ring_ref(vane_store(v), c->domid, &frame);
        mfn = frame;
        c->ring = mfn ? xenforeignmemory_map(fmem, c->domid, PROT_READ | PROT_WRITE, 1, &mfn, NULL)
                      : NULL;
    }
    return c->ring != NULL;
}

static void unmap_ring(struct console *c)
{
    if (c->ring && c->granted)
        xengnttab_unmap(gnttab, c->ring, 1);
    else if (c->ring)
        xenforeignmemory_unmap(fmem, c->ring, 1);
    c->ring = NULL;
}

static bool open_pty(struct vane *v, struct console *c)
{
    struct store_io *io = vane_store(v);
    char slave[64];
    struct termios t;

    c->pty = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    c->slave = -1;
    if (c->pty < 0 || grantpt(c->pty) < 0 || unlockpt(c->pty) < 0 ||
        ptsname_r(c->pty, slave, sizeof(slave)) != 0)
        return false;
    c->slave = open(slave, O_RDWR | O_NOCTTY | O_CLOEXEC);      /* keeps the pty alive */
    if (c->slave >= 0 && tcgetattr(c->slave, &t) == 0) {
        cfmakeraw(&t);
        tcsetattr(c->slave, TCSANOW, &t);
    }
    store_put_con_tty(io, c->domid, slave);
    return store_result(v, io) == 0;
}

static void console_free(struct console *c)
{
    if (c->port != (evtchn_port_t)-1)
        xenevtchn_unbind(evtchn, c->port);
    unmap_ring(c);
    if (c->pty >= 0)
        close(c->pty);
    if (c->slave >= 0)
        close(c->slave);
    if (c->log >= 0)
        close(c->log);
    memset(c, 0, sizeof(*c));
}

bool consoles_open(struct vane *v, uint32_t domid, const char *name)
{
    struct console *c = NULL;
    enum store_contype type;
    uint64_t port = 0;
    int local;

    if (domid == 0 || find(domid))
        return true;
    if (store_get_con_type(vane_store(v), domid, &type) != 0)
        return false;
    if (type != STORE_CONTYPE_VANED || store_get_con_port(vane_store(v), domid, &port) != 0 || port == 0)
        return true;
    for (unsigned i = 0; i < MAX_CONSOLES && !c; i++)
        c = consoles[i].used ? NULL : &consoles[i];
    if (!c)
        return true;
    *c = (struct console){ .used = true, .domid = domid, .port = (evtchn_port_t)-1, .pty = -1,
                           .slave = -1, .log = -1 };
    if (!map_ring(v, c) ||
        (local = xenevtchn_bind_interdomain(evtchn, domid, (evtchn_port_t)port)) < 0) {
        vane_log(v, VANE_WARN, "the console of domain %u cannot be reached: %s", domid, strerror(errno));
        console_free(c);
        return true;
    }
    c->port = (evtchn_port_t)local;
    log_open(c, name);
    if (!open_pty(v, c))
        console_free(c);
    return true;
}

void consoles_rename(uint32_t domid, const char *name)
{
    struct console *c = find(domid);

    if (!c || strchr(name, '/'))
        return;
    if (c->log >= 0)
        close(c->log);
    log_open(c, name);
}

void consoles_drain(uint32_t domid)
{
    struct console *c = find(domid);

    if (c && !c->broken)
        ring_to_host(c);
}

void consoles_close(uint32_t domid)
{
    struct console *c = find(domid);

    if (!c)
        return;
    consoles_drain(domid);
    console_free(c);
}

void consoles_poll_add(struct pollset *p)
{
    pollset_add(p, xenevtchn_fd(evtchn), POLLIN);
    for (unsigned i = 0; i < MAX_CONSOLES; i++) {
        if (consoles[i].used && ring_has_room(&consoles[i]))
            pollset_add(p, consoles[i].pty, POLLIN);
    }
}

void consoles_poll(const struct pollset *p)
{
    if (pollset_events(p, xenevtchn_fd(evtchn))) {
        int port;

        while ((port = xenevtchn_pending(evtchn)) >= 0) {
            for (unsigned i = 0; i < MAX_CONSOLES; i++) {
                if (consoles[i].used && consoles[i].port == (evtchn_port_t)port && !consoles[i].broken)
                    ring_to_host(&consoles[i]);
            }
            xenevtchn_unmask(evtchn, (evtchn_port_t)port);
        }
    }
    for (unsigned i = 0; i < MAX_CONSOLES; i++) {
        if (consoles[i].used && (pollset_events(p, consoles[i].pty) & POLLIN))
            host_to_ring(&consoles[i]);
    }
}
