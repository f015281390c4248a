/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * suspend.c - bring a guest to its suspend point, and back
 *
 *   I1  a request that the guest does not take in time is withdrawn; if it suspends late all the same,
 *       whoever sees that resumes it.
 *
 * ABI: control/shutdown = "suspend"; SHUTDOWN_suspend. For a cooperative resume the hypercall that
 * suspended returns 1.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/handle.h"
#include "../lib/life.h"
#include "../lib/store.h"
#include "../store/watch.h"
#include "save.h"
#include "stream.h"

#define SUSPEND_MS 60000

static int is_suspended(struct vane *v, void *arg)
{
    const struct vane_dom *want = arg;
    struct vane_dom d;

    if (vane_dom_get(v, want->domid, &d) < 0)
        return vane_last_error(v)->code;
    if (d.shutdown && d.shutdown_reason != SHUTDOWN_suspend)
        return vane_fail(v, -EIO, NULL, "domain %s went down (%s) instead of suspending", want->name,
                         vane_shutdown_name(d.shutdown_reason));
    return d.shutdown;
}

int guest_suspend(struct vane *v, const struct vane_dom *d)
{
    struct vane_dom arg = *d;
    int rc = vane_ask(v, d, "suspend");

    if (rc < 0)
        return rc;
    rc = store_wait(v, WATCH_DOMAIN_GONE, SUSPEND_MS, is_suspended, &arg);
    if (rc == -ETIMEDOUT)
        return vane_fail(v, rc, "is its kernel up to it? look at its console",
                         "domain %s did not suspend within %d s", d->name, SUSPEND_MS / 1000);
    return rc < 0 ? rc : 0;
}

int stream_resume(struct vane *v, const struct vane_dom *d)
{
    struct xen_domctl op = { .cmd = XEN_DOMCTL_resumedomain, .domain = (domid_t)d->domid };
    vcpu_guest_context_any_t *c = calloc(1, sizeof(*c));
    int rc = c ? 0 : vane_fail(v, -ENOMEM, NULL, "out of memory");

    if (rc == 0 && xc_vcpu_getcontext(v->xc, d->domid, 0, c) < 0)
        rc = vane_fail(v, -errno, NULL, "cannot read the suspended vcpu: %s", strerror(errno));
    if (rc == 0) {
        c->c.user_regs.rax = 1;
        if (xc_vcpu_setcontext(v->xc, d->domid, 0, c) < 0)
            rc = vane_fail(v, -errno, NULL, "cannot write the suspended vcpu: %s", strerror(errno));
    }
    if (rc == 0 && xc_domctl(v->xc, &op) < 0)
        rc = vane_fail(v, -errno, NULL, "cannot resume domain %s: %s", d->name, strerror(errno));
    if (rc == 0 && vane_xs(v))
        xs_resume_domain(v->xs, d->domid);
    free(c);
    return rc;
}
