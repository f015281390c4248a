/* SPDX-License-Identifier: MIT */
/*
 * store_path.c - from a pattern to a path and back, and its permissions
 *
 *   I1  build and match are inverse: match(build(id, args)) == (id, args). The one exception is a
 *       placeholder that was given the name of a fixed sibling (<kind> = vbd): the path is the same,
 *       match finds its own pattern. The generated round-trip test runs every pattern.
 *   I2  a placeholder obeys its type in both directions, so a built path never holds a slash, a NUL
 *       or a number out of range that came from an argument.
 *
 * Refuses relative paths in match: whose they are is for the transport to know.
 */
#include "store_core.h"

#define DEPTH_MAX 16                /* segments in a pattern; xsgen refuses more */
#define HOME_DEPTH 3                /* /local/domain/<domid> */

struct out {
    char *buf;
    size_t size, len;               /* len counts what is needed, even past size */
};

static void out_char(struct out *o, char c)
{
    if (o->len < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void out_text(struct out *o, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out_char(o, s[i]);
}

static void out_str(struct out *o, const char *s)
{
    while (*s)
        out_char(o, *s++);
}

static int out_arg(struct out *o, unsigned type, const struct store_arg *a)
{
    char num[STORE_NUM_MAX];
    const char *text;

    if (a->s) {                     /* I2: text must be its type's, and never a number's spelling */
        if (store_types[type].kind == STORE_KIND_UINT || store_value_check(type, a->s, a->len))
            return -STORE_EINVAL;
        out_text(o, a->s, a->len);
        return 0;
    }
    text = store_value_text(type, a->n, num);
    if (!text)
        return -STORE_EINVAL;
    out_str(o, text);
    return 0;
}

/* The nodes from the root's child down to @seg; returns how many. */
static size_t chain_of(uint16_t seg, uint16_t chain[DEPTH_MAX])
{
    size_t depth = 0, i;

    for (uint16_t s = seg; s != 0; s = store_segs[s].parent)
        depth++;
    i = depth;
    for (uint16_t s = seg; s != 0; s = store_segs[s].parent)
        chain[--i] = s;
    return depth;
}

static int build(struct out *o, unsigned id, const struct store_arg *args, size_t nargs)
{
    uint16_t chain[DEPTH_MAX];
    size_t depth, first = 0, arg = 0;

    if (id >= store_path_count || store_paths[id].rest)
        return -STORE_EINVAL;
    depth = chain_of(store_paths[id].seg, chain);
    if (nargs > 0 && !args[0].s && args[0].n == STORE_SELF && depth > HOME_DEPTH &&
        chain[HOME_DEPTH - 1] == store_home_seg) {
        first = HOME_DEPTH;
        arg = 1;
    }
    for (size_t i = first; i < depth; i++) {
        const struct store_seg *s = &store_segs[chain[i]];

        if (i != first || first == 0)
            out_char(o, '/');
        out_str(o, s->lit);
        if (s->param == STORE_NONE)
            continue;
        if (arg >= nargs || out_arg(o, s->param, &args[arg++]))
            return -STORE_EINVAL;
    }
    return arg == nargs ? 0 : -STORE_EINVAL;
}

int store_build(char *buf, size_t size, unsigned id, const struct store_arg *args, size_t nargs)
{
    struct out o = { .buf = buf, .size = size };
    int rc = build(&o, id, args, nargs);

    if (!rc && o.len >= size)
        rc = -STORE_ENAMETOOLONG;
    if (size)
        buf[rc ? 0 : o.len] = '\0';
    return rc ? rc : (int)o.len;
}

int store_below(char *buf, size_t size, const char *dir, unsigned id)
{
    struct out o = { .buf = buf, .size = size };
    const struct store_seg *s = id < store_path_count ? &store_segs[store_paths[id].seg] : NULL;
    int rc = !s || s->param != STORE_NONE || store_paths[id].rest ? -STORE_EINVAL : 0;

    if (!rc) {
        out_str(&o, dir);
        out_char(&o, '/');
        out_str(&o, s->lit);
        rc = o.len >= size ? -STORE_ENAMETOOLONG : 0;
    }
    if (size)
        buf[rc ? 0 : o.len] = '\0';
    return rc ? rc : (int)o.len;
}

/* Does this node stand for the segment name[0..len)?  Fills @arg when it has a placeholder. */
static bool seg_matches(const struct store_seg *s, const char *name, size_t len,
                        struct store_arg *arg)
{
    size_t lit = 0;

    while (s->lit[lit]) {
        if (lit == len || s->lit[lit] != name[lit])
            return false;
        lit++;
    }
    if (s->param == STORE_NONE)
        return lit == len;
    name += lit;
    len -= lit;
    if (store_types[s->param].kind == STORE_KIND_UINT) {
        *arg = store_n(0);
        return store_value_uint(s->param, name, len, &arg->n) == 0;
    }
    *arg = (struct store_arg){ .s = name, .len = len };
    return len > 0 && store_value_check(s->param, name, len) == 0;
}

uint16_t store_step(uint16_t seg, const char *name, size_t len, struct store_arg *arg)
{
    uint16_t s = store_segs[seg].child;

    while (s != STORE_NONE && !seg_matches(&store_segs[s], name, len, arg))
        s = store_segs[s].next;
    return s;
}

int store_match(const char *p, size_t len, struct store_arg *args)
{
    struct store_arg scratch[STORE_ARGS_MAX];
    uint16_t seg = 0, rest = STORE_NONE;
    size_t n = 0, at = 0;

    if (!args)
        args = scratch;
    if (len < 2 || p[0] != '/')
        return -STORE_ENOENT;
    while (at < len) {
        size_t start = ++at;        /* skip the slash */
        struct store_arg arg;

        while (at < len && p[at] != '/')
            at++;
        if (at == start)            /* "//" or a trailing slash */
            return -STORE_ENOENT;
        if (seg != STORE_NONE) {
            uint16_t covering = store_segs[seg].rest;

            seg = store_step(seg, p + start, at - start, &arg);
            if (covering != STORE_NONE)
                rest = covering;
            if (seg != STORE_NONE && store_segs[seg].param != STORE_NONE)
                args[n++] = arg;    /* xsgen: at most STORE_ARGS_MAX per pattern */
        }
    }
    if (seg != STORE_NONE && store_segs[seg].path != STORE_NONE)
        return store_segs[seg].path;
    return rest != STORE_NONE ? (int)rest : -STORE_ENOENT;
}

int store_match_id(unsigned id, const char *p, size_t len, struct store_arg *args)
{
    return store_match(p, len, args) == (int)id ? 0 : -STORE_ENOENT;
}

int store_perms(unsigned id, uint32_t domid, uint32_t backid, uint32_t who[], char access[])
{
    if (id >= store_path_count)
        return -STORE_EINVAL;
    for (size_t i = 0; i < store_paths[id].nperms; i++) {
        const struct store_acl *p = &store_paths[id].perms[i];

        who[i] = p->who == STORE_WHO_GUEST ? domid : p->who == STORE_WHO_BACK ? backid : 0;
        access[i] = p->access;
    }
    return store_paths[id].nperms;
}
