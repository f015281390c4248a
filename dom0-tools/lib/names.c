/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * names.c - a table of domains' names, kept true by watches
 *
 * A name must be unique, so each create would read the names of all. Here each is read once.
 *
 *   I1  a name is in the table only while a watch on its node is set, through the connection that
 *       transactions use, and was read after the watch was set. The daemon sends the event of a change
 *       before any reply of later, so what the table says was true when the transaction began.
 *   I2  another connection knows nothing of the watches of the one before: the table starts anew.
 *   I3  a rename while a create is under way is met by life.c: it writes the directory that the create's
 *       transaction has read.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xs_wire.h>

#include "../store/pipe.h"
#include "handle.h"
#include "names.h"

#define MAX_NAMES 1024          /* what is beyond is read each time */

struct entry {
    uint32_t domid;
    bool used, known, seen;
    unsigned quiet;             /* events to come that say nothing new: a watch fires when it is set */
    char name[256];
};

struct names {
    unsigned serial;            /* of the pipe that has the watches (I2) */
    unsigned n;                 /* entries up to here may be in use */
    struct entry list[MAX_NAMES];
};

static struct entry *find(struct names *t, uint32_t domid)
{
    for (unsigned i = 0; i < t->n; i++) {
        if (t->list[i].used && t->list[i].domid == domid)
            return &t->list[i];
    }
    return NULL;
}

static void on_event(void *arg, const char *path)
{
    struct store_arg args[STORE_ARGS_MAX];
    struct entry *e = store_match(path, strlen(path), args) == STORE_DOM_NAME
                      ? find(arg, (uint32_t)args[0].n) : NULL;

    if (e && e->quiet)
        e->quiet--;
    else if (e)
        e->known = false;
}

void names_keep(struct vane *v)
{
    if (!v->names)
        v->names = calloc(1, sizeof(*v->names));
}

static void watch(struct store_pipe *p, uint32_t type, uint32_t domid)
{
    static const char token[] = "name";
    char path[STORE_PATH_MAX];

    store_path_dom_name(path, sizeof(path), domid);
    pipe_post(p, type, 0, path, token, sizeof(token));
}

static struct entry *add(struct names *t, struct store_pipe *p, uint32_t domid)
{
    unsigned i = 0;

    while (i < t->n && t->list[i].used)
        i++;
    if (i == MAX_NAMES)
        return NULL;
    if (i == t->n)
        t->n++;
    t->list[i] = (struct entry){ .domid = domid, .used = true, .quiet = 1 };
    watch(p, XS_WATCH, domid);
    return &t->list[i];
}

static void ask(struct store_io *io, uint32_t domid, char name[256])
{
    if (store_get_dom_name(io, domid, name, 256) < 0)
        name[0] = '\0';
}

void names_get(struct vane *v, struct store_io *io, uint32_t domid, char name[256])
{
    struct names *t = v->names;
    struct entry *e = t && io->pipe ? find(t, domid) : NULL;

    if (!e && t && io->pipe && t->serial == pipe_serial(io->pipe))
        e = add(t, io->pipe, domid);
    if (!e) {
        ask(io, domid, name);
        return;
    }
    if (!e->known) {
        e->known = true;                        /* before the question: an event on the way unsets it */
        ask(io, domid, e->name);
    }
    memcpy(name, e->name, sizeof(e->name));
}

void names_only(struct vane *v, struct store_io *io, char **list, unsigned n)
{
    struct names *t = v->names;

    if (!t || !io->pipe)
        return;
    if (t->serial != pipe_serial(io->pipe)) {                                       /* I2 */
        memset(t, 0, sizeof(*t));
        t->serial = pipe_serial(io->pipe);
        pipe_on_event(io->pipe, on_event, t);
    }
    for (unsigned i = 0; i < n; i++) {
        struct entry *e = find(t, (uint32_t)strtoul(list[i], NULL, 10));

        if (e)
            e->seen = true;
    }
    for (unsigned i = 0; i < t->n; i++) {
        struct entry *e = &t->list[i];

        if (e->used && !e->seen) {
            watch(io->pipe, XS_UNWATCH, e->domid);
            e->used = false;
        }
        e->seen = false;
    }
}
