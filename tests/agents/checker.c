/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * checker.c - run in a guest that is moved about, and tell a witness outside how it fares
 *
 *   checker to=ADDRESS:PORT [rate=PAGES_PER_SECOND] [mib=N] [cold=MIB] [threads=N] [beat=MS]
 *           [disk=DEVICE] [disk_ms=MS]
 *   checker rt PRIORITY COMMAND [ARGUMENT]...
 *
 * Memory: each thread counts steps; step n writes n to page n mod P of its region, at three places. What step n
 * finds there must be n - P: a page that was lost, sent too early or mixed up shows at once, no second
 * copy of the truth being needed. `cold` pages are written once and read for ever.
 * Disk: block k holds k, the checksum of block k - 1 and its own; written past the page cache and acknowledged before
 * k is reported. An earlier block is read back each time. The witness reads the image in the end.
 * Clock: CLOCK_MONOTONIC never steps back between any two looks, whatever the CPU.
 * Heartbeats, by UDP: "hb BOOT_ID SEQUENCE MONO_NS REAL_NS STEPS DISK_BLOCK ERRORS"; two copies of one guest would send
 * the same numbers twice. It answers "ping X" with "pong X", and takes "rate N" as the new number of
 * pages a second (all threads together).
 *
 * The first error is printed as "BAD ..." too.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define PAGE 4096
#define WORDS (PAGE / 8)
#define MAX_THREADS 16
#define BILLION 1000000000ull
#define BLOCK_MAGIC 0x4b4f4c4256415250ull

static atomic_ullong rate = 200, disk_block, errors;
static unsigned threads = 1, beat_ms = 20, disk_ms = 50;

struct region {
    uint64_t (*page)[WORDS];
    uint64_t pages;
    atomic_ullong step;
};
static struct region hot[MAX_THREADS], cold;

static void bad(const char *format, ...)
{
    va_list args;

    if (atomic_fetch_add(&errors, 1))
        return;
    va_start(args, format);
    printf("BAD ");
    vprintf(format, args);
    printf("\n");
    fflush(stdout);
    va_end(args);
}

static uint64_t clock_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * BILLION + (uint64_t)t.tv_nsec;
}

static void sleep_ns(uint64_t ns)
{
    struct timespec t = { (time_t)(ns / BILLION), (long)(ns % BILLION) };

    nanosleep(&t, NULL);
}

/* The latest time any thread has seen; a look that is earlier than one that ended before it began is an error. */
static uint64_t now(void)
{
    static atomic_ullong latest;
    uint64_t before = atomic_load(&latest), t = clock_ns(CLOCK_MONOTONIC);

    if (t < before)
        bad("the clock went back by %" PRIu64 " ns", before - t);
    while (before < t && !atomic_compare_exchange_weak(&latest, (unsigned long long *)&before, t))
        ;
    return t;
}

/* ---- memory ---- */

static void page_put(uint64_t *p, uint64_t n)
{
    p[0] = n;
    p[WORDS / 2] = ~n;
    p[WORDS - 1] = n;
}

static void page_check(const char *what, uint64_t index, const uint64_t *p, uint64_t want)
{
    if (p[0] != want || p[WORDS / 2] != ~want || p[WORDS - 1] != want)
        bad("%s page %" PRIu64 " holds %" PRIx64 " %" PRIx64 " %" PRIx64 " instead of %" PRIx64, what, index,
            p[0], ~p[WORDS / 2], p[WORDS - 1], want);
}

static void region_init(struct region *r, uint64_t mib)
{
    r->pages = mib << 20 >> 12;
    r->page = mmap(NULL, r->pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (r->page == MAP_FAILED) {
        perror("checker: memory");
        exit(1);
    }
    for (uint64_t i = 0; i < r->pages; i++)
        page_put(r->page[i], i);
    r->step = r->pages;
}

static void *write_memory(void *arg)
{
    struct region *r = arg;
    uint64_t looked = 0, due = now();

    for (;;) {
        uint64_t n = r->step, share = atomic_load(&rate) / threads, i = n % r->pages, t;

        if (share == 0) {
            sleep_ns(20000000);
            due = now();
            continue;
        }
        page_check("hot", i, r->page[i], n - r->pages);
        page_put(r->page[i], n);
        r->step = n + 1;
        if (cold.pages && r == &hot[0] && n % 8 == 0) {
            page_check("cold", looked % cold.pages, cold.page[looked % cold.pages], looked % cold.pages);
            looked++;
        }
        due += BILLION / share;
        t = now();
        if (due > t + 2000000)                  /* in bursts of 2 ms: fewer sleeps */
            sleep_ns(due - t);
        else if (t > due + BILLION / 4)         /* was stopped: no catching up */
            due = t;
    }
    return NULL;
}

/* ---- disk ---- */

struct block {
    uint64_t magic, number;
    uint32_t before, own;                       /* checksums; own is computed with own = 0 */
    uint64_t fill[(PAGE - 24) / 8];
};

static uint32_t checksum(struct block *b)
{
    uint32_t kept = b->own, sum;

    b->own = 0;
    sum = (uint32_t)crc32(0, (const unsigned char *)b, sizeof(*b));
    b->own = kept;
    return sum;
}

static void *write_disk(void *arg)
{
    struct block *b = aligned_alloc(PAGE, PAGE), *old = aligned_alloc(PAGE, PAGE);
    int fd = open(arg, O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC);
    uint64_t size = 0, room, sum = 0;

    if (fd < 0 || !b || !old || ioctl(fd, BLKGETSIZE64, &size) < 0 || size < PAGE) {
        bad("disk %s: %s", (const char *)arg, strerror(errno));
        return NULL;
    }
    room = size / PAGE;
    for (uint64_t k = 1; atomic_load(&errors) == 0; k++) {
        uint64_t back = k - k * 2654435761u % (k < room ? k : room);

        *b = (struct block){ .magic = BLOCK_MAGIC, .number = k, .before = (uint32_t)sum };
        for (unsigned i = 0; i < sizeof(b->fill) / 8; i++)
            b->fill[i] = k * (i + 1);
        b->own = checksum(b);
        sum = b->own;
        if (pwrite(fd, b, PAGE, (off_t)(k % room * PAGE)) != PAGE)
            bad("disk: block %" PRIu64 " was not written: %s", k, strerror(errno));
        atomic_store(&disk_block, k);
        if (pread(fd, old, PAGE, (off_t)(back % room * PAGE)) != PAGE)
            bad("disk: block %" PRIu64 " cannot be read: %s", back, strerror(errno));
        else if (old->number != back || old->own != checksum(old))
            bad("disk: block %" PRIu64 " reads as %" PRIu64, back, old->number);
        sleep_ns(disk_ms * 1000000ull);
    }
    return NULL;
}

/* ---- heartbeats ---- */

static uint64_t steps(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < threads; i++)
        sum += atomic_load(&hot[i].step) - hot[i].pages;
    return sum;
}

static void answer(int fd, const struct sockaddr_in *to)
{
    char text[128], out[128];
    ssize_t n;

    while ((n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
        text[n] = '\0';
        if (strncmp(text, "ping ", 5) == 0) {
            int len = snprintf(out, sizeof(out), "pong %s", text + 5);

            sendto(fd, out, (size_t)len, 0, (const struct sockaddr *)to, sizeof(*to));
        } else if (strncmp(text, "rate ", 5) == 0) {
            atomic_store(&rate, strtoull(text + 5, NULL, 10));
        }
    }
}

static _Noreturn void beat(const struct sockaddr_in *to)
{
    char boot_id[40] = "", out[256];
    uint64_t sequence = 0, due = now();
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), id = open("/proc/sys/kernel/random/boot_id", O_RDONLY);
    struct pollfd p = { .fd = fd, .events = POLLIN };

    if (fd < 0 || id < 0 || read(id, boot_id, 36) != 36)
        bad("no socket or no boot id: %s", strerror(errno));
    for (;;) {
        uint64_t t = now();

        if (t >= due) {
            int len = snprintf(out, sizeof(out), "hb %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %llu %llu",
                               boot_id, ++sequence, t, clock_ns(CLOCK_REALTIME), steps(),
                               atomic_load(&disk_block), atomic_load(&errors));

            sendto(fd, out, (size_t)len, 0, (const struct sockaddr *)to, sizeof(*to));
            due += beat_ms * 1000000ull;
            if (due < t)
                due = t + beat_ms * 1000000ull;
        }
        if (poll(&p, 1, due > t ? (int)((due - t + 999999) / 1000000) : 0) > 0)
            answer(fd, to);
    }
}

/* ---- start ---- */

static const char *argument(char **argv, const char *name)
{
    size_t n = strlen(name);

    for (; *argv; argv++)
        if (strncmp(*argv, name, n) == 0 && (*argv)[n] == '=')
            return *argv + n + 1;
    return NULL;
}

static unsigned number(char **argv, const char *name, unsigned otherwise)
{
    const char *text = argument(argv, name);

    return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void start(void *(*function)(void *), void *arg)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, function, arg)) {
        fprintf(stderr, "checker: no thread\n");
        exit(1);
    }
}

/* Become a command under the round-robin scheduler, as chrt -r does: a guest's busybox has none, its memory no room for one. */
static int realtime(const char *priority, char **command)
{
    if (sched_setscheduler(0, SCHED_RR, &(struct sched_param){ .sched_priority = atoi(priority) }) == 0)
        execvp(command[0], command);
    perror(command[0]);
    return 125;
}

int main(int argc, char **argv)
{
    const char *to = argument(argv, "to"), *disk = argument(argv, "disk");
    struct sockaddr_in witness = { .sin_family = AF_INET };
    char host[64] = "";
    unsigned port = 0, mib = number(argv, "mib", 8);

    if (argc > 3 && strcmp(argv[1], "rt") == 0)
        return realtime(argv[2], argv + 3);
    if (argc < 2 || !to || sscanf(to, "%63[^:]:%u", host, &port) != 2 || !inet_aton(host, &witness.sin_addr)) {
        fprintf(stderr, "checker: say to=ADDRESS:PORT\n");
        return 1;
    }
    witness.sin_port = htons((uint16_t)port);
    rate = number(argv, "rate", 200);
    threads = number(argv, "threads", 1);
    beat_ms = number(argv, "beat", 20);
    disk_ms = number(argv, "disk_ms", 50);
    if (threads == 0 || threads > MAX_THREADS || mib < threads || beat_ms == 0) {
        fprintf(stderr, "checker: threads=1..%d, mib >= threads, beat > 0\n", MAX_THREADS);
        return 1;
    }
    if (number(argv, "cold", 0))
        region_init(&cold, number(argv, "cold", 0));
    for (unsigned i = 0; i < threads; i++)
        region_init(&hot[i], mib / threads);
    for (unsigned i = 0; i < threads; i++)
        start(write_memory, &hot[i]);
    if (disk)
        start(write_disk, (void *)(uintptr_t)disk);
    printf("checker started\n");
    fflush(stdout);
    beat(&witness);
}
