/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device.h - split devices: what every kind has in common, and the kinds
 *
 * A device is three XenStore directories: the front end's (the guest owns it), the back end's (Dom0's,
 * readable by the guest) and /libxl/N/device/KIND/DEV (Dom0's alone). Decisions read the last two
 * only (H111). All nodes of a device appear in one transaction. Each has a reader: Linux's drivers,
 * Xen's hotplug scripts, or libxl, so that either tool can manage the other's devices.
 *
 * Adding has three phases: *_open() touches Dom0 only and needs no domain; *_store() writes nodes
 * inside the caller's transaction, who knows that there is no such device yet; *_finish() waits for the back end and completes it. Whoever fails
 * in between calls dev_remove().
 */
#ifndef VANE_DEVICE_H
#define VANE_DEVICE_H

#include <sys/types.h>

#include "../config/config.h"
#include "../lib/store.h"

/* Limits users feel. A back end whose driver is loaded may take its time on a busy host; without one none will come. */
#define DEV_INIT_MS 60000
#define DEV_NO_DRIVER_MS 10000
#define DEV_DESTROY_MS 10000
#define DEV_HOTPLUG_MS 40000

struct dev {
    uint32_t domid;
    const char *kind;       /* "vbd", "vif", ...: a word of the schema's devkind */
    uint32_t number;
};

/* ---- any kind ---- */

/* Devices of a domain, from /libxl: *@out malloc'ed, kinds are static strings. Returns the count. */
int dev_list(struct store_io *io, uint32_t domid, struct dev **out) MUST_CHECK;
/* Path of its back end, from /libxl. */
bool dev_backend_path(struct store_io *io, const struct dev *d, char path[STORE_PATH_MAX]);
/* Wait until the back end says that it is ready (InitWait or further). */
int dev_wait_backend(struct vane *v, const struct dev *d) MUST_CHECK;
/* Wait until @done(@d, @arg), which looks at what the kernel shows; an error, with the back end's own, says it did not do @what. */
int dev_wait_kernel(struct vane *v, const struct dev *d, bool (*done)(const struct dev *d, const char *arg),
                    const char *arg, const char *what) MUST_CHECK;
/* Whether its back end is in no driver's hands: nobody answers there (vbd_release). */
bool dev_is_unbound(const struct dev *d);
/* Whether the kernel shows every back end of the domain as connected; true when there is none. */
bool dev_all_connected(uint32_t domid);
/* Whether a directory with this device exists. */
bool dev_exists(struct store_io *io, const struct dev *d);

/*
 * Ask for removal and wait. @force: the guest need not agree (it is gone, or must be).
 * -EBUSY: the guest holds on to it; the device stays as it was.
 */
int dev_remove(struct vane *v, const struct dev *d, bool force) MUST_CHECK;
/* All devices of a domain that is going away, in parallel; front ends go with its home. Errors are logged. */
void dev_remove_all(struct vane *v, uint32_t domid);

/* ---- disks ---- */
struct vbd {
    const struct vane_disk *d;
    int fd;                 /* keeps the loop device until the back end has it; -1 none */
    dev_t rdev;             /* what the back end opens; 0 with script= */
    dev_t file_dev;         /* identity of the image, for the sharing check */
    ino_t file_ino;
    char node[64];          /* /dev/loop0 */
    bool server;            /* a qemu-nbd that the back end has not taken yet */
    uint32_t domid;
};
enum vbd_how {
    VBD_LOOK,               /* see that it is there; vbd_store() then leaves out what the back end opens */
    VBD_MAKE,               /* make a block device of it */
    VBD_AGAIN,              /* the same, for a disk that has its nodes */
};
int vbd_open(struct vane *v, uint32_t domid, const struct vane_disk *d, enum vbd_how how, struct vbd *out)
    MUST_CHECK;
/* Give up what the back end has not taken over. */
void vbd_close(struct vane *v, struct vbd *b);
/* Refuses an image that another device has writable, or has at all when this one is writable. */
int vbd_store(struct vane *v, struct store_io *io, uint32_t domid, const struct vbd *b) MUST_CHECK;
int vbd_finish(struct vane *v, uint32_t domid, struct vbd *b) MUST_CHECK;
/* The node that makes the back end open the image. */
void vbd_put_image(struct store_io *io, uint32_t domid, const struct vbd *b);
/* Whether the back end has the image open. */
bool vbd_is_open(const struct dev *d);

/* ---- vbd_move.c: a disk that changes hosts ---- */
/*
 * Flush it and take it from its back end, behind the back of a guest that stands still and has no request under way;
 * nothing to do where it is not open.
 */
int vbd_release(struct vane *v, const struct dev *d) MUST_CHECK;
/* Give it (back) to its back end; nothing to do where it is open. */
int vbd_reopen(struct vane *v, uint32_t domid, const struct vane_disk *disk) MUST_CHECK;

/* ---- nbd.c: images that qemu-nbd serves ---- */
/* Serve the image of @d as @node; @again: for a disk that has its nodes. */
int nbd_attach(struct vane *v, uint32_t domid, const struct vane_disk *d, bool again, char node[64]) MUST_CHECK;
/* End the servers of those devices for which @which(device, @arg) holds. */
typedef bool nbd_which(const struct dev *d, const void *arg);
nbd_which nbd_is;           /* @arg: a struct dev */
nbd_which nbd_of_domain;    /* @arg: its uint32_t number */
void nbd_detach(struct vane *v, nbd_which *which, const void *arg);

/* ---- network interfaces ---- */
/* @uuid gives a card without mac= a stable address. */
int vif_store(struct vane *v, struct store_io *io, uint32_t domid, const struct vane_nic *n,
              const struct vane_uuid *uuid) MUST_CHECK;
int vif_finish(struct vane *v, uint32_t domid, const struct vane_nic *n) MUST_CHECK;
void vif_mac(const struct vane_nic *n, const struct vane_uuid *uuid, uint8_t mac[6]);
/* Its interface in Dom0, once it is finished. */
void vif_name(char out[32], uint32_t domid, const struct vane_nic *n);

/* ---- vif_move.c: a card that changes hosts ---- */
struct vif_hold {
    char name[32];          /* its interface */
    uint8_t mac[6];
    unsigned index;         /* the bridge's */
    bool may_keep, keeps;   /* false: this host's bridge decides by more than addresses, so nothing is kept */
    int bridge, card;       /* packet sockets */
    int64_t connected;      /* since when, vane_now_ms(); 0: it is not yet */
};
/* A frame on its way from host to host: this, then the frame as packet sockets give it (little endian). */
struct vif_frame {
    uint8_t mac[6];         /* the card's */
    uint16_t length;
};
/*
 * Prepare for what may come to this host for the card while its guest stands still. False: there is nothing to be done for
 * it (it is on no bridge of Linux), *@h is closed. No XenStore: this is in the guest's way, as all that follows.
 */
bool vif_hold(uint32_t domid, const struct vane_nic *n, const struct vane_uuid *uuid, struct vif_hold *h) MUST_CHECK;
/* From now on what comes is kept. */
void vif_keep(struct vif_hold *h);
/* Tell the network's switches where the card's address is now (a reverse ARP request, as other hypervisors send), */
void vif_announce(const struct vif_hold *h);
/* and this host's bridge, which believes what it heard last. */
void vif_is_here(const struct vif_hold *h);
/* Whether the guest has connected its card here, and listens. */
bool vif_is_awake(struct vif_hold *h);
/* Give the card what was kept, and keep no more; one frame (struct vif_frame's). */
void vif_deliver(struct vif_hold *h);
void vif_give(struct vif_hold *h, const uint8_t *frame, size_t n);
/* What was kept, as struct vif_frame and frame by turns, as much as there is @room for; and keep no more. Returns the bytes. */
size_t vif_kept(struct vif_hold *h, uint8_t *to, size_t room);
void vif_hold_end(struct vif_hold *h);

/* ---- console ---- */
void console_store(struct store_io *io, uint32_t domid, const char *type, uint32_t port,
                   uint64_t mfn);

/* ---- hotplug.c: scripts, with the environment protocol of Xen's hotplug scripts ---- */
int hotplug_run(struct vane *v, const struct dev *d, const char *script, const char *vif,
                const char *const *args) MUST_CHECK;

/* ---- netlink.c ---- */
/* Rename (if @name differs), set the mtu (if not 0), join @bridge (if not NULL) and set up. */
int net_setup(struct vane *v, const char *old, const char *name, unsigned mtu, const char *bridge)
    MUST_CHECK;
bool net_exists(const char *name);
/* Have the bridge of @port look for this address there, as if a frame had come from it. 0 or -errno, nothing recorded. */
int net_port_has(const char *port, const uint8_t mac[6]) MUST_CHECK;
/* Whether a firewall may look at frames between ports of a bridge: ebtables, iptables (br_netfilter) or nftables. */
bool net_bridged_is_filtered(void);

#endif
