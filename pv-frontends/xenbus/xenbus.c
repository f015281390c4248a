/* SPDX-License-Identifier: MIT */
/* The device state machine; owns the watch on the back end's state (token = the front's path). */
#include "xenbus.h"

static struct store_io io_of(const struct xenbus_device *dev, uint32_t tx)
{
    return (struct store_io){ dev->xs, tx };
}

static int write_state(struct xenbus_device *dev, uint32_t tx, XenbusState state)
{
    struct store_io io = io_of(dev, tx);

    return store_put_dev_fe_state(&io, STORE_SELF, dev->type, dev->id, (uint64_t)state);
}

static int write_key(struct xenbus_device *dev, uint32_t tx, const struct xenbus_key *key)
{
    const struct store_arg args[] = { store_n(STORE_SELF), store_n(dev->id), store_n(key->queue) };
    struct store_io io = io_of(dev, tx);

    return store_put_num(&io, key->id, args, store_paths[key->id].nargs, key->value);
}

XenbusState xenbus_back_state(struct xenbus_device *dev)
{
    return (XenbusState)xenbus_back_number(dev, STORE_DEV_BE_STATE, XenbusStateUnknown, XenbusStateReconfigured);
}

uint64_t xenbus_back_number(struct xenbus_device *dev, enum store_id key, uint64_t otherwise, uint64_t max)
{
    char path[XS_TEXT], text[32];
    uint64_t value;
    int len = store_below(path, sizeof(path), dev->back, key);

    if (len > 0)
        len = xs_read(dev->xs, 0, path, text, sizeof(text));
    if (len <= 0 || store_value_uint(store_paths[key].type, text, (size_t)len, &value) || value > max)
        return otherwise;
    return value;
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
    char state[XS_TEXT];
    uint64_t domid;
    struct store_io io = { xs, 0 };
    int rc;

    memset(dev, 0, sizeof(*dev));
    dev->xs = xs;
    dev->type = type;
    dev->id = id;
    rc = store_path_dev_fe(dev->front, sizeof(dev->front), STORE_SELF, type, id);
    if (rc > 0)
        rc = store_get_dev_fe_backend(&io, STORE_SELF, type, id, dev->back, sizeof(dev->back));
    if (rc >= 0)
        rc = store_get_dev_fe_backend_id(&io, STORE_SELF, type, id, &domid);
    if (rc != 0)
        return rc;
    dev->back_domid = (domid_t)domid;
    rc = store_below(state, sizeof(state), dev->back, STORE_DEV_BE_STATE);
    if (rc > 0)
        rc = xs_watch(xs, state, dev->front);
    if (rc < 0 && rc != -XEN_EEXIST)
        return rc;
    rc = xenbus_set_state(dev, XenbusStateInitialising);
    if (rc == 0)
        rc = wait_for_back(dev, 1U << XenbusStateInitWait | 1U << XenbusStateInitialised | 1U << XenbusStateConnected);
    return rc;
}

int xenbus_set_state(struct xenbus_device *dev, XenbusState state)
{
    int rc = write_state(dev, 0, state);

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
            rc = write_state(dev, tx, state);
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
    if (store_below(path, sizeof(path), dev->back, STORE_DEV_BE_STATE) > 0)
        xs_unwatch(dev->xs, path, dev->front);
    return rc;
}
