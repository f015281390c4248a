/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * save_live.c - copying a guest that runs
 *
 * A round sends what was written during the one before. precopy.h decides when it is enough.
 *
 *   I1  the first round begins after logging does, so that a write is in the round or in the log.
 */
#include <errno.h>
#include <string.h>

#include "../lib/handle.h"
#include "../lib/store.h"
#include "save.h"

static int log_start(struct saver *s)
{
    int rc = xc_shadow_control(s->v->xc, s->d->domid, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0);

    if (rc < 0 && errno == EINVAL) {            /* left on by somebody that died: the guard says it was not us */
        xc_shadow_control(s->v->xc, s->d->domid, XEN_DOMCTL_SHADOW_OP_OFF, NULL, 0);
        rc = xc_shadow_control(s->v->xc, s->d->domid, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0);
    }
    if (rc < 0)
        return vane_fail(s->v, -errno, "use --non-live, which suspends the guest while it is copied",
                         "this hypervisor cannot log what the guest writes: %s", strerror(errno));
    s->logging = true;
    return 0;
}

void save_log_stop(struct saver *s)
{
    if (s->logging)
        xc_shadow_control(s->v->xc, s->d->domid, XEN_DOMCTL_SHADOW_OP_OFF, NULL, 0);
    s->logging = false;
}

/* Take the pages written since the last time into todo[]. */
static int log_clean(struct saver *s, uint64_t *dirty)
{
    DECLARE_HYPERCALL_BUFFER(uint64_t, map);
    xc_shadow_op_stats_t stats = {0};
    uint64_t pages = s->g.max_pfn + 1;
    int frames = (int)(map_words(s) * 8 / 4096 + 1), rc = 0;

    map = xc_hypercall_buffer_alloc_pages(s->v->xc, map, frames);
    if (!map)
        return vane_fail(s->v, -ENOMEM, NULL, "out of memory");
    if (xc_logdirty_control(s->v->xc, s->d->domid, XEN_DOMCTL_SHADOW_OP_CLEAN, HYPERCALL_BUFFER(map),
                            pages, 0, &stats) != (long long)pages)
        rc = vane_fail(s->v, errno ? -errno : -EIO, NULL, "cannot learn which pages the guest wrote: %s",
                       strerror(errno));
    else
        memcpy(s->todo, map, map_words(s) * 8);
    if (pages % 64)
        s->todo[pages / 64] &= (1ull << (pages % 64)) - 1;
    *dirty = 0;
    for (size_t i = 0; rc == 0 && i < map_words(s); i++)
        *dirty += (uint64_t)__builtin_popcountll(s->todo[i]);
    xc_hypercall_buffer_free_pages(s->v->xc, map, frames);
    return rc;
}

static int act_on(struct saver *s, enum precopy_verdict verdict, uint64_t dirty)
{
    const struct precopy *p = &s->precopy;

    switch (verdict) {
    case PRECOPY_ROUND: case PRECOPY_STOP:
        return 0;
    case PRECOPY_THROTTLE:
        vane_log(s->v, VANE_INFO, "domain %s writes faster than the link carries: %u%% of its CPU time taken",
                 s->d->name, p->throttle);
        return save_guard_throttle(s->guard, p->throttle);
    case PRECOPY_TIMEOUT:
        return vane_fail(s->v, -ETIMEDOUT, "give it more time or downtime, or use --throttle",
                         "time is up, and domain %s would still have to stand still for %llu ms (%llu pages)",
                         s->d->name, (unsigned long long)p->downtime_ms, (unsigned long long)dirty);
    default:
        return vane_fail(s->v, -EAGAIN, "allow more downtime, or use --throttle",
                         "domain %s writes faster than the link carries: it would have to stand still for "
                         "%llu ms", s->d->name, (unsigned long long)p->downtime_ms);
    }
}

int save_rounds(struct saver *s)
{
    const struct precopy_limits limits = { s->opt->max_rounds, s->opt->max_downtime_ms, s->opt->timeout_ms,
                                           s->opt->strict, s->opt->throttle };
    enum precopy_verdict verdict = PRECOPY_ROUND;
    int64_t begin = vane_now_ms();
    int rc = log_start(s);                                                          /* I1 */

    precopy_begin(&s->precopy, &limits);
    map_fill(s, s->todo);
    while (rc == 0 && (verdict == PRECOPY_ROUND || verdict == PRECOPY_THROTTLE)) {
        uint64_t sent, dirty, bytes = s->out.bytes;

        s->round_ms = vane_now_ms();
        rc = save_todo(s, &sent);
        if (rc == 0)
            rc = log_clean(s, &dirty);
        if (rc == 0) {
            int64_t now = vane_now_ms();
            struct precopy_round r = { (uint64_t)(now - s->round_ms), s->out.bytes - bytes, sent, dirty,
                                       (uint64_t)(now - begin) };

            verdict = precopy_judge(&s->precopy, &r);
            rc = save_report(s, SAVE_PRECOPY, sent, dirty);
        }
        if (rc == 0)
            rc = act_on(s, verdict, dirty);
    }
    return rc;
}

int save_last_writes(struct saver *s)
{
    uint64_t dirty;
    size_t words = map_words(s);
    int rc;

    /* log_clean() overwrites todo[]. */
    for (size_t i = 0; i < words; i++)
        s->later[i] |= s->todo[i];
    rc = log_clean(s, &dirty);
    for (size_t i = 0; i < words && rc == 0; i++)
        s->todo[i] |= s->later[i];
    return rc == 0 ? view_refresh(&s->g) : rc;
}
