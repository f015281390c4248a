/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fifo_setup.c - a domain changes over to the FIFO ABI and back: control blocks, the event array, priorities
 *
 * ABI: event_channel.h EVTCHNOP_init_control, expand_array, set_priority. The change, each page and the way back are under
 * the port table's lock (XSA-505, 358, 359); a page is judged and its references taken before, and published last
 * (XSA-188). Each page the guest gives holds a plain and a writable reference until reset or death, so it stays memory of
 * this domain that is no table; the guest may give the same page twice, it is bits and words only.
 *
 * What was pending on two levels when the domain changes over is raised again, and so is what is sent meanwhile: the sender
 * sets its bit, then looks at the ABI; we change the ABI, then look at the bits. One of us sees the other's.
 */
#include "event/fifo.h"

#include "bug.h"
#include "heap.h"
#include "hv_errno.h"
#include "machine.h"
#include "mm/page_ref.h"
#include "mm/page_type.h"

/* ---- pages ---- */

static int page_hold(struct domain *d, gfn_t gfn, void **page)
{
    const mfn_t m = mfn(gfn.n);
    const int rc = page_get_and_type(m, d, PGT_WRITABLE);

    if (rc)
        return rc == -ERESTART ? rc : -EINVAL;
    *page = frame_ptr(m);
    return 0;
}

static void page_let_go(struct domain *d, const void *p)
{
    const mfn_t m = ptr_frame(p);

    page_type_put_leaf(m, d);
    page_ref_put(m);
}

void evtchn_for_each_frame(struct domain *d, void (*fn)(mfn_t m))
{
    const struct evtchn_fifo *f = d->events ? evtchn_fifo(d->events) : NULL;

    if (!f)
        return;
    for (unsigned i = 0; i < f->pages; i++)
        fn(ptr_frame(f->array[i]));
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        if (f->vcpu[i].control)
            fn(ptr_frame(f->vcpu[i].control));
    }
}

/* ---- changing over ---- */

/* Lock held. The domain's FIFO state, in use or not, made if this is the first time; or NULL: no memory. */
static struct evtchn_fifo *fifo_make(struct domain *d)
{
    struct evtchn_table *t = d->events;
    struct evtchn_fifo *f = t->fifo_made;

    if (f)
        return f;
    f = heap_alloc(sizeof(*f) + d->max_vcpus * sizeof(f->vcpu[0]));
    if (f)
        spin_lock_init(&f->lock, RANK_FIFO);
    return t->fifo_made = f;
}

static bool set_control(struct evtchn_fifo *f, unsigned vcpu, struct evtchn_fifo_control_block *control)
{
    const unsigned long flags = spin_lock_irq(&f->lock);
    const bool first = !f->vcpu[vcpu].control;

    if (first)
        f->vcpu[vcpu].control = control;
    spin_unlock_irq(&f->lock, flags);
    return first;
}

/* Lock held. */
static void raise_again_from_bits(struct domain *d, struct evtchn_fifo *f)
{
    struct evtchn_table *t = d->events;
    const unsigned end = MIN(t->limit, (unsigned)EVTCHN_2L_NR_CHANNELS);

    for (unsigned p = 1; (p = bitmap_next_set(t->used, end, p)) < end; p++) {
        if (two_level_clear(d, p))
            (void)fifo_raise(d, f, p, evtchn_find(t, p));
    }
}

int evtchn_init_control(struct domain *d, unsigned vcpu, gfn_t gfn, uint32_t offset)
{
    struct evtchn_table *t = d->events;
    struct evtchn_fifo *f;
    void *page;

    if (!domain_vcpu(d, vcpu))
        return -ENOENT;
    if (offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) || offset % 8)
        return -EINVAL;
    int rc = page_hold(d, gfn, &page);
    if (rc)
        return rc;

    spin_lock(&t->lock);
    f = t->sealed ? NULL : fifo_make(d);
    if (!f)
        rc = t->sealed ? -EINVAL : -ENOMEM;
    else if (!set_control(f, vcpu, (void *)((char *)page + offset)))
        rc = -EINVAL;
    else if (!atomic_exchange(&t->fifo, f))
        raise_again_from_bits(d, f);
    spin_unlock(&t->lock);
    if (rc)
        page_let_go(d, page);
    return rc;
}

void fifo_release(struct domain *d)
{
    struct evtchn_table *t = d->events;
    struct evtchn_fifo *f = atomic_exchange(&t->fifo, NULL);

    ASSERT(spin_is_held(&t->lock));
    if (!f)
        return;
    unsigned long flags = spin_lock_irq(&f->lock);
    const unsigned pages = f->pages;
    f->pages = 0;                                       /* I1 */
    spin_unlock_irq(&f->lock, flags);
    for (unsigned i = 0; i < pages; i++)
        page_let_go(d, f->array[i]);

    for (unsigned i = 0; i < d->max_vcpus; i++) {
        flags = spin_lock_irq(&f->lock);
        const void *control = f->vcpu[i].control;
        f->vcpu[i] = (struct fifo_vcpu){ 0 };
        spin_unlock_irq(&f->lock, flags);
        if (control)
            page_let_go(d, control);
    }
}

/* ---- the event array ---- */

/* Lock held: what was raised on ports from @from on before their page was there. */
static void raise_again_early(struct domain *d, struct evtchn_fifo *f, unsigned from)
{
    struct evtchn_table *t = d->events;
    const unsigned end = MIN(t->limit, from + (unsigned)FIFO_WORDS_PER_PAGE);

    for (unsigned p = from; (p = bitmap_next_set(t->used, end, p)) < end; p++) {
        struct evtchn *c = evtchn_find(t, p);
        const unsigned long flags = spin_lock_irq(&f->lock);
        const bool early = c->early;
        c->early = false;
        spin_unlock_irq(&f->lock, flags);
        if (early)
            (void)fifo_raise(d, f, p, c);
    }
}

int evtchn_expand_array(struct domain *d, gfn_t gfn)
{
    struct evtchn_table *t = d->events;
    struct evtchn_fifo *f;
    void *page;

    if (!evtchn_fifo(t))
        return -EOPNOTSUPP;
    int rc = page_hold(d, gfn, &page);
    if (rc)
        return rc;

    spin_lock(&t->lock);
    f = evtchn_fifo(t);                                 /* it may have been reset meanwhile */
    if (!f) {
        rc = -EOPNOTSUPP;
    } else if (f->pages == FIFO_ARRAY_PAGES) {
        rc = -ENOSPC;
    } else {
        const unsigned long flags = spin_lock_irq(&f->lock);
        f->array[f->pages++] = page;
        spin_unlock_irq(&f->lock, flags);
        raise_again_early(d, f, (f->pages - 1) * (unsigned)FIFO_WORDS_PER_PAGE);
    }
    spin_unlock(&t->lock);
    if (rc)
        page_let_go(d, page);
    return rc;
}

int evtchn_set_priority(struct domain *d, uint32_t port, uint32_t priority)
{
    struct evtchn *c = evtchn_find(d->events, port);

    if (!c)
        return -EINVAL;
    if (!evtchn_fifo(d->events))
        return -ENOSYS;
    if (priority > EVTCHN_FIFO_PRIORITY_MIN)
        return -EINVAL;
    atomic_store(&c->priority, (uint8_t)priority);
    return 0;
}

/* ---- audit ---- */

static void audit_page(struct domain *d, const void *p)
{
    const mfn_t m = ptr_frame(p);

    BUG_ON(page_type_peek(m) != PGT_WRITABLE || frame_owner(frame_of(m)) != d->id);
}

void fifo_audit(struct domain *d)
{
    const struct evtchn_table *t = d->events;
    const struct evtchn_fifo *f = t->fifo_made;
    unsigned controls = 0;

    if (!f)
        return;
    for (unsigned i = 0; i < f->pages; i++)
        audit_page(d, f->array[i]);
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        const struct fifo_vcpu *q = &f->vcpu[i];
        if (q->control) {
            audit_page(d, q->control);
            controls++;
        }
        for (unsigned n = 0; n < EVTCHN_FIFO_MAX_QUEUES; n++)
            BUG_ON(q->tail[n] != 0 && (!q->control || !fifo_word(f, q->tail[n]) || !evtchn_find(t, q->tail[n])));   /* I3 */
    }
    BUG_ON((evtchn_fifo(t) == f) != (controls != 0) || (f->pages != 0 && controls == 0));                          /* I2 */
}
