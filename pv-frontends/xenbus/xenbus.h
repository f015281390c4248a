/* SPDX-License-Identifier: MIT */
/*
 * xenbus.h - bringing a split device up and down: one state machine for every driver
 *
 *   open:     read the back end's domain and path (they are given once; a back end that changes them later is
 *             ignored), watch its state, wait for InitWait
 *   connect:  write the keys of the driver in one transaction with our state, wait for Connected
 *   close:    Closing, Closed, and wait until the back end let go
 *
 * Every wait has a limit. The back end's keys are hints from another domain: numbers are range-checked by the
 * driver that reads them.
 */
#ifndef PV_XENBUS_H
#define PV_XENBUS_H

#include "grants.h"
#include "xs_store.h"
#include <xen/io/xenbus.h>

#define XENBUS_TIMEOUT 20000000000UL

struct xenbus_device {
    struct xs *xs;
    const char *type;                   /* the caller's: "vbd", "vif" */
    unsigned id;
    char front[XS_TEXT];                /* device/<type>/<id> */
    char back[XS_TEXT];
    domid_t back_domid;
    XenbusState state;                  /* ours, as last written */
};

/* A key a driver publishes: a path of the schema (STORE_VBD_FE_...), and a number or an enumerated type's word. */
struct xenbus_key {
    enum store_id id;
    uint64_t value;
    unsigned queue;                     /* for paths with a queue's number */
};

/* Look @type/@id up and wait for its back end: 0, -ENOENT when there is no such device, -ETIMEDOUT, -EIO,
 * -ENOTCONN when the back end is closing. */
int xenbus_open(struct xenbus_device *dev, struct xs *xs, const char *type, unsigned id);
/* Publish @keys, enter @state (Initialised or Connected) and wait until the back end is connected. */
int xenbus_connect(struct xenbus_device *dev, const struct xenbus_key *keys, unsigned n, XenbusState state);
int xenbus_set_state(struct xenbus_device *dev, XenbusState state);
XenbusState xenbus_back_state(struct xenbus_device *dev);
/* A number of the back end (STORE_VBD_BE_...), or @otherwise when it is absent, no value of its type or above
 * @max. */
uint64_t xenbus_back_number(struct xenbus_device *dev, enum store_id key, uint64_t otherwise, uint64_t max);
/* Tell the back end we go and wait for it: 0, or -ETIMEDOUT (then its grants may still be in use). */
int xenbus_close(struct xenbus_device *dev);

#endif
