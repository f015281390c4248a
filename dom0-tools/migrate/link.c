/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link.c - the connection from a source to its target (link.h)
 *
 *   I1  only the ear reads from the target once it listens; of what it reads only whole messages with a right
 *       checksum count.
 *   I2  after xl's first message the ear stops: what follows is read by whoever speaks xl's protocol.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "link.h"

#define PIPE_BYTES (1 << 20)
#define TICK_MS 100
#define END_MS 3000
#define STUCK_MS 10000

const char xl_banner[55] = "xl migration receiver ready, send binary domain data.\n";
const char xl_ready[34] = "domain received, ready to unpause";
const char xl_go[44] = "domain is yours, you are cleared to unpause";
const char xl_report[39] = "my copy unpause results are as follows";

/* The command's standard input and output become l->to and l->from. */
static int start(struct vane *v, const char *command, struct link *l)
{
    char sh[] = "sh", c[] = "-c", *text = strdup(command);
    char *argv[] = { sh, c, text, NULL };
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t attr;
    extern char **environ;
    sigset_t none;
    int in[2], out[2], rc;

    if (!text || pipe2(in, O_CLOEXEC) < 0)
        return vane_fail(v, -ENOMEM, NULL, "cannot start the transport: no memory or descriptors left");
    if (pipe2(out, O_CLOEXEC) < 0) {
        close(in[0]);
        close(in[1]);
        free(text);
        return vane_fail(v, -EMFILE, NULL, "cannot start the transport: no descriptors left");
    }
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_adddup2(&fa, in[0], 0);
    posix_spawn_file_actions_adddup2(&fa, out[1], 1);
    posix_spawnattr_init(&attr);
    sigemptyset(&none);
    sigaddset(&none, SIGPIPE);
    posix_spawnattr_setsigdefault(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
    rc = posix_spawn(&l->pid, "/bin/sh", &fa, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    posix_spawnattr_destroy(&attr);
    free(text);
    close(in[0]);
    close(out[1]);
    if (rc != 0) {
        close(in[1]);
        close(out[0]);
        return vane_fail(v, -rc, NULL, "cannot start the transport: %s", strerror(rc));
    }
    fcntl(in[1], F_SETPIPE_SZ, PIPE_BYTES);         /* fewer changes of hands; a smaller pipe works too */
    l->to = in[1];
    l->from = out[0];
    return 0;
}

int link_open(struct vane *v, const char *command, int timeout_ms, struct link *l)
{
    char said[XL_BANNER_LEN];
    int rc;

    memset(l, 0, sizeof(*l));
    l->to = l->from = -1;
    rc = start(v, command, l);
    if (rc < 0)
        return rc;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->heard, NULL);
    rc = bytes_read(l->from, timeout_ms, said, sizeof(said));
    if (rc == 0 && memcmp(said, xl_banner, sizeof(said)) != 0)
        rc = vane_fail(v, -EPROTO, "does the transport end in `vane migrate-receive`?",
                       "the other side is not ready to receive a domain: it says something else");
    else if (rc == -ETIMEDOUT)
        vane_fail(v, rc, "is the host up, and does it ask for a password?",
                  "the other side did not get ready within %d s", timeout_ms / 1000);
    else if (rc < 0)
        vane_fail(v, rc, "its messages are above", "the transport ended before the other side was ready");
    if (rc < 0)
        link_close(l);
    return rc;
}

void link_close(struct link *l)
{
    int64_t end = vane_now_ms() + END_MS;
    int status;

    if (l->threaded) {
        pthread_mutex_lock(&l->lock);
        l->closing = true;
        pthread_mutex_unlock(&l->lock);
        pthread_join(l->ear, NULL);
        l->threaded = false;
    }
    if (l->to >= 0)
        close(l->to);
    if (l->from >= 0)
        close(l->from);
    l->to = l->from = -1;
    while (l->pid > 0 && waitpid(l->pid, &status, WNOHANG) == 0) {
        if (vane_now_ms() > end)
            kill(l->pid, vane_now_ms() > end + END_MS ? SIGKILL : SIGTERM);
        usleep(10000);
    }
    l->pid = 0;
}

/* ---- the ear ---- */

/* With the lock. */
static void take(struct link *l, const struct message *m)
{
    l->last_ms = vane_now_ms();
    switch (m->type) {
    case MSG_HELLO:
        l->hello = true;
        l->codecs = m->codecs;
        break;
    case MSG_ALIVE:
        break;
    case MSG_FAILED:
        l->failed = *m;
        atomic_store(&l->broken, true);
        break;
    default:
        if (l->n < LINK_QUEUE)
            l->queue[l->n++] = *m;
        break;
    }
    pthread_cond_broadcast(&l->heard);
}

/*
 * With the lock. A link that is no use any more is closed at once by whoever works with it, unless he is stuck in it: a
 * transport that splices holds the pipe's lock while it waits for the network, and a write waits for that lock even
 * if it must not block. The transport's end sets him free.
 */
static void end_if_stuck(struct link *l, int64_t *broken_ms)
{
    if (!atomic_load(&l->broken))
        *broken_ms = 0;
    else if (*broken_ms == 0)
        *broken_ms = vane_now_ms();
    else if (!l->closing && vane_now_ms() - *broken_ms > STUCK_MS)
        kill(l->pid, SIGTERM);
}

/* The first bytes tell who it is. */
static int first_message(struct link *l, struct message *m)
{
    char text[sizeof(xl_ready)];
    int rc = bytes_read(l->from, END_MS, text, 4);

    if (rc == 0 && memcmp(text, xl_ready, 4) == 0) {
        rc = bytes_read(l->from, END_MS, text + 4, sizeof(text) - 4);
        if (rc < 0 || memcmp(text, xl_ready, sizeof(text)) != 0)
            return rc < 0 ? rc : -EPROTO;
        l->xl = true;
        *m = (struct message){ .type = MSG_STATE, .state = MIG_READY };
        return 0;
    }
    return rc < 0 ? rc : message_read(l->from, END_MS, m, text, 4);
}

static void *listen_thread(void *arg)
{
    struct link *l = arg;
    bool first = true, go_on = true;
    int64_t broken_ms = 0;

    while (go_on) {
        struct pollfd p = { l->from, POLLIN, 0 };
        int n = poll(&p, 1, TICK_MS), limit = atomic_load(&l->silence_ms);
        struct message m;
        int rc = -EAGAIN;

        if (n > 0)
            rc = first ? first_message(l, &m) : message_read(l->from, END_MS, &m, NULL, 0);
        pthread_mutex_lock(&l->lock);
        if (rc == 0) {
            first = false;
            take(l, &m);
        } else if (rc != -EAGAIN) {
            l->ended = true;
            atomic_store(&l->broken, true);
            pthread_cond_broadcast(&l->heard);
        }
        if ((limit && l->hello && vane_now_ms() - l->last_ms > limit) || (l->cancel && atomic_load(l->cancel)))
            atomic_store(&l->broken, true);
        end_if_stuck(l, &broken_ms);
        go_on = !l->closing && !l->ended && !l->xl;                                     /* I2 */
        pthread_mutex_unlock(&l->lock);
    }
    return NULL;
}

int link_listen(struct vane *v, struct link *l, const atomic_bool *cancel)
{
    l->last_ms = vane_now_ms();
    l->cancel = cancel;
    if (pthread_create(&l->ear, NULL, listen_thread, l) != 0)
        return vane_fail(v, -EAGAIN, NULL, "cannot start a thread");
    l->threaded = true;
    return 0;
}

void link_again(struct link *l, int silence_ms)
{
    pthread_mutex_lock(&l->lock);
    l->cancel = NULL;
    l->last_ms = vane_now_ms();
    atomic_store(&l->silence_ms, silence_ms);
    atomic_store(&l->broken, l->ended || l->failed.type);
    pthread_mutex_unlock(&l->lock);
}

/* With the lock; wakes up at least every TICK_MS. */
static void wait_a_little(struct link *l)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    ts.tv_nsec += TICK_MS * 1000000L;
    if (ts.tv_nsec >= 1000000000L) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000L;
    }
    pthread_cond_timedwait(&l->heard, &l->lock, &ts);
}

int link_hello(struct link *l, int timeout_ms)
{
    int64_t end = vane_now_ms() + timeout_ms;
    bool known;

    pthread_mutex_lock(&l->lock);
    while (!l->hello && !l->xl && !atomic_load(&l->broken) && vane_now_ms() < end)
        wait_a_little(l);
    known = l->hello || l->xl || atomic_load(&l->broken);
    pthread_mutex_unlock(&l->lock);
    return known ? 0 : -ETIMEDOUT;
}

int link_next(struct link *l, int timeout_ms, struct message *m)
{
    int64_t end = vane_now_ms() + timeout_ms;
    int rc = -ETIMEDOUT;

    pthread_mutex_lock(&l->lock);
    for (;;) {
        if (l->n) {
            *m = l->queue[0];
            memmove(l->queue, l->queue + 1, --l->n * sizeof(l->queue[0]));
            rc = 0;
        } else if (l->ended || atomic_load(&l->broken)) {
            rc = -EPIPE;
        } else if (vane_now_ms() < end) {
            wait_a_little(l);
            continue;
        }
        break;
    }
    pthread_mutex_unlock(&l->lock);
    return rc;
}

int link_blame(struct vane *v, struct link *l)
{
    struct message m;
    bool ended, cancelled;

    pthread_mutex_lock(&l->lock);
    m = l->failed;
    ended = l->ended;
    cancelled = l->cancel && atomic_load(l->cancel);
    pthread_mutex_unlock(&l->lock);
    if (cancelled)
        return vane_fail(v, -ECANCELED, NULL, "the migration was cancelled");
    if (m.type)
        return vane_fail(v, m.code < 0 ? m.code : -EIO, *m.hint ? m.hint : NULL, "at the target: %s", m.what);
    if (ended)
        return vane_fail(v, -EPIPE, "its messages are above", "the connection to the target ended");
    return vane_fail(v, -ETIMEDOUT, "is the target overloaded? see --stall-timeout",
                     "nothing has been heard from the target for %d s", atomic_load(&l->silence_ms) / 1000);
}
