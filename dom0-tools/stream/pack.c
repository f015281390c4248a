/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pack.c - batches of pages compressed by worker threads, written in order
 *
 * A ring of slots. The caller fills them in order (head) and writes them in order (tail); workers take
 * the next filled one. A slot belongs to the caller before FILLED and from DONE on, else to the workers.
 *
 *   I1  states change under the lock only; a slot's buffers are touched by its owner only.
 *   I2  tail <= next <= head <= tail + slots: what waits is bounded.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "pack.h"

#define MAX_WORKERS 4u

enum slot_state { UNUSED, FILLED, BUSY, DONE };

struct slot {
    enum slot_state state;
    uint8_t *raw, *packed;
    size_t raw_len, packed_len;         /* packed_len 0: out of memory */
};

struct pack {
    struct stream_out *out;
    uint32_t codec;
    int level;
    unsigned n_slots, n_workers;
    size_t room;
    struct slot slot[2 * MAX_WORKERS];
    pthread_t worker[MAX_WORKERS];
    pthread_mutex_t lock;
    pthread_cond_t filled, done;
    /* under lock; counted without end, slot = number % n_slots */
    uint64_t head, next, tail;
    bool stop;
};

static void *work(void *arg)
{
    struct pack *p = arg;
    struct packer *packer = packer_new(p->codec, p->level);

    pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        struct slot *s;

        if (p->next == p->head) {
            pthread_cond_wait(&p->filled, &p->lock);
            continue;
        }
        s = &p->slot[p->next++ % p->n_slots];
        s->state = BUSY;
        pthread_mutex_unlock(&p->lock);
        s->packed_len = packer ? packer_pack(packer, s->packed, p->room, s->raw, s->raw_len) : 0;
        pthread_mutex_lock(&p->lock);
        s->state = DONE;
        pthread_cond_signal(&p->done);
    }
    pthread_mutex_unlock(&p->lock);
    packer_free(packer);
    return NULL;
}

static int start(struct pack *p, unsigned workers)
{
    struct packer *probe = packer_new(p->codec, p->level);

    if (!probe)
        return -ENOMEM;
    p->room = packer_bound(probe, BATCH_BYTES);
    packer_free(probe);
    p->n_slots = 2 * workers;
    for (unsigned i = 0; i < p->n_slots; i++) {
        p->slot[i].raw = malloc(BATCH_BYTES);
        p->slot[i].packed = malloc(p->room);
        if (!p->slot[i].raw || !p->slot[i].packed)
            return -ENOMEM;
    }
    while (p->n_workers < workers) {
        if (pthread_create(&p->worker[p->n_workers], NULL, work, p) != 0)
            break;
        p->n_workers++;
    }
    return p->n_workers ? 0 : -EAGAIN;
}

struct pack *pack_new(struct stream_out *out, uint32_t codec, int level, unsigned workers)
{
    struct pack *p = calloc(1, sizeof(*p));
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int rc = p ? 0 : -ENOMEM;

    if (workers == 0)
        workers = cpus > 0 ? (unsigned)cpus : 1;
    if (p) {
        *p = (struct pack){ .out = out, .codec = codec, .level = level };
        pthread_mutex_init(&p->lock, NULL);
        pthread_cond_init(&p->filled, NULL);
        pthread_cond_init(&p->done, NULL);
        rc = start(p, workers < MAX_WORKERS ? workers : MAX_WORKERS);
    }
    if (rc < 0) {
        vane_fail(out->v, rc, "--compress=none needs less", "cannot start the compression");
        pack_free(p);
        return NULL;
    }
    return p;
}

void pack_free(struct pack *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->filled);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->n_workers; i++)
        pthread_join(p->worker[i], NULL);
    for (unsigned i = 0; i < p->n_slots; i++) {
        free(p->slot[i].raw);
        free(p->slot[i].packed);
    }
    pthread_cond_destroy(&p->filled);
    pthread_cond_destroy(&p->done);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* Wait for the oldest batch and write it. */
static int write_oldest(struct pack *p)
{
    struct slot *s = &p->slot[p->tail % p->n_slots];
    struct rec_packed h = { p->codec, 0 };
    struct iovec part[2] = { { &h, sizeof(h) }, { NULL, 0 } };
    int rc;

    pthread_mutex_lock(&p->lock);
    while (s->state != DONE)
        pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
    h.raw_length = (uint32_t)s->raw_len;
    part[1] = (struct iovec){ s->packed, s->packed_len };
    if (s->packed_len == 0)
        return vane_fail(p->out->v, -ENOMEM, "--compress=none needs less", "out of memory");
    rc = out_record(p->out, REC_VANE_PACKED, part, 2);
    if (rc == 0)
        rc = out_checksum(p->out);
    p->tail++;
    return rc;
}

uint8_t *pack_room(struct pack *p)
{
    while (p->head - p->tail == p->n_slots) {                                       /* I2 */
        if (write_oldest(p) < 0)
            return NULL;
    }
    return p->slot[p->head % p->n_slots].raw;
}

void pack_submit(struct pack *p, size_t n)
{
    struct slot *s = &p->slot[p->head % p->n_slots];

    s->raw_len = n;
    pthread_mutex_lock(&p->lock);
    s->state = FILLED;
    p->head++;
    pthread_cond_signal(&p->filled);
    pthread_mutex_unlock(&p->lock);
}

int pack_flush(struct pack *p)
{
    int rc = 0;

    while (rc == 0 && p->tail != p->head)
        rc = write_oldest(p);
    return rc;
}
