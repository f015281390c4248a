/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_parse.c - a dump, back to a tree
 *
 * Two forms, told apart by the first character: lines `PATH = "VALUE"   (PERMS)`, which tree_print
 * and `xenstore-ls -fp` write (the latter with dots before the permissions), and tree_print's JSON,
 * one object a line. A dump is a file somebody may have edited: every step is bounded by the line,
 * and what does not fit the form is an error with its line number.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tree.h"

static const char access_letters[] = "nrwb";    /* index: XS_PERM_READ | XS_PERM_WRITE */

/* Undo tree_quote in place, s[0..len) is what was between the quotes; the new length, -1 if bad. */
static ssize_t unquote(char *s, size_t len)
{
    size_t out = 0;

    for (size_t i = 0; i < len; i++) {
        size_t digits = 0;
        char hex[5] = "";

        if (s[i] != '\\' || i + 1 == len) {
            s[out++] = s[i];
            continue;
        }
        i++;
        digits = s[i] == 'x' ? 2 : s[i] == 'u' ? 4 : 0;
        if (!digits) {
            s[out++] = s[i] == 'n' ? '\n' : s[i] == 't' ? '\t' : s[i] == 'r' ? '\r' : s[i];
            continue;
        }
        if (len - i <= digits || strspn(s + i + 1, "0123456789abcdefABCDEF") < digits)
            return -1;
        memcpy(hex, s + i + 1, digits);
        s[out++] = (char)strtoul(hex, NULL, 16);
        i += digits;
    }
    s[out] = '\0';
    return (ssize_t)out;
}

static int parse_perms(struct tree_node *n, const char *s)
{
    struct xs_permissions list[16];
    unsigned count = 0;

    while (*s && *s != ')') {
        const char *access = strchr(access_letters, *s);
        char *end;

        if (!access || count == 16 || !isdigit((unsigned char)s[1]))
            return -EINVAL;
        list[count].id = (unsigned)strtoul(s + 1, &end, 10);
        list[count++].perms = (unsigned)(access - access_letters);
        s = *end == ',' ? end + 1 : end;
    }
    free(n->perms);
    n->perms = calloc(count ? count : 1, sizeof(*list));
    if (!n->perms)
        return -ENOMEM;
    memcpy(n->perms, list, count * sizeof(*list));
    n->nperms = count;
    return 0;
}

/* `xenstore-ls` leaves "/" out: put it above a root of one segment when another one follows. */
static bool put_root_above(struct tree_node **root)
{
    struct tree_node *old = *root, *top;

    if (strchr(old->name + 1, '/'))
        return false;
    top = tree_add(NULL, "/", 1);
    if (!top)
        return false;
    memmove(old->name, old->name + 1, strlen(old->name));
    old->parent = top;
    top->child = old;
    *root = top;
    return true;
}

/* The node for @path, made with what leads to it. The first path of a dump is its root. */
static struct tree_node *make_node(struct tree_node **root, const char *path)
{
    struct tree_node *n;
    size_t len = strlen(path);

    if (path[0] != '/' || len >= TREE_PATH_MAX || (len > 1 && path[len - 1] == '/'))
        return NULL;
    if (!*root) {
        *root = tree_add(NULL, path, len);
        return *root;
    }
    n = *root;
    if (strcmp(n->name, "/")) {
        len = strlen(n->name);
        if (strncmp(path, n->name, len) || (path[len] && path[len] != '/')) {
            if (!put_root_above(root))
                return NULL;
            n = *root;
            len = 0;
        }
        path += len;
    }
    while (n && *path) {
        struct tree_node *c;

        path += *path == '/';
        len = strcspn(path, "/");
        if (!len)
            break;
        c = n->child;
        while (c && (strncmp(c->name, path, len) || c->name[len]))
            c = c->next;
        n = c ? c : tree_add(n, path, len);
        path += len;
    }
    return n;
}

static int set_node(struct tree_node **root, const char *path, char *value, size_t len,
                    const char *perms)
{
    struct tree_node *n = make_node(root, path);
    ssize_t real = unquote(value, len);
    char *copy;

    if (!n || real < 0)
        return -EINVAL;
    copy = malloc((size_t)real + 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, value, (size_t)real + 1);
    free(n->value);
    n->value = copy;
    n->len = (size_t)real;
    return perms ? parse_perms(n, perms) : 0;
}

/* PATH = "VALUE"   (PERMS) */
static int parse_text(struct tree_node **root, char *line)
{
    char *value = strstr(line, " = \""), *end = strrchr(line, '"'), *perms;

    if (!value || end < value + 4)
        return -EINVAL;
    *value = '\0';
    value += 4;
    *end = '\0';
    perms = strchr(end + 1, '(');
    return set_node(root, line, value, (size_t)(end - value), perms ? perms + 1 : NULL);
}

/* The text of "key": "...", still quoted and cut off with a terminator; NULL when absent. */
static char *json_field(char *line, const char *key)
{
    char *s = strstr(line, key), *end;

    if (!s)
        return NULL;
    s += strlen(key);
    for (end = s; *end && *end != '"'; end++) {
        if (*end == '\\' && end[1])
            end++;
    }
    if (!*end)
        return NULL;
    *end = '\0';
    return s;
}

static int parse_json(struct tree_node **root, char *line)
{
    char *perms_at = strstr(line, "\", \"perms\": \""), *path, *value;

    if (!perms_at)
        return -EINVAL;
    while (strstr(perms_at + 1, "\", \"perms\": \""))    /* a value may quote the key */
        perms_at = strstr(perms_at + 1, "\", \"perms\": \"");
    perms_at = json_field(perms_at + 1, "\"perms\": \"");
    path = json_field(line, "{\"path\": \"");
    value = path ? json_field(path + strlen(path) + 1, "\"value\": \"") : NULL;
    if (!value || !perms_at)
        return -EINVAL;
    return set_node(root, path, value, strlen(value), perms_at);
}

int tree_parse(FILE *in, struct tree_node **root, unsigned *line_no)
{
    struct tree_node *tree = NULL;
    char *line = NULL;
    size_t size = 0;
    unsigned n = 0;
    ssize_t len;
    int rc = 0;

    while (!rc && (len = getline(&line, &size, in)) > 0) {
        n++;
        if (line[len - 1] == '\n')
            line[len - 1] = '\0';
        if (!line[0] || !strcmp(line, "[") || !strcmp(line, "]"))
            continue;
        rc = line[0] == '{' ? parse_json(&tree, line) : parse_text(&tree, line);
    }
    free(line);
    if (line_no)
        *line_no = n;
    if (!rc && !tree)
        rc = -EINVAL;
    if (rc && tree)
        tree_free(tree);
    if (rc)
        return rc;
    tree_sort(tree);
    *root = tree;
    return 0;
}
