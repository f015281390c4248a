/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * handover_test.c - the two sides of a migration against each other, with every place to die
 *
 * source.c, target.c and all below them run as they are, in processes of their own over pipes; only the guest is
 * make-believe (world.c). After each accident, recovery does what vaned would do, and there must be one outcome.
 *
 *   handover_test relay DIR      the transport: starts the target, carries bytes, cuts or stops
 *   handover_test target DIR     `vane migrate-receive`
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../dom0-tools/migrate/source.h"
#include "../../../dom0-tools/migrate/target.h"
#include "../unit.h"
#include "world.h"

static char dir[64], transport[400], self[300];
static struct vane *v;
static const struct vane_dom guest = { .domid = 5, .name = "m", .uuid = { { 1, 2, 3 } }, .mem_kb = 1024 };

/* ---- the other programs ---- */

static void say_why(void *opaque, enum vane_log_level level, const char *line)
{
    (void)opaque;
    if (getenv("VERBOSE") && level >= VANE_INFO)
        fprintf(stderr, "%8lld [%d] %s\n", (long long)vane_now_ms() % 1000000, (int)world_side, line);
}

static int target_main(const char *d)
{
    int rc;

    world_open(d, MIGRATE_TARGET);
    v = vane_open(say_why, NULL);
    rc = migrate_target(v, 0, 1, false);
    if (rc < 0)
        say_why(NULL, VANE_INFO, vane_last_error(v)->what);
    vane_close(v);
    return rc < 0;
}

/* Carry what there is; false at the end, or at the byte where this direction is cut. */
static bool carry(int direction, bool faulty, long *done, int from, int to)
{
    long limit = faulty ? world->cut_at[direction] : -1;
    char buf[4096];
    ssize_t n = read(from, buf, sizeof(buf));

    if (n <= 0)
        return false;
    if (faulty && direction == UP && world->flip_at >= *done && world->flip_at < *done + n)
        buf[world->flip_at - *done] ^= 4;
    if (limit >= 0 && *done + n > limit) {
        n = limit - *done;
        if (n > 0 && write(to, buf, (size_t)n) != n)
            return false;
        if (world->fault == LINK_STALL)
            for (;;)
                pause();
        return false;
    }
    *done += n;
    return write(to, buf, (size_t)n) == n;
}

static int relay_main(const char *d)
{
    bool faulty;
    long done[2] = { 0, 0 };
    int in[2], out[2];

    world_open(d, MIGRATE_SOURCE);
    signal(SIGPIPE, SIG_IGN);
    faulty = atomic_fetch_add(&world->connections, 1) == 0;
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        return 1;
    if (fork() == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execl(self, self, "target", d, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    for (;;) {
        struct pollfd p[2] = { { 0, POLLIN, 0 }, { out[0], POLLIN, 0 } };

        if (poll(p, 2, -1) < 0)
            return 1;
        if (p[1].revents && !carry(DOWN, faulty, &done[DOWN], out[0], 1))
            return 0;
        if (p[0].revents && !carry(UP, faulty, &done[UP], 0, in[1]))
            return 0;
    }
}

/* ---- a case ---- */

static void begin(void)
{
    char command[200];
    int last = world ? 1 : 0;

    (void)last;
    snprintf(command, sizeof(command), "rm -rf %s/0 %s/1", dir, dir);
    if (system(command) != 0)
        abort();
    world_open(dir, MIGRATE_SOURCE);
    memset(world, 0, sizeof(*world));
    atomic_store(&world->copy[MIGRATE_SOURCE], GUEST_RUNS);
    world->cut_at[UP] = world->cut_at[DOWN] = world->flip_at = -1;
}

static int source_process(int stall_s)
{
    struct migrate_options o = { .transport = transport, .peer = "there", .stall_s = stall_s };
    struct migrate_result result;
    struct vane *h = vane_open(say_why, NULL);
    int rc;

    o.copy.codec = STREAM_ZERO;
    signal(SIGPIPE, SIG_IGN);
    rc = migrate_source(h, &guest, &o, &result);
    if (rc < 0)
        say_why(NULL, VANE_INFO, vane_last_error(h)->what);
    vane_close(h);
    return rc < 0 ? 1 : 0;
}

/* Run the source in a process of its own: its exit status, or -1 when it was killed. */
static int migrate(int stall_s)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(source_process(stall_s));
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static unsigned records(enum migrate_role role)
{
    struct migrate_record *list;
    int n;

    world_open(dir, role);
    n = record_list(v, &list);
    free(list);
    world_open(dir, MIGRATE_SOURCE);
    return (unsigned)n;
}

/* What vaned does on both hosts, until nothing is left to do. */
static void recover(void)
{
    for (unsigned i = 0; i < 6 && records(MIGRATE_SOURCE) + records(MIGRATE_TARGET) > 0; i++) {
        for (int role = MIGRATE_SOURCE; role <= MIGRATE_TARGET; role++) {
            pid_t pid = fork();

            if (pid == 0) {
                struct migrate_record *list;
                enum migrate_fate fate;
                int n, rc = 0;

                world_open(dir, (enum migrate_role)role);
                world->kill_at[role] = 0;
                world->store_fails_at[role] = 0;
                v = vane_open(say_why, NULL);
                signal(SIGPIPE, SIG_IGN);
                n = record_list(v, &list);
                for (int k = 0; k < n; k++) {
                    rc = role == MIGRATE_SOURCE ? migrate_recover_source(v, &list[k], &fate)
                                                : migrate_recover_target(v, &list[k]);
                    if (rc < 0)
                        say_why(NULL, VANE_INFO, vane_last_error(v)->what);
                }
                _exit(rc < 0);
            }
            waitpid(pid, NULL, 0);
        }
    }
}

/* Targets of dead links may still be about to notice. */
static void settle(void)
{
    for (unsigned i = 0; i < 200; i++) {
        world_open(dir, MIGRATE_TARGET);
        pid_t pid = work_holder(MIGRATE_TARGET, &guest.uuid);
        world_open(dir, MIGRATE_SOURCE);
        if (pid == 0)
            return;
        usleep(10000);
    }
}

static bool moved(void)
{
    return atomic_load(&world->copy[MIGRATE_TARGET]) == GUEST_RUNS &&
           atomic_load(&world->copy[MIGRATE_SOURCE]) == GUEST_GONE;
}

static bool stayed(void)
{
    return atomic_load(&world->copy[MIGRATE_SOURCE]) == GUEST_RUNS &&
           atomic_load(&world->copy[MIGRATE_TARGET]) == GUEST_GONE;
}

/* After an accident: recovery, then one outcome and no rule broken. */
static void judge(const char *what, long n)
{
    bool good;

    settle();
    recover();
    good = (moved() || stayed()) && atomic_load(&world->wrong) == 0 && records(MIGRATE_SOURCE) == 0 &&
           records(MIGRATE_TARGET) == 0;
    CU_ASSERT_TRUE(good);
    if (!good)
        printf("%s %ld: source copy %d, target copy %d, records %u and %u; %s\n", what, n,
               (int)world->copy[MIGRATE_SOURCE], (int)world->copy[MIGRATE_TARGET], records(MIGRATE_SOURCE),
               records(MIGRATE_TARGET), world->what);
}

/* ---- tests ---- */

static void test_it_moves(void)
{
    begin();
    CU_ASSERT_EQUAL(migrate(0), 0);
    CU_ASSERT_TRUE(moved());
    CU_ASSERT_TRUE(atomic_load(&world->frames));
    CU_ASSERT_EQUAL(records(MIGRATE_SOURCE) + records(MIGRATE_TARGET), 0);
    CU_ASSERT_EQUAL(atomic_load(&world->wrong), 0);
    CU_ASSERT_EQUAL(atomic_load(&world->connections), 1);
}

static void test_refusals_leave_it_here(void)
{
    for (int i = 0; i < 4; i++) {
        begin();
        world->welcome_fails = i == 0;
        world->receive_fails = i == 1;
        world->settle_fails = i == 2;
        world->start_fails = i == 3;
        CU_ASSERT_EQUAL(migrate(0), 1);
        CU_ASSERT_TRUE(stayed());
        judge("refusal", i);
    }
}

/* A copy that cannot be removed: the promise that it never starts counts all the same. */
static void test_copy_stays_for_a_while(void)
{
    begin();
    world->start_fails = true;
    atomic_store(&world->undroppable, 1000);
    CU_ASSERT_EQUAL(migrate(0), 1);
    CU_ASSERT_EQUAL(atomic_load(&world->copy[MIGRATE_SOURCE]), GUEST_RUNS);
    CU_ASSERT_EQUAL(records(MIGRATE_TARGET), 1);
    atomic_store(&world->undroppable, 0);
    settle();
    judge("copy removed late", 0);
}

/* A killed process, at each of its steps until there are no more. */
static void killed(enum migrate_role role)
{
    int moves = 0, stays = 0;

    for (int n = 1; n < 100; n++) {
        begin();
        world->kill_at[role] = n;
        migrate(0);
        settle();
        if (atomic_load(&world->steps[role]) < n)
            break;
        judge(role == MIGRATE_SOURCE ? "source killed at step" : "target killed at step", n);
        moves += moved();
        stays += stayed();
    }
    CU_ASSERT_TRUE(moves > 2 && stays > 2);         /* the steps lie on both sides of the decision */
}

static void test_source_killed(void)
{
    killed(MIGRATE_SOURCE);
}

static void test_target_killed(void)
{
    killed(MIGRATE_TARGET);
}

/* A full disk at each record. */
static void test_records_cannot_be_written(void)
{
    for (int role = MIGRATE_SOURCE; role <= MIGRATE_TARGET; role++) {
        int n;

        for (n = 1; n < 20; n++) {
            begin();
            world->store_fails_at[role] = n;
            migrate(0);
            if (!atomic_load(&world->started))      /* not told to start there: it went on by itself */
                CU_ASSERT_EQUAL(atomic_load(&world->copy[MIGRATE_SOURCE]), GUEST_RUNS);
            settle();
            if (atomic_load(&world->stores[role]) < n)
                break;
            judge(role == MIGRATE_SOURCE ? "source's record not written" : "target's record not written", n);
        }
        CU_ASSERT_TRUE(n > 3);
    }
}

/* The link cut after each byte that matters: all of what the target says, the start and the end of what it hears. */
static void cut(int direction, long from, long to, long every)
{
    for (long n = from; n < to; n += every) {
        begin();
        world->cut_at[direction] = n;
        migrate(0);
        judge(direction == UP ? "cut to the target after byte" : "cut to the source after byte", n);
    }
}

static void test_link_cut(void)
{
    long image;

    begin();
    cut(DOWN, 0, 54 + 5 * 56, 17);
    for (image = 20000; image < 21000; image++) {   /* find where the image ends: COMMIT comes after it */
        begin();
        world->cut_at[UP] = image;
        migrate(0);
        judge("cut to the target after byte", image);
        if (moved())
            break;
        image += 150;
    }
    CU_ASSERT_TRUE(image < 21000);
    cut(UP, image - 200, image + 60, 17);
    cut(UP, image + 60, image + 200000, 49999);     /* among the frames that follow */
    begin();
    world->fault = LINK_STALL;
    world->cut_at[UP] = image + 5000;
    migrate(1);
    judge("stalled to the target after byte", image + 5000);
    CU_ASSERT_TRUE(moved());
    cut(UP, 0, 600, 199);
}

/* The first words of the source: if one is not what it was, the target is not taken for xl's, and has nothing. */
static void test_offer_is_damaged(void)
{
    char text[RECORD_TEXT_MAX];
    struct migrate_record r = { .name = "m" };
    long n = (long)record_text(text, &r);

    for (long at = 8; at < n; at += 11) {           /* behind "XL00" and the length; ours is shorter than the real one */
        begin();
        world->flip_at = at;
        CU_ASSERT_EQUAL(migrate(0), 1);
        CU_ASSERT_TRUE(stayed());
        judge("a bit flipped in byte", at);
    }
}

/* A link that stands still: the guest runs again although nobody says that the link is dead. */
static void test_link_stalls(void)
{
    static const long at[] = { 10, 60, 54 + 56 + 40 };              /* within the banner, HELLO, and READY */

    for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        begin();
        world->fault = LINK_STALL;
        world->cut_at[DOWN] = at[i];
        migrate(1);
        judge("stalled to the source after byte", at[i]);
    }
}

/* A source in a process of its own, which waits in the middle of the image until world->hold is taken back. */
static pid_t held_source(void)
{
    pid_t pid;

    atomic_store(&world->hold, true);
    pid = fork();
    if (pid == 0)
        _exit(source_process(0));
    while (!atomic_load(&world->holding))
        usleep(1000);
    return pid;
}

/* Two of one guest at once. */
static void test_second_is_refused(void)
{
    pid_t pid;
    int status;

    begin();
    pid = held_source();
    CU_ASSERT_EQUAL(migrate(0), 1);
    CU_ASSERT_EQUAL(atomic_load(&world->connections), 1);       /* it did not come to that */
    atomic_store(&world->hold, false);
    waitpid(pid, &status, 0);
    CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    judge("two at once", 0);
    CU_ASSERT_TRUE(moved());
}

/* A target that thinks for longer than the source waits for its first word: what need not be agreed on is there all the same. */
static void test_target_is_heard_late(void)
{
    pid_t pid;
    int status;

    begin();
    world->welcome_ms = 4000;
    pid = held_source();
    CU_ASSERT_EQUAL(records(MIGRATE_TARGET), 0);    /* so the source has not waited for it */
    while (records(MIGRATE_TARGET) == 0)
        usleep(1000);
    usleep(300000);                                 /* HELLO comes directly behind the record */
    atomic_store(&world->hold, false);
    waitpid(pid, &status, 0);
    CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CU_ASSERT_TRUE(atomic_load(&world->summed));
    CU_ASSERT_TRUE(atomic_load(&world->frames));
    judge("heard late", 0);
    CU_ASSERT_TRUE(moved());
}

/* ---- a source of the test's own, which says what it likes ---- */

static struct message word(enum message_type type, const struct vane_uuid *id, uint64_t epoch)
{
    return (struct message){ .type = type, .id = *id, .epoch = epoch };
}

static int no_progress(void *opaque, const struct save_progress *p)
{
    (void)opaque;
    (void)p;
    return 0;
}

/* As far as READY. */
static bool image_over(struct link *l, struct vane_uuid *id)
{
    static atomic_bool never;
    struct migrate_record r = { .role = MIGRATE_SOURCE, .state = MIG_SENDING, .epoch = 3, .guest = guest.uuid,
                                .domid = 5, .name = "m", .boot = "b" };
    char offer[RECORD_TEXT_MAX];
    struct save_options o = { .offer = offer, .progress = no_progress, .cancel = &never };
    struct message m;
    int64_t down;

    vane_uuid_random(id);
    r.id = *id;
    o.offer_len = record_text(offer, &r);
    return link_open(v, transport, 20000, l) == 0 && link_listen(v, l, NULL) == 0 &&
           guest_send(v, &r, l->to, &o, &down) == 0 && link_next(l, 20000, &m) == 0 && m.state == MIG_READY;
}

static void test_old_doubled_and_foreign_messages(void)
{
    struct vane_uuid id, other;
    struct message m, answer;
    struct link l;

    begin();
    CU_ASSERT_FATAL(image_over(&l, &id));
    vane_uuid_random(&other);
    m = word(MSG_COMMIT, &id, 2);                               /* of an epoch gone by */
    CU_ASSERT_EQUAL(message_write(l.to, 1000, &m), 0);
    CU_ASSERT_EQUAL(link_next(&l, 300, &answer), -ETIMEDOUT);
    CU_ASSERT_FALSE(atomic_load(&world->started));
    m = word(MSG_QUERY, &id, 3);
    CU_ASSERT_EQUAL(message_write(l.to, 1000, &m), 0);
    CU_ASSERT_TRUE(link_next(&l, 20000, &answer) == 0 && answer.state == MIG_READY);
    m = word(MSG_FINISH, &id, 3);                               /* out of turn: it is not forgotten */
    CU_ASSERT_EQUAL(message_write(l.to, 1000, &m), 0);
    CU_ASSERT_TRUE(link_next(&l, 20000, &answer) == 0 && answer.state == MIG_READY);
    m = word(MSG_COMMIT, &id, 3);
    for (int i = 0; i < 2; i++) {                               /* twice: started once, answered twice */
        CU_ASSERT_EQUAL(message_write(l.to, 1000, &m), 0);
        CU_ASSERT_TRUE(link_next(&l, 20000, &answer) == 0 && answer.state == MIG_RUNNING);
    }
    m = word(MSG_DISCARD, &id, 3);                              /* too late */
    CU_ASSERT_EQUAL(message_write(l.to, 1000, &m), 0);
    CU_ASSERT_TRUE(link_next(&l, 20000, &answer) == 0 && answer.state == MIG_RUNNING);
    m = word(MSG_COMMIT, &other, 9);                            /* not ours: the connection ends */
    CU_ASSERT_EQUAL(message_write(l.to, 1000, &m), 0);
    CU_ASSERT_EQUAL(link_next(&l, 20000, &answer), -EPIPE);
    link_close(&l);
    CU_ASSERT_EQUAL(atomic_load(&world->wrong), 0);
}

/* A newer connection takes the migration over; the older one, which may still say things, is ended. */
static void test_newer_connection_takes_over(void)
{
    struct vane_uuid id;
    struct message m, answer;
    struct link old, new;

    begin();
    CU_ASSERT_FATAL(image_over(&old, &id));
    CU_ASSERT_FATAL(link_open(v, transport, 20000, &new) == 0 && link_listen(v, &new, NULL) == 0);
    m = word(MSG_DISCARD, &id, 4);
    CU_ASSERT_EQUAL(message_write(new.to, 1000, &m), 0);
    CU_ASSERT_TRUE(link_next(&new, 20000, &answer) == 0 && answer.state == MIG_DISCARDED);
    m = word(MSG_COMMIT, &id, 3);
    if (message_write(old.to, 1000, &m) == 0)
        CU_ASSERT_EQUAL(link_next(&old, 20000, &answer), -EPIPE);
    CU_ASSERT_FALSE(atomic_load(&world->started));
    link_close(&old);
    m = word(MSG_COMMIT, &id, 5);                               /* it has promised */
    CU_ASSERT_EQUAL(message_write(new.to, 1000, &m), 0);
    CU_ASSERT_TRUE(link_next(&new, 20000, &answer) == 0 && answer.state == MIG_DISCARDED);
    link_close(&new);
    CU_ASSERT_FALSE(atomic_load(&world->started));
}

static void test_garbage(void)
{
    static const char head[] = MESSAGE_MAGIC "\x01\x00\x06\x00\xff\xff\xff\xff and so on, and on, and on, and on";
    struct vane_uuid id;
    struct message answer;
    struct link l;

    begin();
    CU_ASSERT_FATAL(image_over(&l, &id));
    CU_ASSERT_EQUAL(bytes_write(l.to, 1000, head, sizeof(head)), 0);
    CU_ASSERT_EQUAL(link_next(&l, 20000, &answer), -EPIPE);
    link_close(&l);
    CU_ASSERT_EQUAL(records(MIGRATE_TARGET), 1);                /* the copy is kept until the source says */
    CU_ASSERT_EQUAL(atomic_load(&world->copy[MIGRATE_TARGET]), GUEST_STILL);
    CU_ASSERT_FALSE(atomic_load(&world->started));
}

/* The whole image is over, and then the source's host loses its power: it comes back with its record alone. */
static bool power_lost_at_source(struct migrate_record *copy)
{
    struct migrate_record r = { .role = MIGRATE_SOURCE, .state = MIG_SENDING, .epoch = 3, .guest = guest.uuid,
                                .domid = 5, .name = "m", .boot = "b", .peer = "there" };
    struct link l;
    bool ready = image_over(&l, &r.id);

    link_close(&l);
    snprintf(r.transport, sizeof(r.transport), "%s", transport);
    atomic_store(&world->copy[MIGRATE_SOURCE], GUEST_POWER);
    ready = ready && record_store(v, &r) == 0;
    settle();
    recover();                                                  /* does nothing by itself: a complete copy waits */
    ready = ready && records(MIGRATE_SOURCE) == 1 && records(MIGRATE_TARGET) == 1 && !atomic_load(&world->started);
    world_open(dir, MIGRATE_TARGET);
    return ready && record_load(v, MIGRATE_TARGET, &r.id, copy) == 0 && copy->state == MIG_READY;
}

/* By the operator's word the copy starts, once; when the source is back, it hears of it and nothing is left to do by hand. */
static void test_promoted(void)
{
    const struct vane_dom copy = { .domid = 7, .uuid = guest.uuid };
    struct migrate_record r;

    begin();
    CU_ASSERT_FATAL(power_lost_at_source(&r));
    CU_ASSERT_EQUAL(migrate_may_start(v, &copy), -EPERM);
    CU_ASSERT_EQUAL(migrate_decide_target(v, &r, true), 0);
    CU_ASSERT_TRUE(atomic_load(&world->started));
    CU_ASSERT_EQUAL(migrate_may_start(v, &copy), 0);
    CU_ASSERT_TRUE(migrate_decide_target(v, &r, true) < 0);
    world_open(dir, MIGRATE_SOURCE);
    recover();
    CU_ASSERT_EQUAL(records(MIGRATE_SOURCE), 0);
    CU_ASSERT_EQUAL(records(MIGRATE_TARGET), 0);
    CU_ASSERT_EQUAL(atomic_load(&world->copy[MIGRATE_TARGET]), GUEST_RUNS);
    CU_ASSERT_EQUAL(atomic_load(&world->wrong), 0);
}

/* The operator does not want it: it was lost with its host, and that is all. */
static void test_not_promoted(void)
{
    struct migrate_record r;

    begin();
    CU_ASSERT_FATAL(power_lost_at_source(&r));
    CU_ASSERT_EQUAL(migrate_decide_target(v, &r, false), 0);
    world_open(dir, MIGRATE_SOURCE);
    recover();
    CU_ASSERT_EQUAL(records(MIGRATE_SOURCE), 0);
    CU_ASSERT_EQUAL(records(MIGRATE_TARGET), 0);
    CU_ASSERT_FALSE(atomic_load(&world->started));
}

int main(int argc, char **argv)
{
    static const struct unit_case cases[] = {
        UNIT(test_it_moves), UNIT(test_refusals_leave_it_here), UNIT(test_copy_stays_for_a_while),
        UNIT(test_source_killed), UNIT(test_target_killed),
        UNIT(test_records_cannot_be_written), UNIT(test_link_cut), UNIT(test_offer_is_damaged), UNIT(test_link_stalls),
        UNIT(test_second_is_refused), UNIT(test_target_is_heard_late), UNIT(test_old_doubled_and_foreign_messages),
        UNIT(test_newer_connection_takes_over), UNIT(test_garbage), UNIT(test_promoted),
        UNIT(test_not_promoted), { 0 },
    };
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char command[128];
    int failed;

    self[n > 0 ? n : 0] = '\0';
    if (argc == 3 && strcmp(argv[1], "relay") == 0)
        return relay_main(argv[2]);
    if (argc == 3 && strcmp(argv[1], "target") == 0)
        return target_main(argv[2]);
    snprintf(dir, sizeof(dir), "/tmp/handover-XXXXXX");
    if (!mkdtemp(dir))
        return 2;
    snprintf(transport, sizeof(transport), "exec %s relay %s", self, dir);
    signal(SIGPIPE, SIG_IGN);
    v = vane_open(say_why, NULL);
    failed = unit_main("handover", cases);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command) != 0 || failed;
}
