/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vaned.c - the daemon: start, the loop, the end
 *
 *   I1  one vaned a host: the lock file is held while it runs, whatever ended the one before.
 *   I2  its state is in the hypervisor, in XenStore and in records; a vaned that starts anew finds
 *       consoles and deaths as they are.
 *   I3  in the background a parent that does nothing else starts it anew when a signal ends it (a bug,
 *       the OOM killer, kill -9). SIGTERM to either ends both.
 *
 * Privileges: root, for the Xen device files. It opens no network socket and reads no guest disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/create.h"
#include "../lib/handle.h"
#include "../migrate/source.h"
#include "../stream/stream.h"
#include "daemon.h"
#include "vaned.h"

#define LOCK_FILE VANE_RUN_DIR "/vaned.lock"        /* holds the number of the process, for people */
#define MIGRATING_MS 1000       /* between two looks at the migrations, while there are some */
#define AGAIN_MS 1000           /* between two starts by the parent: a vaned that dies at once must not eat a CPU */
#define TURN_MS 5000            /* a scan at least this often: an event may get lost, a state not */
#define SETTLE_MS 30            /* from the first event to the scan: others come, and who made them is at work */

static volatile sig_atomic_t stop, child_ended;

void pollset_add(struct pollset *p, int fd, short events)
{
    if (p->n < MAX_POLL)
        p->fd[p->n++] = (struct pollfd){ .fd = fd, .events = events };
}

short pollset_events(const struct pollset *p, int fd)
{
    for (unsigned i = 0; i < p->n; i++) {
        if (p->fd[i].fd == fd)
            return p->fd[i].revents;
    }
    return 0;
}

static void on_signal(int sig)
{
    if (sig == SIGCHLD)
        child_ended = 1;
    else
        stop = 1;
}

static void log_line(void *opaque, enum vane_log_level level, const char *line)
{
    (void)opaque;
    if (level >= VANE_WARN)
        fprintf(stderr, "vaned: %s\n", line);
}

/* -EBUSY: another one runs. The descriptor stays open on purpose. */
static int take_lock(void)
{
    int fd;

    mkdir(VANE_RUN_DIR, 0700);
    fd = open(LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        close(fd);
        return -EBUSY;
    }
    if (ftruncate(fd, 0) == 0)
        dprintf(fd, "%d\n", (int)getpid());
    return 0;
}

/* What has happened to domains, and what commands that died left of them. */
static void look(struct vane *v)
{
    migrate_sweep(v);           /* before the next: see there */
    stream_sweep(v);
    watch_scan(v);
}

/* How long to sleep: until the scan that is due (0: none), or a turn. */
static int sleep_ms(bool migrating, int64_t due)
{
    int64_t turn = migrating ? MIGRATING_MS : TURN_MS, left = due - vane_now_ms();

    return (int)(!due || left > turn ? turn : left > 0 ? left : 0);
}

static void loop(struct vane *v)
{
    static struct pollset set;
    int64_t looked = 0, due = 0;
    bool migrating = false;

    look(v);
    while (!stop) {
        int n;

        if (vane_now_ms() - looked >= MIGRATING_MS) {
            migrating = migrations_look(v);
            looked = vane_now_ms();
        }
        if (watch_events(v) && !due)
            due = vane_now_ms() + SETTLE_MS;
        if (due && vane_now_ms() >= due) {
            look(v);
            due = 0;
        }
        workers_keep();
        set.n = 0;
        if (watch_fd() >= 0)
            pollset_add(&set, watch_fd(), POLLIN);
        consoles_poll_add(&set);
        clients_poll_add(&set);
        n = poll(set.fd, set.n, sleep_ms(migrating, due));
        if (child_ended) {
            child_ended = 0;
            watch_reap(v);
        }
        if (n == 0 && !due)
            look(v);
        if (n <= 0)
            continue;
        consoles_poll(&set);
        clients_poll(v, &set);
    }
}

/*
 * An event that vaned is told of comes from somebody at work, the store's daemon or a command: they go on
 * first, also its own worker's partner (a reply taken one by one would cost two context switches each).
 */
static void be_patient(void)
{
    struct sched_param none = { 0 };

    if (sched_setscheduler(0, SCHED_BATCH, &none) < 0)
        fprintf(stderr, "vaned: SCHED_BATCH: %s\n", strerror(errno));
}

static int setup(struct vane *v)
{
    struct sigaction sa = { .sa_handler = on_signal };
    int rc;

    be_patient();

    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGCHLD, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    rc = consoles_init(v);
    if (rc == 0)
        rc = watch_init(v);
    return rc < 0 ? rc : clients_init(v);
}

/* Never our caller's standard error: whoever reads that waits for its end. */
static void redirect_log(void)
{
    int fd;

    mkdir(VANE_LOG_DIR, 0700);
    fd = open(VANE_LOG_DIR "/vaned.log", O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0)
        fd = open("/dev/null", O_WRONLY);
    if (fd >= 0) {
        dup2(fd, 2);
        if (fd != 2)
            close(fd);
    }
}

/* I3. Returns in each child, with the descriptor for its verdict: the first one's, later ones have none. */
static int supervise(int ready)
{
    sigset_t ours, before;

    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGCHLD);
    sigprocmask(SIG_BLOCK, &ours, &before);
    signal(SIGHUP, SIG_IGN);
    for (;;) {
        int64_t started = vane_now_ms();
        bool ending = false;
        pid_t pid = fork();
        int status = 0;

        if (pid <= 0) {
            sigprocmask(SIG_SETMASK, &before, NULL);
            return ready;
        }
        if (ready >= 0) {
            redirect_log();
            close(ready);
            ready = -1;
        }
        while (waitpid(pid, &status, WNOHANG) == 0) {
            if (sigwaitinfo(&ours, NULL) != SIGCHLD) {
                ending = true;
                kill(pid, SIGTERM);
            }
        }
        if (ending || !WIFSIGNALED(status))
            _exit(0);
        if (vane_now_ms() - started < AGAIN_MS)
            sleep(1);
    }
}

/* Into the background, under a parent (I3). Returns in the daemon, with the descriptor for its verdict. */
static int background(void)
{
    char verdict = 1;
    int p[2];
    pid_t pid;

    if (pipe2(p, O_CLOEXEC) < 0 || (pid = fork()) < 0)
        exit(1);
    if (pid == 0) {
        setsid();
        close(p[0]);
        return supervise(p[1]);
    }
    close(p[1]);
    exit(read(p[0], &verdict, 1) == 1 ? verdict : 1);
}

int main(int argc, char **argv)
{
    bool foreground = argc > 1 && strcmp(argv[1], "-F") == 0;
    char verdict = 0;
    struct vane *v;
    int ready = -1, rc;

    if (argc > 1 && !foreground) {
        fprintf(stderr, "Usage: vaned [-F]\n-F  stay in the foreground\n");
        return 2;
    }
    if (!foreground)
        ready = background();
    rc = take_lock();
    v = vane_open(log_line, NULL);
    if (rc == 0 && v)
        rc = setup(v);
    if (rc < 0 && rc != -EBUSY && v)
        fprintf(stderr, "vaned: %s\n", vane_last_error(v)->what);
    verdict = rc == 0 || rc == -EBUSY ? 0 : 1;
    if (!foreground && rc == 0)
        redirect_log();
    if (ready >= 0) {
        if (write(ready, &verdict, 1) != 1)
            return 1;
        close(ready);
    }
    if (rc < 0 || !v)
        return verdict;
    loop(v);
    unlink(VANED_SOCKET);
    vane_close(v);
    return 0;
}
