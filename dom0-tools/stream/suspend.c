/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * suspend.c - bring a guest to its suspend point, and back
 *
 *   I1  a request that the guest does not take in time is withdrawn, in a transaction: either it is
 *       gone, or the guest has it. Then it may suspend late; the caller is told (@late) and leaves a
 *       record for whoever sees that.
 *
 * ABI: control/shutdown = "suspend"; SHUTDOWN_suspend. For a cooperative resume the hypercall that
 * suspended returns 1.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/handle.h"
#include "../lib/store.h"
#include "../store/watch.h"
#include "save.h"
#include "stream.h"

#define TAKE_MS 10000
#define SUSPEND_MS 60000
#define TICK_MS 200
#define LATE_MS 3000            /* a guest that is already on its way is waited for, and resumed */

static int is_suspended(struct vane *v, void *arg)
{
    const struct vane_dom *want = arg;
    struct vane_dom d;

    if (vane_dom_state(v, want->domid, &d) < 0)
        return vane_last_error(v)->code;
    if (d.shutdown && d.shutdown_reason != SHUTDOWN_suspend)
        return vane_fail(v, -EIO, NULL, "domain %s went down (%s) instead of suspending", want->name,
                         vane_shutdown_name(d.shutdown_reason));
    return d.shutdown;
}

static int resume(struct vane *v, const struct vane_dom *d)
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

static bool is_requested(struct store_io *io, uint32_t domid)
{
    enum store_shutdown now;

    return store_get_dom_control_shutdown(io, domid, &now) == 0 && now == STORE_SHUTDOWN_SUSPEND;
}

struct withdrawal {
    uint32_t domid;
    bool taken;
};

static int withdraw(struct vane *v, struct store_io *io, void *arg)
{
    struct withdrawal *w = arg;

    w->taken = !is_requested(io, w->domid);
    if (!w->taken)
        store_clear_dom_control_shutdown(io, w->domid);
    return store_result(v, io);
}

int guest_withdraw(struct vane *v, const struct vane_dom *d)
{
    struct withdrawal w = { d->domid, true };
    int rc = store_transaction(v, withdraw, &w);

    return rc < 0 ? rc : w.taken;
}

int guest_suspend(struct vane *v, const struct vane_dom *d, const atomic_bool *cancel, bool *late)
{
    struct vane_dom arg = *d;
    int64_t begin = vane_now_ms();
    struct store_io *io = vane_store(v);
    int rc;

    if (d->domid == 0 || d->shutdown || d->dying)
        return vane_fail(v, -EINVAL, d->domid ? "`vane destroy` removes it" : NULL,
                         "domain %s is %s", d->name, d->domid ? "down already" : "the one we run in");
    store_put_dom_control_shutdown(io, d->domid, STORE_SHUTDOWN_SUSPEND);
    rc = store_result(v, io);
    while (rc == 0 && (rc = store_wait(v, WATCH_DOMAIN_GONE, TICK_MS, is_suspended, &arg)) == -ETIMEDOUT) {
        int64_t waited = vane_now_ms() - begin;

        rc = 0;
        if (cancel && atomic_load(cancel))
            rc = vane_fail(v, -ECANCELED, NULL, "cancelled");
        else if (waited > TAKE_MS && is_requested(io, d->domid))
            rc = vane_fail(v, -ETIMEDOUT, "is it booted, and has its kernel PV support?",
                           "domain %s does not answer the request to suspend", d->name);
        else if (waited > SUSPEND_MS)
            rc = vane_fail(v, -ETIMEDOUT, "is its kernel up to it? look at its console",
                           "domain %s did not suspend within %d s", d->name, SUSPEND_MS / 1000);
    }
    if (rc < 0) {
        struct vane_error first = *vane_last_error(v);

        *late = guest_withdraw(v, d) != 0;                                          /* I1 */
        if (*late && store_wait(v, WATCH_DOMAIN_GONE, LATE_MS, is_suspended, &arg) > 0)
            *late = resume(v, d) < 0;
        vane_fail(v, first.code, first.hint, "%s", first.what);
    }
    return rc < 0 ? rc : 0;
}

int stream_resume(struct vane *v, const struct vane_dom *d)
{
    struct vane_dom now;
    int rc = vane_xc(v) ? vane_dom_state(v, d->domid, &now) : vane_last_error(v)->code;

    if (rc < 0 || !now.shutdown)
        return rc;
    if (now.shutdown_reason != SHUTDOWN_suspend)
        return vane_fail(v, -EINVAL, NULL, "domain %s is down (%s), not suspended", d->name,
                         vane_shutdown_name(now.shutdown_reason));
    return resume(v, d);
}
