/* SPDX-License-Identifier: MIT */
/*
 * xsgen.c - reads the .xs files, checks that they make sense together, writes what follows from
 * them
 *
 *   xsgen header|tables|docs|test FILE...      to standard output
 *
 *   I1  every path's directory is declared, so every node has declared permissions.
 *   I2  what an absolute path matches is settled segment by segment: siblings in the trie differ in
 *       their fixed text, at most one per fixed text has a placeholder, and a fixed segment comes
 *       before a placeholder that could take the same name (<kind> never stands for vbd).
 *   I3  whoever is named as a writer has the permission to write, a reader to read.
 *
 * A mistake ends the build with FILE:LINE and the reason; nothing is guessed. Tables have fixed
 * sizes: this runs on our own files, and says so when one is full.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xsgen.h"

struct gen_type types[MAX_TYPES];
struct gen_path paths[MAX_PATHS];
struct gen_seg segs[MAX_SEGS] = { { .param = -1, .child = -1, .next = -1, .path = -1,
                                    .rest = -1 } };
int ntypes, npaths, nsegs = 1, version;

struct gen_base {
    char name[32], pattern[MAX_TEXT];
};

static struct gen_base bases[MAX_BASES];
static int nbases, line_no;
static const char *file_name = "xsgen", *section = "";

const char *const kinds[] = { "none", "any", "uint", "str", "enum", "path", "ref", "uuid",
                                     "mac", "majmin", "word", NULL };
const char *const roles[] = { "tool", "guest", "back", "script", "consoled", "stored", "any",
                                     NULL };
const char *const lives[] = { "boot", "create", "build", "attach", "connect", "run", "end",
                                     NULL };

static void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
static void die(const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "%s:%d: ", file_name, line_no);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(1);
}

static void copy(char *to, size_t size, const char *from)
{
    if ((size_t)snprintf(to, size, "%s", from) >= size)
        die("too long: %s", from);
}

static int index_of(const char *const list[], const char *word)
{
    for (int i = 0; list[i]; i++) {
        if (!strcmp(list[i], word))
            return i;
    }
    die("unknown word: %s", word);
}

static int type_find(const char *name)
{
    for (int i = 0; i < ntypes; i++) {
        if (!strcmp(types[i].name, name))
            return i;
    }
    return -1;
}

static int type_add(struct gen_type t)
{
    if (ntypes == MAX_TYPES)
        die("too many types");
    if (type_find(t.name) >= 0)
        die("type %s again", t.name);
    types[ntypes] = t;
    return ntypes++;
}

/* type NAME KIND [LO HI | WORD...] [empty] */
static void parse_type(char **tok, int n)
{
    struct gen_type t = { .kind = 0 };

    if (n < 3)
        die("type NAME KIND ...");
    copy(t.name, sizeof(t.name), tok[1]);
    t.kind = index_of(kinds, tok[2]);
    if (!strcmp(tok[n - 1], "empty")) {
        t.empty = true;
        n--;
    }
    if (t.kind == STORE_KIND_UINT || t.kind == STORE_KIND_STR) {
        if (n != 5)
            die("a range is two numbers");
        t.lo = strtoull(tok[3], NULL, 10);
        t.hi = strtoull(tok[4], NULL, 10);
    }
    for (int i = 3; t.kind == STORE_KIND_ENUM && i < n; i++) {
        if (t.nwords == MAX_WORDS)
            die("too many words");
        copy(t.words[t.nwords++], sizeof(t.words[0]), tok[i]);
        t.hi = (uint64_t)t.nwords - 1;
    }
    if (t.lo > t.hi || (t.kind == STORE_KIND_ENUM && !t.nwords))
        die("no value fits %s", t.name);
    type_add(t);
}

static void parse_base(char **tok, int n)
{
    if (n != 3 || nbases == MAX_BASES)
        die("base NAME /PATTERN, at most %d of them", MAX_BASES);
    copy(bases[nbases].name, sizeof(bases[0].name), tok[1]);
    copy(bases[nbases++].pattern, sizeof(bases[0].pattern), tok[2]);
}

/* TYPE column: a type's name, NAME? for "or empty", @ID for a path that matches ID. */
static int parse_type_use(char *word)
{
    struct gen_type t;
    size_t len = strlen(word);
    int i = type_find(word);

    if (i >= 0)
        return i;
    if (word[0] == '@') {
        t = (struct gen_type){ .kind = STORE_KIND_REF };
    } else if (word[len - 1] == '?') {
        word[len - 1] = '\0';
        i = type_find(word);
        word[len - 1] = '?';
        if (i < 0)
            die("no such type: %s", word);
        t = types[i];
        t.empty = true;
    } else {
        die("no such type: %s", word);
    }
    copy(t.name, sizeof(t.name), word);
    return type_add(t);
}

static int parse_roles(char *list)
{
    int mask = 0;

    for (char *w = strtok(list, ","); w; w = strtok(NULL, ","))
        mask |= 1 << index_of(roles, w);
    return mask;
}

static void parse_perms(struct gen_path *p, char *list)
{
    copy(p->perms, sizeof(p->perms), list);
    for (char *w = strtok(list, ","); w; w = strtok(NULL, ",")) {
        struct store_acl *e = &p->perm[p->nperms];

        if (p->nperms++ == STORE_PERMS_MAX || strlen(w) != 2 || !strchr("nrwb", w[0]))
            die("bad permission: %s", w);
        e->access = w[0];
        e->who = w[1] == 'D' ? STORE_WHO_GUEST : w[1] == 'B' ? STORE_WHO_BACK : STORE_WHO_DOM0;
        if (!strchr("0DB", w[1]))
            die("permission for whom: %s", w);
    }
}

/* I3. Dom0 may do anything; the first entry is the owner, who may do anything to the node. */
static bool may(const struct gen_path *p, int who, const char *access)
{
    for (int i = 0; i < p->nperms; i++) {
        if (p->perm[i].who == who && (i == 0 || strchr(access, p->perm[i].access)))
            return true;
    }
    return p->nperms > 0 && strchr(access, p->perm[0].access) != NULL;
}

static void check_roles(struct gen_path *p)
{
    p->forgeable = may(p, STORE_WHO_GUEST, "wb");
    if ((p->writers & STORE_ROLE_GUEST) && !p->forgeable)
        die("the guest may not write %s", p->pattern);
    if ((p->readers & STORE_ROLE_GUEST) && !may(p, STORE_WHO_GUEST, "rb"))
        die("the guest may not read %s", p->pattern);
}

/* C name of a pattern: its base and the fixed text; a closing bare placeholder adds its name. */
static void name_path(struct gen_path *p, const char *spelling)
{
    char id[MAX_TEXT - 8] = "";
    size_t n = 0;

    for (const char *s = spelling; *s && n < sizeof(id) - 2; s++) {
        const char *end;

        if (*s != '<') {
            bool sep = !isalnum((unsigned char)*s);

            if (!sep || (n && id[n - 1] != '_' && s[1] && s[1] != '<'))
                id[n++] = sep ? '_' : (char)toupper((unsigned char)*s);
            continue;
        }
        end = strchr(s, '>');
        if (!end[1] && s[-1] != '-') {
            if (n && id[n - 1] != '_')
                id[n++] = '_';
            for (s++; *s != '>' && *s != ':'; s++)
                id[n++] = (char)toupper((unsigned char)*s);
        }
        s = end;
        if (end[1] && n && id[n - 1] != '_')
            id[n++] = '_';
    }
    while (n && id[n - 1] == '_')
        n--;
    id[n] = '\0';
    snprintf(p->id, sizeof(p->id), "%s%s", id, strstr(spelling, "**") ? "_REST" : "");
    for (int i = 0; i < npaths; i++) {
        if (!strcmp(paths[i].id, p->id))
            die("%s and %s get the same name", p->pattern, paths[i].pattern);
    }
}

static int seg_child(int parent, const char *lit, int param)
{
    int *link = &segs[parent].child;

    while (*link >= 0 && !(segs[*link].param == param && !strcmp(segs[*link].lit, lit))) {
        if (param >= 0 && segs[*link].param >= 0 && !strcmp(segs[*link].lit, lit))
            die("%s: two kinds of placeholder in one place", lit);                  /* I2 */
        if (param < 0 && segs[*link].param >= 0)
            break;                                              /* fixed segments come first */
        link = &segs[*link].next;
    }
    if (*link >= 0 && segs[*link].param == param && !strcmp(segs[*link].lit, lit))
        return *link;
    if (nsegs == MAX_SEGS)
        die("too many segments");
    segs[nsegs] = (struct gen_seg){ .param = param, .parent = parent, .child = -1, .next = *link,
                                    .path = -1, .rest = -1 };
    copy(segs[nsegs].lit, sizeof(segs[0].lit), lit);
    *link = nsegs;
    return nsegs++;
}

static int parse_param(struct gen_path *p, char *text)
{
    char *type = strchr(text, ':');
    int t, arg = p->nparams++;

    if (type)
        *type++ = '\0';
    t = type_find(type ? type : text);
    if (t < 0 || arg == STORE_ARGS_MAX)
        die("placeholder %s: no such type, or too many", text);
    copy(p->params[arg], sizeof(p->params[0]), text);
    p->arg_type[arg] = t;
    if (!strcmp(text, "domid"))
        p->arg_dom = arg;
    if (!strcmp(text, "backid"))
        p->arg_back = arg;
    return t;
}

static void place_path(struct gen_path *p, int index)
{
    char text[MAX_TEXT];
    int at = 0, depth = 0;

    copy(text, sizeof(text), p->pattern);
    for (char *s = strtok(text, "/"); s; s = strtok(NULL, "/")) {
        char *open = strchr(s, '<');
        int param = -1;

        if (++depth > MAX_DEPTH)
            die("too deep");
        if (!strcmp(s, "**")) {
            p->rest = true;
            break;
        }
        if (open) {
            *open = '\0';
            open[strcspn(open + 1, ">") + 1] = '\0';
            param = parse_param(p, open + 1);
        }
        at = seg_child(at, s, param);
    }
    if (p->rest ? segs[at].rest >= 0 : segs[at].path >= 0)
        die("%s is declared twice", p->pattern);
    *(p->rest ? &segs[at].rest : &segs[at].path) = index;
    p->seg = at;
}

/* PATH = TYPE WRITERS READERS PERMS must|may LIFE "MEANING" */
static void parse_path(char **tok, int n)
{
    struct gen_path *p = &paths[npaths];
    char *slash = strchr(tok[0], '/');

    if (n != 9 || strcmp(tok[1], "=") || npaths == MAX_PATHS)
        die("PATH = TYPE WRITERS READERS PERMS must|may LIFE \"MEANING\"");
    p->arg_dom = p->arg_back = -1;
    copy(p->pattern, sizeof(p->pattern), tok[0]);
    if (slash != tok[0]) {
        size_t len = slash ? (size_t)(slash - tok[0]) : strlen(tok[0]);
        int b = 0;

        while (b < nbases && (strncmp(bases[b].name, tok[0], len) || bases[b].name[len]))
            b++;
        if (b == nbases)
            die("no such base: %s", tok[0]);
        snprintf(p->pattern, sizeof(p->pattern), "%s%s", bases[b].pattern, slash ? slash : "");
    }
    p->section = section;
    name_path(p, tok[0]);
    p->type = parse_type_use(tok[2]);
    p->writers = parse_roles(tok[3]);
    p->readers = parse_roles(tok[4]);
    parse_perms(p, tok[5]);
    p->must = !strcmp(tok[6], "must");
    if (!p->must && strcmp(tok[6], "may"))
        die("must or may, not %s", tok[6]);
    p->life = index_of(lives, tok[7]);
    copy(p->meaning, sizeof(p->meaning), tok[8]);
    check_roles(p);
    place_path(p, npaths++);
}

/* Blank-separated words; the last may be "in quotes"; # starts a comment. */
static int split(char *line, char **tok)
{
    int n = 0;

    for (char *s = line; n < MAX_TOKENS;) {
        s += strspn(s, " \t\n");
        if (!*s || *s == '#')
            return n;
        if (*s == '"') {
            tok[n++] = ++s;
            s += strcspn(s, "\"");
        } else {
            tok[n++] = s;
            s += strcspn(s, " \t\n");
        }
        if (*s)
            *s++ = '\0';
    }
    die("too many words");
}

static void read_file(const char *name)
{
    char line[1024], *tok[MAX_TOKENS];
    FILE *f = fopen(name, "r");

    file_name = name;
    line_no = 0;
    if (!f)
        die("cannot open");
    while (fgets(line, sizeof(line), f)) {
        int n;

        line_no++;
        n = split(line, tok);
        if (n && !strcmp(tok[0], "version"))
            version = n == 2 ? atoi(tok[1]) : 0;
        else if (n && !strcmp(tok[0], "type"))
            parse_type(tok, n);
        else if (n && !strcmp(tok[0], "base"))
            parse_base(tok, n);
        else if (n == 2 && !strcmp(tok[0], "section"))
            section = strdup(tok[1]);
        else if (n)
            parse_path(tok, n);
    }
    fclose(f);
}

/* What can only be judged once every file is read. */
static void resolve(void)
{
    if (version < 1)
        die("no version");
    for (int i = 0; i < npaths; i++) {
        struct gen_path *p = &paths[i];
        int up = p->rest ? p->seg : segs[p->seg].parent;

        if (up != 0 && segs[up].path < 0)
            die("%s: its directory is not declared", p->pattern);                   /* I1 */
    }
    for (int i = 0; i < ntypes; i++) {
        int id = 0;

        if (types[i].kind != STORE_KIND_REF)
            continue;
        while (id < npaths && strcmp(paths[id].id, types[i].name + 1))
            id++;
        if (id == npaths)
            die("%s refers to nothing", types[i].name);
        types[i].hi = (uint64_t)id;
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: xsgen header|tables|docs|test FILE...\n");
        return 2;
    }
    for (int i = 2; i < argc; i++)
        read_file(argv[i]);
    resolve();
    return emit(argv[1]);
}
