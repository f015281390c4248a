/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch.c - what happens to domains, and what policies make of it
 *
 *   I1  a domain's state is the hypervisor's word; its policy is the record that only Dom0 can write.
 *   I2  one action a death: it is started when the domain is first seen down, and again only if its
 *       process failed and the domain is still there.
 *   I3  a domain that vane did not create is watched and reported, never acted upon.
 *   I4  a domain is announced once it has a name; each slot in use has one watch on its domain's name.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "../lib/create.h"
#include "../lib/handle.h"
#include "../store/watch.h"
#include "daemon.h"
#include "policy.h"
#include "vaned.h"

#define MAX_DOMS 1024
#define MAX_ATTEMPTS 3

struct seen {
    struct vane_dom d;
    bool used, there, down;
    bool named;                 /* announced, under d.name */
    bool console_settled;       /* it is known who serves its console */
    pid_t worker;
    unsigned attempts;
    enum vane_action action;
};

struct machine {                /* what outlives a domain: a virtual machine's restarts */
    struct vane_uuid uuid;
    struct policy_history history;
};

static struct seen seen[MAX_DOMS];
static struct machine machines[MAX_DOMS];
static struct watcher *watcher;
static unsigned losses;         /* of the watcher, up to which the handle's own connection is good */

static struct policy_history *history_of(const struct vane_uuid *u)
{
    static const struct vane_uuid none;
    unsigned free_slot = 0;

    for (unsigned i = 0; i < MAX_DOMS; i++) {
        if (memcmp(&machines[i].uuid, u, sizeof(*u)) == 0)
            return &machines[i].history;
        if (memcmp(&machines[i].uuid, &none, sizeof(none)) == 0)
            free_slot = i;
    }
    machines[free_slot] = (struct machine){ .uuid = *u };
    return &machines[free_slot].history;
}

/* ---- events ---- */

static char *event_line(const char *what, const struct vane_dom *d, const char *key, const char *value)
{
    struct json_object *o = json_object_new_object();
    char uuid[VANE_UUID_LEN], *line = NULL;
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    vane_uuid_format(uuid, &d->uuid);
    json_object_object_add(o, "time", json_object_new_double((double)ts.tv_sec +
                                                             (double)(ts.tv_nsec / 1000) / 1e6));
    json_object_object_add(o, "event", json_object_new_string(what));
    json_object_object_add(o, "domid", json_object_new_int((int)d->domid));
    json_object_object_add(o, "name", json_object_new_string(d->name));
    json_object_object_add(o, "uuid", json_object_new_string(uuid));
    if (key)
        json_object_object_add(o, key, json_object_new_string(value));
    if (asprintf(&line, "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                                               JSON_C_TO_STRING_NOSLASHESCAPE)) < 0)
        line = NULL;
    json_object_put(o);
    return line;
}

static void emit(const char *what, const struct vane_dom *d, const char *key, const char *value)
{
    char *line = event_line(what, d, key, value);

    if (line)
        clients_event(line);
    free(line);
}

void watch_state(struct vane *v, int fd)
{
    (void)v;
    for (unsigned i = 0; i < MAX_DOMS; i++) {
        char *line;

        if (!seen[i].used || !seen[i].named)
            continue;
        line = event_line("present", &seen[i].d, seen[i].down ? "down" : NULL,
                          vane_shutdown_name(seen[i].d.shutdown_reason));
        if (line && send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
            free(line);
            return;
        }
        free(line);
    }
}

/* ---- a death: why, and where every vCPU stood ---- */

static void write_registers(struct vane *v, FILE *f, uint32_t domid, uint32_t vcpu)
{
    vcpu_guest_context_any_t *any = calloc(1, sizeof(*any));

    if (any && xc_vcpu_getcontext(v->xc, domid, vcpu, any) == 0) {
        const cpu_user_regs_t *r = &any->c.user_regs;

        fprintf(f, "vcpu %u: rip %016llx cs %04x rflags %08llx rsp %016llx\n"
                "  rax %016llx rbx %016llx rcx %016llx rdx %016llx\n"
                "  rsi %016llx rdi %016llx rbp %016llx cr3 %016llx\n"
                "  r8  %016llx r9  %016llx r10 %016llx r11 %016llx\n"
                "  r12 %016llx r13 %016llx r14 %016llx r15 %016llx\n", vcpu,
                (unsigned long long)r->rip, r->cs, (unsigned long long)r->rflags,
                (unsigned long long)r->rsp, (unsigned long long)r->rax, (unsigned long long)r->rbx,
                (unsigned long long)r->rcx, (unsigned long long)r->rdx, (unsigned long long)r->rsi,
                (unsigned long long)r->rdi, (unsigned long long)r->rbp,
                (unsigned long long)any->c.ctrlreg[3], (unsigned long long)r->r8,
                (unsigned long long)r->r9, (unsigned long long)r->r10, (unsigned long long)r->r11,
                (unsigned long long)r->r12, (unsigned long long)r->r13, (unsigned long long)r->r14,
                (unsigned long long)r->r15);
    }
    free(any);
}

static void write_death(struct vane *v, const struct vane_dom *d, const char *action)
{
    char path[320], when[64];
    time_t now = time(NULL);
    FILE *f;
    int fd;

    if (strchr(d->name, '/'))
        return;
    snprintf(path, sizeof(path), VANE_LOG_DIR "/%s.death", d->name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!f)
        return;
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", localtime(&now));
    fprintf(f, "%s: domain %u (%s) went down: %s; action: %s\n", when, d->domid, d->name,
            vane_shutdown_name(d->shutdown_reason), action);
    if (d->shutdown_reason == SHUTDOWN_crash || d->shutdown_reason == SHUTDOWN_watchdog) {
        for (uint32_t i = 0; i <= d->vcpu_max_id && vane_xc(v); i++)
            write_registers(v, f, d->domid, i);
    }
    fclose(f);
}

/* ---- actions ---- */

static pid_t spawn_action(uint32_t domid, enum vane_action action)
{
    char path[512], id[16], *slash;
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 16);
    char verb[] = "act", *argv[] = { path, verb, id, NULL, NULL };
    extern char **environ;
    pid_t pid;

    if (n < 0)
        return 0;
    path[n] = '\0';
    slash = strrchr(path, '/');
    snprintf(slash ? slash + 1 : path, 16, "vane");
    snprintf(id, sizeof(id), "%u", domid);
    argv[3] = (char *)(uintptr_t)vane_action_name(action);
    return posix_spawn(&pid, path, NULL, NULL, argv, environ) == 0 ? pid : 0;
}

/* The policy of a domain that is down, from its record; false when it is not ours (I3). */
static bool decide(struct vane *v, const struct vane_dom *d, struct policy_decision *out)
{
    struct vane_config *cfg;
    size_t len = 0;
    char *text = vane_record_read(vane_record_of(d), &len);
    bool ours = text && vane_config_parse(v, "record", text, len, &cfg) == 0;

    if (ours) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        *out = policy_decide(cfg->on, d->shutdown_reason, history_of(&d->uuid), ts.tv_sec + 1);
        vane_config_free(cfg);
    }
    free(text);
    return ours;
}

static void went_down(struct vane *v, struct seen *s)
{
    struct policy_decision p = { ACT_PRESERVE, false };
    bool ours;

    consoles_drain(s->d.domid);
    ours = decide(v, &s->d, &p);
    s->down = true;
    s->action = p.action;
    emit(s->d.shutdown_reason == SHUTDOWN_crash ? "crash" : "shutdown", &s->d, "reason",
         vane_shutdown_name(s->d.shutdown_reason));
    if (!ours || s->d.shutdown_reason == SHUTDOWN_suspend)
        return;
    write_death(v, &s->d, p.limited ? "preserve (it restarts too often)" : vane_action_name(p.action));
    if (p.limited)
        emit("restart-limit", &s->d, NULL, NULL);
    if (p.action != ACT_PRESERVE) {
        emit("action", &s->d, "action", vane_action_name(p.action));
        s->worker = spawn_action(s->d.domid, p.action);
        s->attempts = 1;
    }
}

void watch_reap(struct vane *v)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (workers_reap(pid) || migrations_reap(pid))
            continue;
        for (unsigned i = 0; i < MAX_DOMS; i++) {
            struct seen *s = &seen[i];

            if (!s->used || s->worker != pid)
                continue;
            s->worker = 0;
            if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                continue;
            emit("action-failed", &s->d, "action", vane_action_name(s->action));
            if (s->attempts < MAX_ATTEMPTS) {                                       /* I2 */
                s->attempts++;
                s->worker = spawn_action(s->d.domid, s->action);
            }
        }
    }
    watch_scan(v);
}

/* ---- the scan ---- */

static struct seen *find(uint32_t domid)
{
    for (unsigned i = 0; i < MAX_DOMS; i++) {
        if (seen[i].used && seen[i].d.domid == domid)
            return &seen[i];
    }
    return NULL;
}

/* Set or take away the watch on a domain's name (I4). */
static void watch_name(uint32_t domid, bool on)
{
    char path[STORE_PATH_MAX];

    store_path_dom_name(path, sizeof(path), domid);
    if (!on)
        watcher_remove(watcher, path, "name");
    else if (watcher_add(watcher, path, "name") < 0)
        fprintf(stderr, "vaned: cannot watch the name of domain %u: %s\n", domid, strerror(errno));
}

static struct seen *add(const struct vane_dom *d)
{
    for (unsigned i = 0; i < MAX_DOMS; i++) {
        if (!seen[i].used) {
            seen[i] = (struct seen){ .used = true, .d = *d };
            watch_name(d->domid, true);
            return &seen[i];
        }
    }
    return NULL;
}

/* A death is the hypervisor's word (I1); the rest is for those who listen. */
static void follow(struct vane *v, struct seen *s, const struct vane_dom *now)
{
    if (now->paused != s->d.paused && !now->shutdown)
        emit(now->paused ? "paused" : "unpaused", now, NULL, NULL);
    s->d = *now;
    if (now->dying)                         /* our mapping of its ring would keep it from going */
        consoles_close(now->domid);
    else if (!s->console_settled)
        s->console_settled = consoles_open(v, now->domid, now->name);
    if (now->shutdown && !now->dying && !s->down)
        went_down(v, s);
    if (!now->shutdown)
        s->down = false;                    /* resumed after a suspend */
}

static void look_at(struct vane *v, struct vane_dom *now)
{
    struct seen *s = find(now->domid);

    if (!s)
        s = add(now);
    if (!s)
        return;
    s->there = true;
    memcpy(now->name, s->d.name, sizeof(now->name));
    if (s->named)
        follow(v, s, now);
}

/* The name's watch fires when it is set and after every change. */
static void name_event(struct vane *v, const char *path)
{
    struct store_arg args[STORE_ARGS_MAX];
    int id = store_match(path, strlen(path), args);
    struct seen *s = id == STORE_DOM_NAME ? find((uint32_t)args[0].n) : NULL;
    struct vane_dom now;

    if (!s)
        return;
    now = s->d;
    if (vane_dom_name(v, &now) < 0 || strcmp(now.name, "(null)") == 0)      /* half made, or half gone */
        return;
    if (!s->named) {
        memcpy(s->d.name, now.name, sizeof(now.name));
        s->named = true;
        emit("created", &s->d, NULL, NULL);
        if (vane_dom_state(v, now.domid, &now) == 0)
            look_at(v, &now);
    } else if (strcmp(s->d.name, now.name) != 0) {
        emit("renamed", &now, "from", s->d.name);
        memcpy(s->d.name, now.name, sizeof(now.name));
        consoles_rename(now.domid, now.name);
    }
}

void watch_scan(struct vane *v)
{
    struct vane_dom *list;
    int n = vane_dom_states(v, &list);

    if (n < 0)
        return;
    for (unsigned i = 0; i < MAX_DOMS; i++)
        seen[i].there = false;
    for (int i = 0; i < n; i++) {
        if (list[i].domid != 0)
            look_at(v, &list[i]);
    }
    free(list);
    for (unsigned i = 0; i < MAX_DOMS; i++) {
        if (seen[i].used && !seen[i].there) {
            if (seen[i].named)
                emit("destroyed", &seen[i].d, NULL, NULL);
            consoles_close(seen[i].d.domid);
            watch_name(seen[i].d.domid, false);
            memset(&seen[i], 0, sizeof(seen[i]));
        }
    }
}

/* ---- the watches ---- */

int watch_init(struct vane *v)
{
    watcher = watcher_open();
    if (!watcher || watcher_add(watcher, WATCH_DOMAIN_GONE, "gone") < 0 ||
        watcher_add(watcher, WATCH_DOMAIN_NEW, "new") < 0)
        return vane_fail(v, -EIO, "start xenstored", "cannot watch XenStore: %s", strerror(errno));
    return 0;
}

int watch_fd(void)
{
    return watcher_fd(watcher);
}

bool watch_events(struct vane *v)
{
    const char *path, *token;
    bool scan = false;

    while (watcher_next(watcher, 0, &path, &token) > 0) {
        if (watcher_losses(watcher) != losses && vane_xs_reopen(v) == 0)
            losses = watcher_losses(watcher);
        if (strcmp(token, "name") == 0)
            name_event(v, path);
        else
            scan = true;
    }
    return scan;
}
