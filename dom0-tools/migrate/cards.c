/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cards.c - what comes for a guest while it is on its way (guest.h: guest_hold and what follows it; cards.h)
 *
 *   the source keeps, from the suspend on              guest_keep()
 *   the target keeps, and says that it is there        guest_keep(), guest_announce()
 *   the source sends what it has, behind COMMIT        guest_kept()
 *   the target has it                                  guest_frames()
 *   the guest has connected: all of it is delivered    guest_arrived()
 *
 * So a frame is kept by the host that the network sent it to, and what came first is delivered first.
 */
#include <endian.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../devices/device.h"
#include "../lib/create.h"
#include "cards.h"
#include "guest.h"

#define DELIVER_MS 5000
#define DELIVER_LOOK_US 5000

struct guest_hold {
    pthread_t thread;
    bool arrived;
    pthread_mutex_t lock;
    uint8_t *early;                     /* the source's frames; under the lock */
    size_t early_bytes;
    unsigned n;
    struct vif_hold card[];
};

struct guest_hold *guest_hold(const struct vane_config *cfg, const struct migrate_record *r)
{
    struct guest_hold *h = r->paused ? NULL : calloc(1, sizeof(*h) + cfg->n_nics * sizeof(h->card[0]));

    if (!h)
        return NULL;
    pthread_mutex_init(&h->lock, NULL);
    for (unsigned i = 0; i < cfg->n_nics; i++)
        h->n += vif_hold(r->domid, &cfg->nics[i], &cfg->uuid, &h->card[h->n]);
    return h;
}

struct guest_hold *guest_hold_own(struct vane *v, const struct migrate_record *r)
{
    struct vane_dom d = { .domid = r->domid, .uuid = r->guest };
    struct guest_hold *h = NULL;
    struct vane_config *cfg;

    snprintf(d.name, sizeof(d.name), "%s", r->name);
    if (vane_config_recorded(v, &d, &cfg) == 0) {
        cfg->uuid = r->guest;
        h = guest_hold(cfg, r);
        vane_config_free(cfg);
    }
    return h;
}

void guest_keep(struct guest_hold *h)
{
    for (unsigned i = 0; h && i < h->n; i++)
        vif_keep(&h->card[i]);
}

void guest_announce(struct guest_hold *h)
{
    for (unsigned i = 0; h && i < h->n; i++)
        vif_announce(&h->card[i]);
}

size_t guest_kept(struct guest_hold *h, uint8_t *to, size_t room)
{
    size_t used = 0;

    for (unsigned i = 0; h && i < h->n; i++)
        used += vif_kept(&h->card[i], to + used, room - used);
    return used;
}

void guest_frames(struct guest_hold *h, const uint8_t *bytes, size_t n)
{
    if (!h)
        return;
    pthread_mutex_lock(&h->lock);
    free(h->early);
    h->early = malloc(n);
    h->early_bytes = h->early ? n : 0;
    if (h->early)
        memcpy(h->early, bytes, n);
    pthread_mutex_unlock(&h->lock);
}

/*
 * What the source kept for this card, if it could have been kept here: its rules are not these. Bytes that are no frames
 * end it: nothing depends on them.
 */
static void give_early(struct guest_hold *h, struct vif_hold *card)
{
    struct vif_frame f;

    if (!card->may_keep)
        return;
    pthread_mutex_lock(&h->lock);
    for (size_t at = 0; h->early_bytes - at >= sizeof(f);) {
        memcpy(&f, h->early + at, sizeof(f));
        f.length = le16toh(f.length);
        at += sizeof(f);
        if (f.length > h->early_bytes - at)
            break;
        if (memcmp(f.mac, card->mac, sizeof(f.mac)) == 0)
            vif_give(card, h->early + at, f.length);
        at += f.length;
    }
    pthread_mutex_unlock(&h->lock);
}

static void *deliver_thread(void *arg)
{
    struct guest_hold *h = arg;
    int64_t end = vane_now_ms() + DELIVER_MS;
    unsigned left = h->n;

    while (left > 0 && vane_now_ms() < end) {
        for (unsigned i = 0; i < left;) {
            if (vif_is_awake(&h->card[i])) {
                give_early(h, &h->card[i]);
                vif_deliver(&h->card[i]);
                vif_hold_end(&h->card[i]);
                h->card[i] = h->card[--left];
            } else {
                i++;
            }
        }
        usleep(DELIVER_LOOK_US);
    }
    h->n = left;
    return NULL;
}

void guest_arrived(struct guest_hold *h)
{
    if (!h || h->arrived)
        return;
    guest_announce(h);                  /* again: switches may have heard the source's last frames since */
    h->arrived = pthread_create(&h->thread, NULL, deliver_thread, h) == 0;
}

void guest_hold_end(struct guest_hold *h)
{
    if (!h)
        return;
    if (h->arrived)
        pthread_join(h->thread, NULL);
    for (unsigned i = 0; i < h->n; i++)
        vif_hold_end(&h->card[i]);
    pthread_mutex_destroy(&h->lock);
    free(h->early);
    free(h);
}

void cards_stay(struct vane *v, const struct vane_dom *d)
{
    const struct migrate_record here = { .domid = d->domid, .guest = d->uuid };
    struct guest_hold *h = guest_hold_own(v, &here);

    guest_announce(h);
    for (unsigned i = 0; h && i < h->n; i++)
        vif_is_here(&h->card[i]);
    guest_hold_end(h);
}
