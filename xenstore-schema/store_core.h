/* SPDX-License-Identifier: MIT */
/*
 * store_core.h - the tables that xsgen makes from paths/, and the four operations on them
 *
 * Programs include "store_schema.h" (generated), which includes this file and adds one constant and
 * one set of typed functions per path. Nothing here allocates, does I/O, keeps state or needs a C
 * library: the same object serves dom0-tools and a freestanding guest.
 *
 * Paths and values come from whoever may write to the store, so every function treats them as
 * hostile: lengths are explicit, nothing is read past them, and a number is bounded before use.
 *
 * Errors are negative numbers with Xen's (and Linux's) errno values.
 */
#ifndef STORE_CORE_H
#define STORE_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum store_errno {
    STORE_ENOENT = 2, STORE_EINVAL = 22, STORE_ERANGE = 34, STORE_ENAMETOOLONG = 36
};

#define STORE_SELF     UINT32_MAX   /* in place of the first domid: a path relative to the caller */
#define STORE_ARGS_MAX 6            /* placeholders in one pattern; xsgen refuses more */
#define STORE_PERMS_MAX 4           /* entries of one permission list; xsgen refuses more */
#define STORE_NONE     UINT16_MAX   /* "no path", "no node" */
#define STORE_EMPTY    1            /* store_get_num: the node is there, its value is "" */
#define STORE_NUM_MAX  21           /* bytes for any decimal uint64_t and its terminator */

enum store_kind {
    STORE_KIND_NONE,                /* a directory: the value is empty */
    STORE_KIND_ANY,                 /* bytes we know nothing about */
    STORE_KIND_UINT,                /* decimal, lo..hi */
    STORE_KIND_STR,                 /* lo..hi bytes */
    STORE_KIND_ENUM,                /* one of words[0..hi] */
    STORE_KIND_PATH,                /* an absolute path */
    STORE_KIND_REF,                 /* an absolute path that matches pattern hi */
    STORE_KIND_UUID,
    STORE_KIND_MAC,
    STORE_KIND_MAJMIN,              /* major:minor, each in hex */
    STORE_KIND_WORD,                /* one path segment, [A-Za-z0-9_@-]{1,64} */
};

struct store_type {
    const char *name;
    uint8_t kind;                   /* enum store_kind */
    bool empty;                     /* "" is a value too */
    uint64_t lo, hi;
    const char *const *words;       /* ENUM only */
};

/* Who a path concerns: bits of writers and readers. */
enum store_role {
    STORE_ROLE_TOOL = 1, STORE_ROLE_GUEST = 2, STORE_ROLE_BACK = 4, STORE_ROLE_SCRIPT = 8,
    STORE_ROLE_CONSOLED = 16, STORE_ROLE_STORED = 32, STORE_ROLE_ANY = 64,
};

/* From when on a path may exist; with `must`, from when on it has to. */
enum store_life {
    STORE_LIFE_BOOT, STORE_LIFE_CREATE, STORE_LIFE_BUILD, STORE_LIFE_ATTACH, STORE_LIFE_CONNECT,
    STORE_LIFE_RUN, STORE_LIFE_END,
};

enum store_who { STORE_WHO_DOM0, STORE_WHO_GUEST, STORE_WHO_BACK };

struct store_acl {
    char access;                    /* n none, r read, w write, b both */
    uint8_t who;                    /* enum store_who; the first entry's is the owner */
};

struct store_path {
    const char *pattern;            /* as in paths/, placeholders in <> */
    const char *meaning;
    uint16_t seg;                   /* its node in store_segs */
    uint16_t type;                  /* index into store_types */
    uint8_t writers, readers;       /* bits of enum store_role */
    uint8_t life;                   /* enum store_life */
    bool must;
    bool rest;                      /* stands for everything below its directory; cannot be built */
    bool forgeable;                 /* the guest may write it: to a toolstack a hint, no fact */
    int8_t arg_dom, arg_back;       /* which placeholder is the guest, the back end; -1: none */
    uint8_t nargs, nperms;          /* placeholders; entries of perms */
    struct store_acl perms[STORE_PERMS_MAX];
};

/* The patterns as a trie of path segments. */
struct store_seg {
    const char *lit;                /* fixed text before the placeholder, or the whole segment */
    uint16_t param;                 /* store_types index of the placeholder, STORE_NONE without */
    uint16_t parent, child, next;   /* first child; next sibling: fixed segments come first */
    uint16_t path;                  /* enum store_id, STORE_NONE for none */
    uint16_t rest;                  /* the path that covers everything below, or STORE_NONE */
};

extern const struct store_type store_types[];
extern const struct store_path store_paths[];
extern const struct store_seg store_segs[];
extern const uint16_t store_path_count, store_seg_count, store_type_count;
extern const uint16_t store_home_seg;   /* /local/domain/<domid> */

/* A placeholder's value: a number, or text inside the caller's path (not terminated). */
struct store_arg {
    uint64_t n;
    const char *s;                  /* NULL: a number */
    size_t len;
};

/*
 * Write the path @id with @args for its placeholders, terminated, to buf[0..size).
 * An args[0] of STORE_SELF for a path below /local/domain/DOMID gives the path relative to it, as a
 * guest names it. Buffers of STORE_PATH_MAX (generated) always suffice.
 *
 *   > 0                    bytes written, without the terminator
 *   -STORE_EINVAL          not an id, not a buildable one, or an argument breaks its type
 *   -STORE_ENAMETOOLONG    it does not fit
 *
 * On error buf holds "" when size is not 0.
 */
int store_build(char *buf, size_t size, unsigned id, const struct store_arg *args, size_t nargs);

/*
 * The path of @id's last segment below @dir, for directories whose path came from elsewhere (a
 * front end is told where its back end is): store_below(buf, size, be, STORE_DEV_BE_STATE).
 * Returns as store_build does; -STORE_EINVAL also when that segment has a placeholder.
 */
int store_below(char *buf, size_t size, const char *dir, unsigned id);

/*
 * Which pattern does the absolute path p[0..len) follow?  @args (STORE_ARGS_MAX of them, may be
 * NULL) gets the placeholders; their text points into @p.
 * Returns the id, or -STORE_ENOENT.
 */
int store_match(const char *p, size_t len, struct store_arg *args);

/* As store_match, but only @id will do: 0 or -STORE_ENOENT. */
int store_match_id(unsigned id, const char *p, size_t len, struct store_arg *args);

/* One step of store_match for callers that walk a tree: the node below @seg for this name. */
uint16_t store_step(uint16_t seg, const char *name, size_t len, struct store_arg *arg);

/* Is v[0..len) a value of store_types[type]?  0, -STORE_EINVAL (form), -STORE_ERANGE (bounds). */
int store_value_check(unsigned type, const char *v, size_t len);

/* Parse a number or an enum word (as its index). Errors as store_value_check; empty: EINVAL. */
int store_value_uint(unsigned type, const char *v, size_t len, uint64_t *out);

/*
 * Text of a number or of an enum's index, terminated: points at @buf or at a table.
 * NULL when @n is not a value of the type.
 */
const char *store_value_text(unsigned type, uint64_t n, char buf[STORE_NUM_MAX]);

/*
 * The permission list of @id, as libxenstore writes it: who[i] a domid, access[i] one of "nrwb".
 * Returns the number of entries, 1..STORE_PERMS_MAX, or -STORE_EINVAL.
 */
int store_perms(unsigned id, uint32_t domid, uint32_t backid, uint32_t who[], char access[]);

/*
 * The transport, chosen at link time: libxenstore in dom0-tools, the ring in a guest, an array in
 * unit tests. What a struct store_io is, is the transport's business.
 *
 * store_io_read:  up to @size bytes to @buf, no terminator; the value's length (which may exceed
 *                 @size: then it was cut) or -errno. -STORE_ENOENT: there is no such node.
 * store_io_write: 0 or -errno.
 * store_io_failed: hears of every put that did not happen, for whatever reason, and returns what the
 *                  put then returns: a program with many puts in a row may remember the first
 *                  failure here and ask for it once. The rest just return @rc.
 */
struct store_io;
int store_io_read(struct store_io *io, const char *path, char *buf, size_t size);
int store_io_write(struct store_io *io, const char *path, const char *v, size_t len);
int store_io_failed(struct store_io *io, const char *path, int rc);

/*
 * What the generated store_get_* and store_put_* call. A value that breaks its type is refused in
 * both directions with store_value_check's error; nothing is stored to the result then.
 * store_get_num: 0, or STORE_EMPTY (nothing stored to *out) where the type allows "".
 * store_get_text terminates and returns the length; -STORE_ENAMETOOLONG when @size is too small.
 */
int store_get_num(struct store_io *io, unsigned id, const struct store_arg *a, size_t n,
                  uint64_t *out);
int store_put_num(struct store_io *io, unsigned id, const struct store_arg *a, size_t n,
                  uint64_t v);
int store_get_text(struct store_io *io, unsigned id, const struct store_arg *a, size_t n, char *buf,
                   size_t size);
int store_put_text(struct store_io *io, unsigned id, const struct store_arg *a, size_t n,
                   const char *v, size_t len);

static inline struct store_arg store_n(uint64_t n)
{
    return (struct store_arg){ .n = n };
}

static inline struct store_arg store_s(const char *s)
{
    size_t len = 0;

    while (s[len])
        len++;
    return (struct store_arg){ .s = s, .len = len };
}

#endif
