/* SPDX-License-Identifier: MIT */
/*
 * netfront.h - a PV network interface
 *
 * Frames go out by copy into pages that stay granted (each slot owns one), and come in the same way: the back
 * end copies into pages we posted, we hand them to the caller's function before posting them again. A queue
 * belongs to one thread of control.
 *
 *   N1  offset + size of what arrives lie within one page, and the chain of slots of one frame within what was
 *       posted; a frame that breaks this is dropped, a slot that was not posted breaks the ring.
 *   N2  transmit ids are matched to slots under way, once.
 *   N3  what the caller is given is a copy: the back end can still write to the page it came in.
 *
 * ABI: io/netif.h. Received frames may come in several slots and with extra info: gso and checksum flags are
 * handed on, not undone.
 */
#ifndef PV_NETFRONT_H
#define PV_NETFRONT_H

#include "ring.h"
#include "xenbus.h"
#include <xen/io/netif.h>

#define NET_QUEUES 4
#define NET_TX_SLOTS 256U
#define NET_RX_SLOTS 256U
#define NET_FRAME_MAX 65535U

/* What comes with a frame, in either direction. */
struct net_info {
    bool csum_blank;                    /* checksum not filled in (to send: the back end shall) */
    bool csum_good;                     /* known to be right */
    uint8_t gso_type;                   /* XEN_NETIF_GSO_TYPE_, 0 none */
    uint16_t gso_size;
};

/* What the user of an interface wants of it, and can take. */
struct net_wish {
    unsigned queues;                    /* up to NET_QUEUES */
    unsigned slots;                     /* pages in each direction of each queue, 2..256 */
    bool csum;                          /* takes frames whose checksum is not filled in (info.csum_blank) */
    bool gso;                           /* takes TCP segments longer than the MTU (info.gso_size); implies csum */
};

struct net_queue {
    struct pv_ring tx, rx;
    struct pv_ids tx_ids;
    evtchn_port_t port;                 /* one for both directions */
    void *tx_ring, *rx_ring;
    grant_ref_t tx_ref, rx_ref;
    unsigned tx_slots, rx_slots;        /* pages in use of each */
    uint8_t *tx_pages, *rx_pages;
    uint8_t *joined;                    /* room for one frame of several slots */
    grant_ref_t tx_refs[NET_TX_SLOTS], rx_refs[NET_RX_SLOTS];
    uint64_t tx_frames, rx_frames, tx_errors, rx_errors;
};

struct netfront {
    struct xenbus_device bus;
    struct pv_grants *grants;
    struct net_wish wish;
    unsigned id, nr_queues;
    unsigned nr_wired;                  /* queue q stands for queue q % nr_wired: itself, but after some resumes */
    uint8_t mac[6];
    bool sg, gso4, gso6;                /* what the back end takes */
    struct net_queue *queues;
};

/* Called for each frame that came in; @data is the caller's until it returns. */
typedef void (*net_receive_t)(void *arg, unsigned queue, const uint8_t *data, size_t len, const struct net_info *info);

/* Connect vif @id: 0 or -errno; on failure nothing stays granted. */
int netfront_open(struct netfront *n, struct xs *xs, struct pv_grants *grants, unsigned id,
                  const struct net_wish *wish);
/* As blkfront_resume(), but frames that were under way are lost, as on any network; sg and gso may have changed. Beside a
 * back end that takes fewer queues several numbers stand for one queue, which belongs to one thread of control. */
int netfront_resume(struct netfront *n);
/* As blkfront_close(). */
int netfront_close(struct netfront *n);

/* Queue one frame: 0, -ENOSPC (poll and try again), -EINVAL (too long for this back end), -EIO. @info may be NULL. */
int net_send(struct netfront *n, unsigned q, const void *frame, size_t len, const struct net_info *info);
/* Tell the back end about what was queued. */
void net_kick(struct netfront *n, unsigned q);
/* Take what came, at most @budget frames: how many, or -EIO when the back end lied. Buffers are posted again. */
int net_poll(struct netfront *n, unsigned q, unsigned budget, net_receive_t receive, void *arg);

#endif
