/* SPDX-License-Identifier: MIT */
/*
 * xsgen.h - the schema as xsgen.c has read and checked it, for xsgen_emit.c to write out
 *
 * Indices are -1 for "none". Everything is fixed once resolve() has returned.
 */
#ifndef XSGEN_H
#define XSGEN_H

#include "store_core.h"

#define MAX_TYPES 128
#define MAX_BASES 64
#define MAX_PATHS 1024
#define MAX_SEGS  2048
#define MAX_WORDS 20
#define MAX_TOKENS 32
#define MAX_DEPTH 16
#define MAX_TEXT  256

struct gen_type {
    char name[32], words[MAX_WORDS][32];
    int kind, nwords;
    uint64_t lo, hi;
    bool empty;
};

struct gen_path {
    char id[MAX_TEXT], pattern[MAX_TEXT], meaning[MAX_TEXT], perms[32];
    char params[STORE_ARGS_MAX][32];
    int nparams, seg, type, life, writers, readers, nperms;
    int arg_type[STORE_ARGS_MAX], arg_dom, arg_back;
    struct store_acl perm[STORE_PERMS_MAX];
    bool must, rest, forgeable;
    const char *section;
};

struct gen_seg {
    char lit[64];
    int param, parent, child, next, path, rest;
};

extern struct gen_type types[];
extern struct gen_path paths[];
extern struct gen_seg segs[];
extern int ntypes, npaths, nsegs, version;

extern const char *const kinds[], *const roles[], *const lives[];

/* Write @what (header, tables, docs, test) to standard output; the program's exit status. */
int emit(const char *what);

#endif
