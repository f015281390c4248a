/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fifo.c - the FIFO ABI: an event is a word, pending ones are linked into a queue of its vCPU and priority
 *
 * ABI: event_channel.h event_word_t, evtchn_fifo_control_block. A queue is a list through the LINK fields from
 * control->head; the guest takes events off the front, we append behind the tail, which only we know:
 *
 *   raise    set PENDING. Masked, or LINKED already: done. Else set LINKED, and
 *   append   if the tail is still LINKED, write our port into its LINK: the guest will come by. If it is not, the guest has
 *            taken it, so the queue is empty: our port is the head, and the queue's ready bit tells the guest to look.
 *   take     (the guest) in one exchange clears LINKED and LINK and learns the next port: from then on we see an empty queue.
 *
 * So the tail's LINK is written by an exchange that demands LINKED. Besides taking it, an honest guest may clear PENDING or
 * set MASKED meanwhile, each once, because PENDING is not set again while we hold the lock; unmasking it waits for BUSY,
 * which we set after the first failure. Hence LINK_TRIES are more than an honest guest can make fail. When they
 * do not suffice the event stays pending, off the queue: it is the guest's own.
 *
 * A port can change vCPU or priority while it is linked. It stays in its old queue until the guest takes it, and is the
 * tail of that one as long as it was the last there: queue_vcpu and queue_priority say which that is.
 *
 * Nothing that the guest writes leads us anywhere: links and heads are only written here, never followed, and every word is
 * read once by the operation that judges it.
 */
#include "event/fifo.h"

#include "machine.h"
#include "mm/dirty_log.h"

#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED  (1u << EVTCHN_FIFO_MASKED)
#define LINKED  (1u << EVTCHN_FIFO_LINKED)
#define BUSY    (1u << EVTCHN_FIFO_BUSY)
#define LINK_TRIES 8

static event_word_t word_set(event_word_t *w, uint32_t bits) { return __atomic_fetch_or(w, bits, __ATOMIC_SEQ_CST); }
static event_word_t word_clear(event_word_t *w, uint32_t bits) { return __atomic_fetch_and(w, ~bits, __ATOMIC_SEQ_CST); }
static event_word_t word_read(const event_word_t *w) { return __atomic_load_n(w, __ATOMIC_SEQ_CST); }

/* We wrote to the guest's page that @p is in. */
static void written(struct domain *d, const void *p) { dirty_log_mark(d, ptr_frame(p)); }

enum appended { APPENDED, QUEUE_EMPTY, REFUSED };

static enum appended append(event_word_t *tail, uint32_t port)
{
    event_word_t w = word_read(tail);
    bool busy = false;

    for (unsigned try = 0; try < LINK_TRIES; try++) {
        if (!(w & LINKED)) {
            if (busy)
                word_clear(tail, BUSY);
            return QUEUE_EMPTY;
        }
        const event_word_t linked = (w & ~(BUSY | (uint32_t)EVTCHN_FIFO_LINK_MASK)) | port;
        if (__atomic_compare_exchange_n(tail, &w, linked, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return APPENDED;                            /* and no longer BUSY */
        if (!busy)
            w = word_set(tail, BUSY) | BUSY;
        busy = true;
    }
    word_clear(tail, BUSY);
    return REFUSED;
}

/* Lock held; @port is pending. Link it if it can be. Returns the vCPU that must be told, or NULL. */
static struct vcpu *enqueue(struct domain *d, struct evtchn_fifo *f, uint32_t port, struct evtchn *c, event_word_t *word)
{
    const unsigned id = atomic_load_explicit(&c->vcpu, memory_order_relaxed);
    const unsigned priority = atomic_load_explicit(&c->priority, memory_order_relaxed);
    struct fifo_vcpu *q = &f->vcpu[id], *old = &f->vcpu[c->queue_vcpu];
    enum appended how = QUEUE_EMPTY;

    /* No control block: as if masked. The guest unmasks by hypercall when it has one. */
    if (!q->control || (word_read(word) & MASKED) || (word_set(word, LINKED) & LINKED))
        return NULL;
    if (old->tail[c->queue_priority] == port)
        old->tail[c->queue_priority] = 0;               /* it was not linked: nothing follows it, the queue is empty */

    if (q->tail[priority] != 0) {
        event_word_t *tail = fifo_word(f, q->tail[priority]);
        how = append(tail, port);
        written(d, tail);
    }
    if (how == REFUSED) {
        word_clear(word, LINKED);
        return NULL;
    }
    q->tail[priority] = port;
    c->queue_vcpu = (uint16_t)id;
    c->queue_priority = (uint8_t)priority;
    if (how == APPENDED)
        return NULL;

    __atomic_store_n(&q->control->head[priority], port, __ATOMIC_RELEASE);
    const bool was_ready = __atomic_fetch_or(&q->control->ready, 1u << priority, __ATOMIC_SEQ_CST) & 1u << priority;
    written(d, q->control);
    return was_ready ? NULL : domain_vcpu(d, id);
}

bool fifo_raise(struct domain *d, struct evtchn_fifo *f, uint32_t port, struct evtchn *c)
{
    struct vcpu *told = NULL;
    bool fresh;
    const unsigned long flags = spin_lock_irq(&f->lock);
    event_word_t *word = fifo_word(f, port);

    if (word) {
        fresh = !(word_set(word, PENDING) & PENDING);
        told = enqueue(d, f, port, c, word);
        written(d, word);
    } else {
        fresh = !c->early;
        c->early = true;
    }
    spin_unlock_irq(&f->lock, flags);
    if (told)
        evtchn_upcall(told);
    return fresh;
}

void fifo_unmask(struct domain *d, struct evtchn_fifo *f, uint32_t port, struct evtchn *c)
{
    struct vcpu *told = NULL;
    const unsigned long flags = spin_lock_irq(&f->lock);
    event_word_t *word = fifo_word(f, port);

    if (word) {
        if (word_clear(word, MASKED) & PENDING)
            told = enqueue(d, f, port, c, word);
        written(d, word);
    }
    spin_unlock_irq(&f->lock, flags);
    if (told)
        evtchn_upcall(told);
}

bool fifo_pending(struct evtchn_fifo *f, uint32_t port, const struct evtchn *c)
{
    const unsigned long flags = spin_lock_irq(&f->lock);
    const event_word_t *word = fifo_word(f, port);
    const bool pending = word ? word_read(word) & PENDING : c->early;

    spin_unlock_irq(&f->lock, flags);
    return pending;
}

static bool has(struct evtchn_fifo *f, uint32_t port, uint32_t bit, bool without_word)
{
    const unsigned long flags = spin_lock_irq(&f->lock);
    const event_word_t *word = fifo_word(f, port);
    const bool is = word ? word_read(word) & bit : without_word;

    spin_unlock_irq(&f->lock, flags);
    return is;
}

bool fifo_masked(struct evtchn_fifo *f, uint32_t port) { return has(f, port, MASKED, true); }
bool fifo_linked(struct evtchn_fifo *f, uint32_t port) { return has(f, port, LINKED, false); }

void fifo_clear(struct domain *d, struct evtchn_fifo *f, uint32_t port, struct evtchn *c)
{
    const unsigned long flags = spin_lock_irq(&f->lock);
    event_word_t *word = fifo_word(f, port);

    c->early = false;
    if (word) {
        word_clear(word, PENDING);                      /* ABI: the guest takes it off the queue and finds nothing */
        written(d, word);
    }
    spin_unlock_irq(&f->lock, flags);
}
