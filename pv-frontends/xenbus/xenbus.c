/* SPDX-License-Identifier: MIT */
/* The device state machine; owns the watch on the back end's state (token = the front's path). */
#include "xenbus.h"

static int write_number(struct xenbus_device *dev, uint32_t tx, const char *key, uint64_t value)
{
    char path[XS_TEXT], text[24];

    if (!xs_join(path, sizeof(path), dev->front, key))
        return -XEN_ENOSPC;
    xs_print_number(text, value);
    return xs_write(dev->xs, tx, path, text);
}

static int write_key(struct xenbus_device *dev, uint32_t tx, const struct xenbus_key *key)
{
    char path[XS_TEXT];

    if (key->text == NULL)
        return write_number(dev, tx, key->path, key->number);
    if (!xs_join(path, sizeof(path), dev->front, key->path))
        return -XEN_ENOSPC;
    return xs_write(dev->xs, tx, path, key->text);
}

XenbusState xenbus_back_state(struct xenbus_device *dev)
{
    return (XenbusState)xenbus_back_number(dev, "state", XenbusStateUnknown, XenbusStateReconfigured);
}

uint64_t xenbus_back_number(struct xenbus_device *dev, const char *key, uint64_t otherwise, uint64_t max)
{
    uint64_t value;

    return xs_read_number(dev->xs, dev->back, key, &value) == 0 && value <= max ? value : otherwise;
}

/* Wait until the back end is in a state of @mask; closing while we wait for something else is final. */
static int wait_for_back(struct xenbus_device *dev, unsigned mask)
{
    uint64_t give_up = pv_now() + XENBUS_TIMEOUT;
    const unsigned gone = 1U << XenbusStateClosing | 1U << XenbusStateClosed;

    for (;;) {
        XenbusState state = xenbus_back_state(dev);
        struct xs_event event;

        if (mask & (1U << state))
            return 0;
        if ((gone & (1U << state)) && !(mask & gone))
            return -XEN_ENOTCONN;
        /* Any event will do: we look at the state itself. A lost one costs a tenth of a second. */
        int rc = xs_next_event(dev->xs, &event, pv_now() + 100000000);
        if (rc == -XEN_EIO)
            return rc;
        if (pv_now() > give_up)
            return -XEN_ETIMEDOUT;
    }
}

int xenbus_open(struct xenbus_device *dev, struct xs *xs, const char *type, unsigned id)
{
    char number[24], base[XS_TEXT];
    uint64_t domid;
    int rc;

    memset(dev, 0, sizeof(*dev));
    dev->xs = xs;
    xs_print_number(number, id);
    if (!xs_join(base, sizeof(base), "device", type) || !xs_join(dev->front, sizeof(dev->front), base, number) ||
        !xs_join(base, sizeof(base), dev->front, "backend"))
        return -XEN_ENOSPC;
    rc = xs_read(xs, 0, base, dev->back, sizeof(dev->back));
    if (rc < 0)
        return rc;
    rc = xs_read_number(xs, dev->front, "backend-id", &domid);
    if (rc < 0)
        return rc;
    if (domid >= DOMID_FIRST_RESERVED)
        return -XEN_EINVAL;
    dev->back_domid = (domid_t)domid;
    if (!xs_join(base, sizeof(base), dev->back, "state"))
        return -XEN_ENOSPC;
    rc = xs_watch(xs, base, dev->front);
    if (rc < 0 && rc != -XEN_EEXIST)
        return rc;
    rc = xenbus_set_state(dev, XenbusStateInitialising);
    if (rc == 0)
        rc = wait_for_back(dev, 1U << XenbusStateInitWait | 1U << XenbusStateInitialised | 1U << XenbusStateConnected);
    return rc;
}

int xenbus_set_state(struct xenbus_device *dev, XenbusState state)
{
    int rc = write_number(dev, 0, "state", (uint64_t)state);

    if (rc == 0)
        dev->state = state;
    return rc;
}

int xenbus_connect(struct xenbus_device *dev, const struct xenbus_key *keys, unsigned n, XenbusState state)
{
    int rc;

    for (unsigned tries = 0; tries < 16; tries++) {
        uint32_t tx;

        rc = xs_transaction_start(dev->xs, &tx);
        if (rc != 0)
            return rc;
        for (unsigned i = 0; rc == 0 && i < n; i++)
            rc = write_key(dev, tx, &keys[i]);
        if (rc == 0)
            rc = write_number(dev, tx, "state", (uint64_t)state);
        if (rc != 0) {
            xs_transaction_end(dev->xs, tx, false);
            return rc;
        }
        rc = xs_transaction_end(dev->xs, tx, true);
        if (rc != -XEN_EAGAIN)
            break;
    }
    if (rc != 0)
        return rc;
    dev->state = state;
    return wait_for_back(dev, 1U << XenbusStateConnected);
}

int xenbus_close(struct xenbus_device *dev)
{
    char path[XS_TEXT];
    int rc;

    xenbus_set_state(dev, XenbusStateClosing);
    rc = wait_for_back(dev, 1U << XenbusStateClosing | 1U << XenbusStateClosed | 1U << XenbusStateUnknown |
                            1U << XenbusStateInitWait);
    xenbus_set_state(dev, XenbusStateClosed);
    if (rc == 0)
        rc = wait_for_back(dev, 1U << XenbusStateClosed | 1U << XenbusStateUnknown | 1U << XenbusStateInitWait);
    if (xs_join(path, sizeof(path), dev->back, "state"))
        xs_unwatch(dev->xs, path, dev->front);
    return rc;
}
