/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_load.c - read a whole tree with many requests under way
 *
 * libxenstore waits for each reply before the next request; on a host with thousands of nodes the
 * time goes into round trips. Here every slot of a window holds one request, numbered by req_id,
 * and the daemon always has the next one waiting.
 *
 *   I1  a request is sent only into a free slot; a reply is believed only if its req_id names a
 *       slot that waits for that type.
 *   I2  reading and writing never wait for each other (poll), so the daemon can stall on neither.
 *   I3  nothing in a reply is used beyond the length its header gave, which is at most 4096.
 *
 * ABI: xen/io/xs_wire.h. A directory too large for one reply (E2BIG) is read by libxenstore, which
 * fetches it in parts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

#include "pipe.h"
#include "tree.h"

#define WINDOW 64

static const char access_letters[] = "nrwb";    /* index: XS_PERM_READ | XS_PERM_WRITE */

enum step { STEP_LIST, STEP_VALUE, STEP_PERMS, STEP_DONE };

static const uint32_t step_type[] = {
    [STEP_LIST] = XS_DIRECTORY, [STEP_VALUE] = XS_READ, [STEP_PERMS] = XS_GET_PERMS
};

struct slot {
    struct tree_node *node;             /* NULL: free */
    enum step step;
};

struct loader {
    int fd;
    struct tree_node *root;
    struct tree_node *at;               /* the next request is at's at_step; NULL: none left */
    enum step at_step;
    struct slot slots[WINDOW];
    unsigned busy;
    struct xs_handle *xs;               /* opened for the first large directory */
    char out[sizeof(struct xsd_sockmsg) + TREE_PATH_MAX];
    size_t out_len, out_sent;
    char in[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
    size_t in_len;
    struct tree_node **todo;            /* nodes whose three requests are still to be sent */
    size_t todo_head, todo_len, todo_size;
};

static int connect_daemon(void)
{
    int fd = store_connect_daemon();

    return fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) ? -errno : fd;
}

static int todo_push(struct loader *l, struct tree_node *n)
{
    if (l->todo_len == l->todo_size) {
        size_t size = l->todo_size ? l->todo_size * 2 : 256;
        struct tree_node **more = reallocarray(l->todo, size, sizeof(*more));

        if (!more)
            return -ENOMEM;
        l->todo = more;
        l->todo_size = size;
    }
    l->todo[l->todo_len++] = n;
    return 0;
}

/* Put the next request into the output buffer and a slot. The buffer must be empty. */
static void next_request(struct loader *l)
{
    struct xsd_sockmsg hdr = { 0 };
    char path[TREE_PATH_MAX];
    unsigned slot = 0;

    if (!l->at) {
        if (l->todo_head == l->todo_len)
            return;
        l->at = l->todo[l->todo_head++];
        l->at_step = STEP_LIST;
    }
    while (slot < WINDOW && l->slots[slot].node)
        slot++;
    if (slot == WINDOW)
        return;
    tree_path(l->at, path);
    hdr.type = step_type[l->at_step];
    hdr.req_id = slot;
    hdr.len = (uint32_t)strlen(path) + 1;
    memcpy(l->out, &hdr, sizeof(hdr));
    memcpy(l->out + sizeof(hdr), path, hdr.len);
    l->out_len = sizeof(hdr) + hdr.len;
    l->out_sent = 0;
    l->slots[slot] = (struct slot){ l->at, l->at_step };
    l->busy++;
    if (++l->at_step == STEP_DONE)
        l->at = NULL;
}

static int send_some(struct loader *l)
{
    for (;;) {
        ssize_t n;

        if (l->out_sent == l->out_len) {
            l->out_len = l->out_sent = 0;
            next_request(l);
            if (!l->out_len)
                return 0;
        }
        n = write(l->fd, l->out + l->out_sent, l->out_len - l->out_sent);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        l->out_sent += (size_t)n;
    }
}

static int add_child(struct loader *l, struct tree_node *n, const char *name, size_t len)
{
    struct tree_node *c;

    if (len == 0 || len > XENSTORE_ABS_PATH_MAX || memchr(name, '/', len))
        return -EPROTO;
    c = tree_add(n, name, len);
    return c ? todo_push(l, c) : -ENOMEM;
}

static int got_list(struct loader *l, struct tree_node *n, const char *p, size_t len)
{
    while (len) {                                       /* names, each with its terminator */
        size_t name = strnlen(p, len);
        int rc = name == len ? -EPROTO : add_child(l, n, p, name);

        if (rc)
            return rc;
        p += name + 1;
        len -= name + 1;
    }
    return 0;
}

static int got_large_list(struct loader *l, struct tree_node *n)
{
    char path[TREE_PATH_MAX], **names;
    unsigned count = 0;
    int rc = 0;

    if (!l->xs)
        l->xs = store_open();
    names = l->xs ? xs_directory(l->xs, XBT_NULL, tree_path(n, path), &count) : NULL;
    if (!names)
        return errno == ENOENT ? 0 : -errno;
    for (unsigned i = 0; i < count && !rc; i++)
        rc = add_child(l, n, names[i], strlen(names[i]));
    free(names);
    return rc;
}

static int got_value(struct tree_node *n, const char *p, size_t len)
{
    char *value = malloc(len + 1);

    if (!value)
        return -ENOMEM;
    memcpy(value, p, len);
    value[len] = '\0';
    free(n->value);
    n->value = value;
    n->len = len;
    return 0;
}

/* "n0", "r5", ... each with its terminator; the first is the owner's. */
static int got_perms(struct tree_node *n, const char *p, size_t len)
{
    size_t count = 0;

    for (size_t i = 0; i < len; i++)
        count += p[i] == '\0';
    if (len == 0 || p[len - 1] != '\0')
        return -EPROTO;
    n->perms = calloc(count, sizeof(*n->perms));
    if (!n->perms)
        return -ENOMEM;
    n->nperms = (unsigned)count;
    for (size_t i = 0; i < count; i++, p += strlen(p) + 1) {
        const char *access = *p ? strchr(access_letters, *p) : NULL;

        if (!access)
            return -EPROTO;
        n->perms[i].id = (unsigned)strtoul(p + 1, NULL, 10);
        n->perms[i].perms = (unsigned)(access - access_letters);
    }
    return 0;
}

static int got_error(struct loader *l, const struct slot *s, const char *p, size_t len)
{
    if (len == 0 || p[len - 1] != '\0')
        return -EPROTO;
    if (s->step == STEP_LIST && !strcmp(p, "E2BIG"))
        return got_large_list(l, s->node);
    if (!strcmp(p, "ENOENT"))                           /* gone meanwhile: leave it as it is */
        return s->node == l->root ? -ENOENT : 0;
    return !strcmp(p, "EACCES") ? -EACCES : -EPROTO;
}

static int got_reply(struct loader *l, const struct xsd_sockmsg *hdr, const char *p)
{
    struct slot s;

    if (hdr->req_id >= WINDOW || !l->slots[hdr->req_id].node)
        return -EPROTO;                                                             /* I1 */
    s = l->slots[hdr->req_id];
    l->slots[hdr->req_id].node = NULL;
    l->busy--;
    if (hdr->type == XS_ERROR)
        return got_error(l, &s, p, hdr->len);
    if (hdr->type != step_type[s.step])
        return -EPROTO;
    switch (s.step) {
    case STEP_LIST:
        return got_list(l, s.node, p, hdr->len);
    case STEP_VALUE:
        return got_value(s.node, p, hdr->len);
    default:
        return got_perms(s.node, p, hdr->len);
    }
}

static int receive_some(struct loader *l)
{
    struct xsd_sockmsg hdr;
    ssize_t n = read(l->fd, l->in + l->in_len, sizeof(l->in) - l->in_len);
    size_t used = 0;
    int rc = 0;

    if (n == 0)
        return -ECONNRESET;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    l->in_len += (size_t)n;
    while (!rc && l->in_len - used >= sizeof(hdr)) {
        memcpy(&hdr, l->in + used, sizeof(hdr));
        if (hdr.len > XENSTORE_PAYLOAD_MAX)
            return -EPROTO;                                                         /* I3 */
        if (l->in_len - used < sizeof(hdr) + hdr.len)
            break;
        rc = got_reply(l, &hdr, l->in + used + sizeof(hdr));
        used += sizeof(hdr) + hdr.len;
    }
    memmove(l->in, l->in + used, l->in_len - used);
    l->in_len -= used;
    return rc;
}

static int run(struct loader *l)
{
    int rc = send_some(l);

    while (!rc && l->busy) {
        struct pollfd p = { .fd = l->fd, .events = POLLIN };

        if (l->out_len)
            p.events |= POLLOUT;
        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            return -errno;
        if (p.revents & (POLLIN | POLLHUP | POLLERR))
            rc = receive_some(l);
        if (!rc)
            rc = send_some(l);
    }
    return rc;
}

int tree_load(const char *path, struct tree_node **root)
{
    struct loader *l;
    int rc;

    if (path[0] != '/' || strlen(path) >= TREE_PATH_MAX)
        return -EINVAL;
    l = calloc(1, sizeof(*l));
    if (!l)
        return -ENOMEM;
    l->fd = rc = connect_daemon();
    if (rc >= 0) {
        l->root = tree_add(NULL, path, strlen(path));
        rc = l->root ? todo_push(l, l->root) : -ENOMEM;
        if (!rc)
            rc = run(l);
        close(l->fd);
    }
    if (rc) {
        if (l->root)
            tree_free(l->root);
    } else {
        tree_sort(l->root);
        *root = l->root;
    }
    if (l->xs)
        xs_close(l->xs);
    free(l->todo);
    free(l);
    return rc;
}
