/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * record_test.c - records survive whatever happens to their writer
 *
 * The system calls that write a record are counted (--wrap); at the n-th one the process is killed or the call
 * fails, for n = 1, 2, ... until all went well. Each time the record must be the old one or the new one.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../dom0-tools/migrate/record.h"
#include "../unit.h"

static int calls, kill_at, fail_at, fail_with;
static bool half;                       /* a failing write writes half */
static char dir[64];
static struct vane *v;

/* 0: go on; else the errno to fail with. */
static int count(void)
{
    calls++;
    if (calls == kill_at)
        raise(SIGKILL);
    return calls == fail_at ? fail_with : 0;
}

#define WRAP(type, name, args, pass)                                            \
    type __real_##name args;                                                    \
    type __wrap_##name args;                                                    \
    type __wrap_##name args                                                     \
    {                                                                           \
        int e = count();                                                        \
        if (e) {                                                                \
            errno = e;                                                          \
            return -1;                                                          \
        }                                                                       \
        return __real_##name pass;                                              \
    }
WRAP(int, fsync, (int fd), (fd))
WRAP(int, rename, (const char *a, const char *b), (a, b))

ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n)
{
    int e = count();

    if (e && half)
        return __real_write(fd, p, n / 2);
    if (e) {
        errno = e;
        return -1;
    }
    return __real_write(fd, p, n);
}

static struct migrate_record sample(void)
{
    struct migrate_record r = { .id = { { 9, 8, 7 } }, .role = MIGRATE_SOURCE, .state = MIG_SENDING, .epoch = 77,
                                .guest = { { 1, 2, 3 } }, .domid = 4711, .name = "web%1 of\tme", .boot = "b-o-o-t",
                                .mem_kb = 1u << 20, .paused = true, .peer = "other host",
                                .transport = "exec ssh 'a b' vane\nmigrate-receive", .why = "100% sure" };

    return r;
}

static bool same(const struct migrate_record *a, const struct migrate_record *b)
{
    return memcmp(&a->id, &b->id, 16) == 0 && a->role == b->role && a->state == b->state && a->epoch == b->epoch &&
           memcmp(&a->guest, &b->guest, 16) == 0 && a->domid == b->domid && strcmp(a->name, b->name) == 0 &&
           strcmp(a->boot, b->boot) == 0 && a->mem_kb == b->mem_kb && a->paused == b->paused && a->xl == b->xl &&
           strcmp(a->peer, b->peer) == 0 && strcmp(a->transport, b->transport) == 0 && strcmp(a->why, b->why) == 0;
}

static void test_text_and_back(void)
{
    struct migrate_record r = sample(), back;
    char text[RECORD_TEXT_MAX];
    size_t n = record_text(text, &r);

    CU_ASSERT_TRUE(n < sizeof(text) && strlen(text) == n);
    CU_ASSERT_EQUAL(record_parse(&back, text, n), 0);
    CU_ASSERT_TRUE(same(&r, &back));
    for (int s = 0; s < MIG_STATES; s++) {
        r.state = (enum migrate_state)s;
        n = record_text(text, &r);
        CU_ASSERT_TRUE(record_parse(&back, text, n) == 0 && back.state == r.state);
    }
}

/* The longest there can be, of the most awkward characters: cut, never more than fits. */
static void test_the_longest(void)
{
    struct migrate_record r = sample(), back;
    char text[RECORD_TEXT_MAX];
    size_t n;

    memset(r.name, '%', sizeof(r.name) - 1);
    memset(r.transport, '\n', sizeof(r.transport) - 1);
    memset(r.peer, 1, sizeof(r.peer) - 1);
    memset(r.why, '%', sizeof(r.why) - 1);
    n = record_text(text, &r);
    CU_ASSERT_TRUE(n < sizeof(text) && text[n] == '\0');
    CU_ASSERT_EQUAL(record_parse(&back, text, n), 0);
}

/* Any end cut off and any bit turned is noticed. */
static void test_damage_is_noticed(void)
{
    struct migrate_record r = sample(), back;
    char text[RECORD_TEXT_MAX];
    size_t n = record_text(text, &r);

    for (size_t cut = 0; cut < n; cut++)
        CU_ASSERT_EQUAL(record_parse(&back, text, cut), -EBADMSG);
    for (size_t i = 0; i < n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            text[i] = (char)(text[i] ^ (1 << bit));
            CU_ASSERT_EQUAL(record_parse(&back, text, n), -EBADMSG);
            text[i] = (char)(text[i] ^ (1 << bit));
        }
    }
}

static void fresh(void)
{
    char command[100];

    snprintf(command, sizeof(command), "rm -rf %s/state", dir);
    if (system(command) != 0)
        abort();
    kill_at = fail_at = calls = 0;
    half = false;
}

/* The old record, or the new one; never nothing, never a mixture. */
static enum migrate_state what_is_there(void)
{
    struct migrate_record r = sample(), got;
    int rc = record_load(v, r.role, &r.id, &got);

    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT_TRUE(got.state == MIG_SENDING || got.state == MIG_COMMITTING);
    r.state = got.state;
    CU_ASSERT_TRUE(same(&r, &got));
    return got.state;
}

static void test_killed_at_each_call(void)
{
    bool finished = false, saw_old = false;

    for (int n = 1; !finished && n < 50; n++) {
        struct migrate_record r = sample(), *list;
        int status;
        pid_t pid;

        fresh();
        CU_ASSERT_EQUAL(record_store(v, &r), 0);
        r.state = MIG_COMMITTING;
        pid = fork();
        if (pid == 0) {
            calls = 0;
            kill_at = n;
            _exit(record_store(v, &r) != 0);
        }
        waitpid(pid, &status, 0);
        finished = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        saw_old = what_is_there() == MIG_SENDING || saw_old;
        CU_ASSERT_TRUE(!finished || what_is_there() == MIG_COMMITTING);
        CU_ASSERT_EQUAL(record_list(v, &list), 1);              /* half a file is not listed */
        free(list);
    }
    CU_ASSERT_TRUE(finished && saw_old);
}

/* A call that fails: an error, the old record (or, when only the directory could not be flushed, the new one). */
static void failing(int error, bool short_write)
{
    bool finished = false;
    int n;

    for (n = 1; !finished && n < 50; n++) {
        struct migrate_record r = sample();
        int rc;

        fresh();
        CU_ASSERT_EQUAL(record_store(v, &r), 0);
        r.state = MIG_COMMITTING;
        calls = 0;
        fail_at = n;
        fail_with = error;
        half = short_write;
        rc = record_store(v, &r);
        finished = calls < n || (short_write && rc == 0 && n > 3);
        fail_at = 0;
        CU_ASSERT_TRUE(rc < 0 || what_is_there() == MIG_COMMITTING);
        CU_ASSERT_TRUE(rc == 0 || rc == -EIO || what_is_there() == MIG_SENDING);
        what_is_there();
    }
    CU_ASSERT_TRUE(finished && n > 3);
}

static void test_disk_full_at_each_call(void)
{
    failing(ENOSPC, false);
}

static void test_short_write(void)
{
    failing(ENOSPC, true);
}

static void test_list_and_remove(void)
{
    struct migrate_record r = sample(), t = sample(), got, *list;
    char path[256];
    FILE *f;

    fresh();
    CU_ASSERT_EQUAL(record_list(v, &list), 0);                  /* not even a directory */
    free(list);
    t.role = MIGRATE_TARGET;
    t.guest.b[0] = 99;
    CU_ASSERT_TRUE(record_store(v, &r) == 0 && record_store(v, &t) == 0);
    CU_ASSERT_EQUAL(record_list(v, &list), 2);
    free(list);
    CU_ASSERT_EQUAL(record_of_guest(v, MIGRATE_TARGET, &t.guest, &got), 0);
    CU_ASSERT_EQUAL(record_of_guest(v, MIGRATE_SOURCE, &t.guest, &got), -ENOENT);
    snprintf(path, sizeof(path), "%s/00000000-0000-0000-0000-000000000001.source", migrate_state_dir);
    f = fopen(path, "w");
    fputs("vane-migration 1\nid tor", f);
    fclose(f);
    CU_ASSERT_EQUAL(record_list(v, &list), 2);
    free(list);
    CU_ASSERT_EQUAL(record_remove(v, &r), 0);
    CU_ASSERT_EQUAL(record_remove(v, &r), 0);
    CU_ASSERT_EQUAL(record_load(v, r.role, &r.id, &got), -ENOENT);
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_text_and_back), UNIT(test_the_longest), UNIT(test_damage_is_noticed),
        UNIT(test_killed_at_each_call), UNIT(test_disk_full_at_each_call), UNIT(test_short_write),
        UNIT(test_list_and_remove), { 0 },
    };
    char state[100], command[100];
    int failed;

    snprintf(dir, sizeof(dir), "/tmp/record-XXXXXX");
    if (!mkdtemp(dir))
        return 2;
    snprintf(state, sizeof(state), "%s/state/migrations", dir);
    migrate_state_dir = state;
    v = vane_open(NULL, NULL);
    failed = unit_main("record", cases);
    vane_close(v);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command) != 0 || failed;
}
