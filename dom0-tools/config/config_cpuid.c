/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_cpuid.c - cpuid = "host,avx2=0,..." or [ "LEAF:REG=BITS,...", ... ] to bit strings
 *
 * Feature names and places come from Xen's public list of features; case, '-', '_' and '.' do not
 * matter (sse4.1 is SSE4_1).
 *
 *   I1  each leaf is in the list once; a register's string always has 32 characters.
 *
 * ABI: arch-x86/cpufeatureset.h
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"

#define MAX_LEAVES 64

static const struct { const char *name; unsigned bit; } features[] = {
#define XEN_CPUFEATURE(feature, value) { #feature, (value) },
#include <xen/arch-x86/cpufeatureset.h>
};

/* Names that xl.cfg(5) gives and Xen's list spells otherwise. */
static const struct { const char *name, *feature; } synonyms[] = {
    { "cmpxchg8", "CX8" }, { "clfsh", "CLFLUSH" }, { "sysenter", "SEP" }, { "cmpxchg16", "CX16" },
    { "est", "EIST" }, { "cmt", "PQM" }, { "nodeid", "NODEID_MSR" }, { "tm", "TM1" },
    { "lahfsahf", "LAHF_LM" }, { "cmplegacy", "CMP_LEGACY" }, { "altmovcr8", "CR8_LEGACY" },
    { "invtsc", "ITSC" }, { "lfence+", "LFENCE_DISPATCH" },
};

enum { EAX, EBX, ECX, EDX };

/* Which register a word of the feature list is. Words that are MSRs have no entry. */
static const struct { uint32_t leaf, subleaf; int reg; } words[] = {
    { 1, VANE_NO_SUBLEAF, EDX },          { 1, VANE_NO_SUBLEAF, ECX },
    { 0x80000001, VANE_NO_SUBLEAF, EDX }, { 0x80000001, VANE_NO_SUBLEAF, ECX },
    { 0xd, 1, EAX },                       { 7, 0, EBX },
    { 7, 0, ECX },                         { 0x80000007, VANE_NO_SUBLEAF, EDX },
    { 0x80000008, VANE_NO_SUBLEAF, EBX }, { 7, 0, EDX },
    { 7, 1, EAX },                         { 0x80000021, VANE_NO_SUBLEAF, EAX },
    { 7, 1, EBX },                         { 7, 2, EDX },
    { 7, 1, ECX },                         { 7, 1, EDX },
};

/* xl's names that are fields of several bits, not features. */
static const char *const fields[] = {
    "maxleaf", "family", "model", "stepping", "brandid", "clflush", "localapicid", "proccount", "procpkg",
    "apicidsize", "nc", "maxhvleaf", "vendor",
};

static struct vane_cpuid *leaf_of(struct vane_cpuids *c, uint32_t leaf, uint32_t subleaf)
{
    struct vane_cpuid *more;

    for (unsigned i = 0; i < c->n; i++) {
        if (c->list[i].leaf == leaf && c->list[i].subleaf == subleaf)
            return &c->list[i];
    }
    more = c->n < MAX_LEAVES ? realloc(c->list, (c->n + 1) * sizeof(*more)) : NULL;
    if (!more)
        return NULL;
    c->list = more;
    more = &c->list[c->n++];
    more->leaf = leaf;
    more->subleaf = subleaf;
    for (int r = 0; r < 4; r++) {
        memset(more->reg[r], 'x', 32);
        more->reg[r][32] = '\0';
    }
    return more;
}

static bool same_name(const char *a, const char *b)
{
    for (;; a++, b++) {
        char x = *a == '-' || *a == '.' ? '_' : (char)tolower((unsigned char)*a);
        char y = *b == '-' || *b == '.' ? '_' : (char)tolower((unsigned char)*b);

        if (x != y)
            return false;
        if (x == '\0')
            return true;
    }
}

static bool is_value(const char *s)
{
    return s && s[0] && !s[1] && strchr("01xks", s[0]);
}

static bool is_field(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        if (same_name(name, fields[i]))
            return true;
    }
    return false;
}

static int set_feature(struct vane *v, const char *name, char value, struct vane_cpuids *out)
{
    struct vane_cpuid *l;

    for (size_t i = 0; i < ARRAY_SIZE(synonyms); i++) {
        if (same_name(name, synonyms[i].name))
            name = synonyms[i].feature;
    }
    for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
        unsigned word = features[i].bit / 32;

        if (!same_name(name, features[i].name) || word >= ARRAY_SIZE(words))
            continue;
        l = leaf_of(out, words[word].leaf, words[word].subleaf);
        if (!l)
            return vane_fail(v, -E2BIG, NULL, "cpuid: too many leaves");
        l->reg[words[word].reg][31 - features[i].bit % 32] = value;
        return 0;
    }
    return vane_fail(v, -EINVAL, "xl.cfg(5) lists the names", "cpuid: %s is no CPU feature", name);
}

/* "host,sse3=0,avx=k" */
static int parse_names(struct vane *v, char *text, struct vane_cpuids *out)
{
    char *save = NULL, *word = strtok_r(text, ",", &save);
    int rc = 0;

    if (!word || strcmp(word, "host") != 0)
        return vane_fail(v, -EINVAL, "for example \"host,avx512f=0\"", "cpuid: %s is not understood",
                         word ? word : "an empty text");
    while (rc == 0 && (word = strtok_r(NULL, ",", &save)) != NULL) {
        char *value = strchr(word, '=');

        word += strspn(word, " \t");
        if (value)
            *value++ = '\0';
        if (is_field(word))
            rc = vane_fail(v, -EOPNOTSUPP, "remove it: only single feature bits can be set",
                           "cpuid: %s is no feature bit", word);
        else if (!is_value(value))
            rc = vane_fail(v, -EINVAL, "NAME=0, 1, x, k or s", "cpuid: %s has no such value", word);
        else
            rc = set_feature(v, word, value[0], out);
    }
    return rc;
}

/* Bits are given highest first, and fewer than 32 mean the lowest. */
static bool put_bits(char reg[33], const char *bits)
{
    size_t n = strlen(bits);

    if (n == 0 || n > 32 || strspn(bits, "01xks") != n)
        return false;
    memcpy(reg + 32 - n, bits, n);
    return true;
}

/* "LEAF[,SUBLEAF]:eax=BITS,ecx=BITS" */
static int parse_leaf(struct vane *v, char *text, struct vane_cpuids *out)
{
    static const char *const regs[4] = { "eax", "ebx", "ecx", "edx" };
    char *colon = strchr(text, ':'), *end, *save = NULL;
    unsigned long leaf = strtoul(text, &end, 0), subleaf = VANE_NO_SUBLEAF;
    struct vane_cpuid *l = NULL;

    if (end != text && *end == ',')
        subleaf = strtoul(end + 1, &end, 0);
    if (colon && end == colon && leaf <= UINT32_MAX && subleaf <= UINT32_MAX)
        l = leaf_of(out, (uint32_t)leaf, (uint32_t)subleaf);
    if (!l)
        return vane_fail(v, -EINVAL, "for example \"1:ecx=xxx0\" or \"7,0:ebx=xx0x\"",
                         "cpuid: %s names no leaf", text);
    for (char *word = strtok_r(colon + 1, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        char *bits = strchr(word, '=');
        int r;

        word += strspn(word, " \t");
        if (bits)
            *bits++ = '\0';
        for (r = 0; r < 4 && strcmp(word, regs[r]) != 0; r++)
            ;
        if (r == 4 || !bits || !put_bits(l->reg[r], bits))
            return vane_fail(v, -EINVAL, "REGISTER=BITS, at most 32 of 0, 1, x, k and s",
                             "cpuid: leaf 0x%lx: %s is not understood", leaf, word);
    }
    return 0;
}

static int parse_one(struct vane *v, const char *text, struct vane_cpuids *out)
{
    char *copy = strdup(text);
    int rc;

    if (!copy)
        return vane_fail(v, -ENOMEM, NULL, "out of memory");
    rc = isdigit((unsigned char)copy[0]) ? parse_leaf(v, copy, out) : parse_names(v, copy, out);
    free(copy);
    return rc;
}

int cfg_parse_cpuid(struct cfg_parser *p, struct vane_config *c)
{
    XLU_ConfigList *list;
    const char *s;
    int n, rc = 0;

    if (xlu_cfg_get_list(p->xlu, "cpuid", &list, &n, 1) == 0) {
        for (int i = 0; i < n && rc == 0; i++) {
            s = xlu_cfg_get_listitem(list, i);
            rc = s ? parse_one(p->v, s, &c->cpuid)
                   : vane_fail(p->v, -EINVAL, NULL, "%s: cpuid: entry %d is no string", p->origin, i);
        }
    } else if (xlu_cfg_get_string(p->xlu, "cpuid", &s, 1) == 0) {
        rc = parse_one(p->v, s, &c->cpuid);
    }
    return rc;
}
