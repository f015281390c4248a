/* SPDX-License-Identifier: MIT */
/*
 * The XenStore wire protocol. Owns the ring's front half.
 *
 *   X1  our own indices are kept nowhere else than in the ring, so the daemon can spoil them; every use is bounded
 *       by the ring's size and masked.
 *   X2  a reply is copied out before it is looked at.
 */
#include "xs.h"

static const struct {
    const char *name;
    int number;
} errors[] = {
    { "EINVAL", XEN_EINVAL }, { "EACCES", XEN_EACCES }, { "EEXIST", XEN_EEXIST }, { "EISDIR", XEN_EISDIR },
    { "ENOENT", XEN_ENOENT }, { "ENOMEM", XEN_ENOMEM }, { "ENOSPC", XEN_ENOSPC }, { "EIO", XEN_EIO },
    { "ENOTEMPTY", XEN_ENOTEMPTY }, { "ENOSYS", XEN_ENOSYS }, { "EROFS", XEN_EROFS }, { "EBUSY", XEN_EBUSY },
    { "EAGAIN", XEN_EAGAIN }, { "EISCONN", XEN_EISCONN }, { "E2BIG", XEN_E2BIG }, { "EPERM", XEN_EPERM },
};

void xs_init(struct xs *xs, void *ring, evtchn_port_t port)
{
    memset(xs, 0, sizeof(*xs));
    xs->ring = ring;
    xs->port = port;
}

static int broken(struct xs *xs)
{
    xs->broken = true;
    return -XEN_EIO;
}

/* The daemon is told when the whole message is there, or the ring full: each word to it may cost a switch of domains. */
static int put_bytes(struct xs *xs, const void *data, size_t len, uint64_t give_up)
{
    const char *p = data;

    while (len > 0) {
        uint32_t prod = pv_read_once(xs->ring->req_prod), used = prod - pv_read_once(xs->ring->req_cons);

        if (used > XENSTORE_RING_SIZE)                                  /* X1 */
            return broken(xs);
        if (used == XENSTORE_RING_SIZE) {
            if (pv_now() > give_up)
                return -XEN_ETIMEDOUT;
            pv_evtchn_send(xs->port);
            pv_wait(xs->port, pv_now() + 10000000);
            continue;
        }
        pv_mb();
        for (; used < XENSTORE_RING_SIZE && len > 0; used++, len--)
            xs->ring->req[MASK_XENSTORE_IDX(prod++)] = *p++;
        pv_wmb();
        pv_write_once(xs->ring->req_prod, prod);
    }
    return 0;
}

/* How many bytes wait, or -EIO. */
static int available(struct xs *xs)
{
    uint32_t n = pv_read_once(xs->ring->rsp_prod) - pv_read_once(xs->ring->rsp_cons);

    if (n > XENSTORE_RING_SIZE)                                         /* X1 */
        return broken(xs);
    pv_rmb();
    return (int)n;
}

static int get_bytes(struct xs *xs, void *data, size_t len, uint64_t give_up)
{
    char *p = data;

    while (len > 0) {
        int n = available(xs);

        if (n < 0)
            return n;
        if (n == 0) {
            if (pv_now() > give_up)
                return -XEN_ETIMEDOUT;
            pv_wait(xs->port, pv_now() + 10000000);
            continue;
        }
        uint32_t cons = pv_read_once(xs->ring->rsp_cons), before = cons;
        for (; n > 0 && len > 0; n--, len--)
            *p++ = xs->ring->rsp[MASK_XENSTORE_IDX(cons++)];
        pv_mb();
        pv_write_once(xs->ring->rsp_cons, cons);
        pv_mb();
        if (pv_read_once(xs->ring->rsp_prod) - before >= XENSTORE_RING_SIZE)        /* it was full: the daemon waits for room */
            pv_evtchn_send(xs->port);
    }
    return 0;
}

static void queue_event(struct xs *xs)
{
    size_t path_len = strlen(xs->reply), token_len;
    struct xs_event *e;

    if (path_len >= xs->reply_len || path_len >= XS_TEXT)
        return;                         /* not two strings, or none we asked for */
    token_len = strlen(xs->reply + path_len + 1);
    if (token_len >= XS_TEXT)
        return;
    if (xs->event_count == XS_EVENTS) {
        xs->event_head = (xs->event_head + 1) % XS_EVENTS;
        xs->event_count--;
        xs->lost = true;
    }
    e = &xs->events[(xs->event_head + xs->event_count++) % XS_EVENTS];
    memcpy(e->path, xs->reply, path_len + 1);
    memcpy(e->token, xs->reply + path_len + 1, token_len + 1);
}

/* One message into xs->reply (NUL behind it): 0, or -errno. */
static int get_message(struct xs *xs, struct xsd_sockmsg *head, uint64_t give_up)
{
    int rc = get_bytes(xs, head, sizeof(*head), give_up);

    if (rc != 0)
        return rc;
    if (head->len > XENSTORE_PAYLOAD_MAX)
        return broken(xs);
    /* The head is here: a daemon that does not send the rest has cut the stream. */
    rc = get_bytes(xs, xs->reply, head->len, pv_now() + XS_TIMEOUT);
    if (rc != 0)
        return broken(xs);
    xs->reply[head->len] = '\0';
    xs->reply_len = head->len;
    return 0;
}

static int error_number(const char *text)
{
    for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (strcmp(text, errors[i].name) == 0)
            return -errors[i].number;
    return -XEN_EINVAL;
}

struct part {
    const void *data;
    size_t len;
};

static int request(struct xs *xs, uint32_t type, uint32_t tx, const struct part *parts, unsigned n)
{
    struct xsd_sockmsg head = { .type = type, .req_id = ++xs->next_id, .tx_id = tx };
    uint64_t give_up = pv_now() + XS_TIMEOUT;
    size_t len = 0;
    int rc;

    if (xs->broken)
        return -XEN_EIO;
    for (unsigned i = 0; i < n; i++)
        len += parts[i].len;
    if (len > XENSTORE_PAYLOAD_MAX)
        return -XEN_ENOSPC;
    head.len = (uint32_t)len;
    rc = put_bytes(xs, &head, sizeof(head), give_up);
    for (unsigned i = 0; rc == 0 && i < n; i++)
        rc = put_bytes(xs, parts[i].data, parts[i].len, give_up);
    if (rc != 0)
        return broken(xs);              /* half a message is in the ring: nothing after it can be right */
    pv_evtchn_send(xs->port);
    for (;;) {
        rc = get_message(xs, &head, give_up);
        if (rc == -XEN_ETIMEDOUT)
            return broken(xs);          /* a late reply would answer the next request */
        if (rc != 0)
            return rc;
        if (head.type == XS_WATCH_EVENT) {
            queue_event(xs);
            continue;
        }
        if (head.req_id != xs->next_id || (head.type != type && head.type != XS_ERROR))
            return broken(xs);
        return head.type == XS_ERROR ? error_number(xs->reply) : 0;
    }
}

static int request_text(struct xs *xs, uint32_t type, uint32_t tx, const char *a, const char *b)
{
    struct part parts[2] = { { a, strlen(a) + 1 }, { b, b != NULL ? strlen(b) + 1 : 0 } };

    return request(xs, type, tx, parts, b != NULL ? 2 : 1);
}

static int copy_reply(struct xs *xs, int rc, char *buf, size_t size)
{
    if (rc != 0)
        return rc;
    if (xs->reply_len >= size)
        return -XEN_ENOSPC;
    memcpy(buf, xs->reply, xs->reply_len + 1);
    return (int)xs->reply_len;
}

int xs_read(struct xs *xs, uint32_t tx, const char *path, char *buf, size_t size)
{
    return copy_reply(xs, request_text(xs, XS_READ, tx, path, NULL), buf, size);
}

int xs_directory(struct xs *xs, uint32_t tx, const char *path, char *buf, size_t size)
{
    return copy_reply(xs, request_text(xs, XS_DIRECTORY, tx, path, NULL), buf, size);
}

int xs_write_bytes(struct xs *xs, uint32_t tx, const char *path, const char *value, size_t len)
{
    struct part parts[2] = { { path, strlen(path) + 1 }, { value, len } };

    return request(xs, XS_WRITE, tx, parts, 2);
}

int xs_write(struct xs *xs, uint32_t tx, const char *path, const char *value)
{
    return xs_write_bytes(xs, tx, path, value, strlen(value));
}

int xs_remove(struct xs *xs, uint32_t tx, const char *path)
{
    return request_text(xs, XS_RM, tx, path, NULL);
}

int xs_watch(struct xs *xs, const char *path, const char *token)
{
    return request_text(xs, XS_WATCH, 0, path, token);
}

int xs_unwatch(struct xs *xs, const char *path, const char *token)
{
    return request_text(xs, XS_UNWATCH, 0, path, token);
}

int xs_transaction_start(struct xs *xs, uint32_t *tx)
{
    struct part empty = { "", 1 };
    uint64_t id;
    int rc = request(xs, XS_TRANSACTION_START, 0, &empty, 1);

    if (rc != 0)
        return rc;
    if (!xs_number(xs->reply, &id) || id == 0 || id > UINT32_MAX)
        return broken(xs);
    *tx = (uint32_t)id;
    return 0;
}

int xs_transaction_end(struct xs *xs, uint32_t tx, bool commit)
{
    struct part part = { commit ? "T" : "F", 2 };

    return request(xs, XS_TRANSACTION_END, tx, &part, 1);
}

bool xs_events_lost(struct xs *xs)
{
    bool lost = xs->lost;

    xs->lost = false;
    return lost;
}

int xs_next_event(struct xs *xs, struct xs_event *out, uint64_t when)
{
    while (xs->event_count == 0) {
        struct xsd_sockmsg head;
        int rc = xs->broken ? -XEN_EIO : available(xs);

        if (rc < 0)
            return rc;
        if (rc == 0) {
            if (pv_now() >= when)
                return -XEN_ETIMEDOUT;
            pv_wait(xs->port, when);
            continue;
        }
        rc = get_message(xs, &head, pv_now() + XS_TIMEOUT);
        if (rc != 0)
            return rc;
        if (head.type != XS_WATCH_EVENT)
            return broken(xs);          /* a reply nobody asked for */
        queue_event(xs);
    }
    *out = xs->events[xs->event_head];
    xs->event_head = (xs->event_head + 1) % XS_EVENTS;
    xs->event_count--;
    return 0;
}

bool xs_number(const char *text, uint64_t *out)
{
    uint64_t value = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || value > (UINT64_MAX - 9) / 10)
            return false;
        value = value * 10 + (uint64_t)(*text - '0');
    }
    *out = value;
    return true;
}
