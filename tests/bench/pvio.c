// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pvio - moves data through a guest's devices and says how long it took
 *
 *   disk-read DEVICE MIB [CHUNK], disk-write ...  in order, past the page cache, CHUNK MiB a call (1); to the medium
 *   sink PORT                                     TCP: take one connection's data, then a byte back
 *   source HOST PORT MIB                          TCP: send, wait for that byte
 *   echo PORT                                     UDP: every datagram goes back; for ever
 *   flood HOST PORT SECONDS SIZE WINDOW           UDP: keep WINDOW datagrams under way, count replies
 *   first HOST PORT SECONDS                       UDP: until the first reply
 *
 * Output: "pvio VERB UNITS US" with KiB moved, or replies.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MIB (1u << 20)
#define CHUNK MIB
#define DATAGRAM_MAX 60000
#define REPLY_MS 200            /* a datagram unanswered for so long is lost: send others */

static void must(bool good, const char *what)
{
    if (!good) {
        perror(what);
        exit(1);
    }
}

static int64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

static void report(const char *verb, uint64_t units, int64_t since)
{
    printf("pvio %s %llu %lld\n", verb, (unsigned long long)units, (long long)(now_us() - since));
    fflush(stdout);
}

static char *buffer(size_t size)
{
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    must(p != MAP_FAILED, "mmap");
    memset(p, 0x5a, size);
    return p;
}

static struct sockaddr_in address(const char *host, const char *port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

    if (host && inet_pton(AF_INET, host, &a.sin_addr) != 1) {
        fprintf(stderr, "pvio: %s is no address\n", host);
        exit(2);
    }
    return a;
}

static int socket_to(int type, const char *host, const char *port)
{
    struct sockaddr_in a = address(host, port);
    int fd = socket(AF_INET, type, 0);

    must(fd >= 0, "socket");
    must(connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0, "connect");
    return fd;
}

static int socket_at(int type, const char *port)
{
    struct sockaddr_in a = address(NULL, port);
    int fd = socket(AF_INET, type, 0), yes = 1;

    must(fd >= 0, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    must(bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0, "bind");
    return fd;
}

static int disk(const char *verb, char **arg)
{
    bool writing = strcmp(verb, "disk-write") == 0;
    int fd = open(arg[0], (writing ? O_WRONLY : O_RDONLY) | O_DIRECT);
    unsigned long mib = strtoul(arg[1], NULL, 10), chunk = arg[2] != NULL ? strtoul(arg[2], NULL, 10) : 1;
    int64_t start;

    must(fd >= 0, arg[0]);
    if (chunk == 0 || chunk > 64 || mib % chunk != 0) {
        fprintf(stderr, "pvio: %s MiB are not so many calls of %s\n", arg[1], arg[2]);
        exit(2);
    }
    char *data = buffer(chunk * MIB);
    start = now_us();
    for (unsigned long i = 0; i < mib; i += chunk) {
        ssize_t n = writing ? write(fd, data, chunk * MIB) : read(fd, data, chunk * MIB);

        must(n == (ssize_t)(chunk * MIB), writing ? "write" : "read");
    }
    must(!writing || fsync(fd) == 0, "fsync");
    report(verb, mib * 1024, start);
    return 0;
}

static int sink(char **arg)
{
    int listener = socket_at(SOCK_STREAM, arg[0]), fd;
    char *data = buffer(CHUNK);
    uint64_t total = 0;
    int64_t start;
    ssize_t n;

    must(listen(listener, 1) == 0, "listen");
    fd = accept(listener, NULL, NULL);
    must(fd >= 0, "accept");
    start = now_us();
    while ((n = read(fd, data, CHUNK)) > 0)
        total += (uint64_t)n;
    must(n == 0 && write(fd, "", 1) == 1, "connection");
    report("sink", total >> 10, start);
    return 0;
}

static int source(char **arg)
{
    uint64_t left = strtoull(arg[2], NULL, 10) << 20, total = left;
    int fd = socket_to(SOCK_STREAM, arg[0], arg[1]);
    char *data = buffer(CHUNK), byte;
    int64_t start = now_us();

    while (left) {
        ssize_t n = write(fd, data, left < CHUNK ? (size_t)left : CHUNK);

        must(n > 0, "write");
        left -= (uint64_t)n;
    }
    must(shutdown(fd, SHUT_WR) == 0 && read(fd, &byte, 1) == 1, "the receiver's answer");
    report("source", total >> 10, start);
    return 0;
}

static int echo(char **arg)
{
    int fd = socket_at(SOCK_DGRAM, arg[0]);
    char *data = buffer(CHUNK);

    printf("pvio echo 0 0\n");
    fflush(stdout);
    for (;;) {
        struct sockaddr_in from;
        socklen_t len = sizeof(from);
        ssize_t n = recvfrom(fd, data, CHUNK, 0, (struct sockaddr *)&from, &len);

        if (n < 0)
            return 1;
        sendto(fd, data, (size_t)n, 0, (const struct sockaddr *)&from, len);
    }
}

static bool answered(int fd, int ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, ms) > 0 && (p.revents & POLLIN);
}

static int flood(char **arg)
{
    int fd = socket_to(SOCK_DGRAM, arg[0], arg[1]);
    int64_t start = now_us(), end = start + atoi(arg[2]) * INT64_C(1000000);
    size_t size = strtoul(arg[3], NULL, 10);
    int window = atoi(arg[4]), out = 0;
    char *data = buffer(CHUNK);
    uint64_t replies = 0;

    must(size > 0 && size <= DATAGRAM_MAX && window > 0, "size and window");
    while (now_us() < end) {
        for (; out < window; out++)
            send(fd, data, size, 0);
        if (!answered(fd, REPLY_MS)) {
            out = 0;
            continue;
        }
        while (recv(fd, data, CHUNK, MSG_DONTWAIT) >= 0) {
            out -= out > 0;
            replies++;
        }
    }
    report("flood", replies, start);
    return replies ? 0 : 1;
}

static int first(char **arg)
{
    int fd = socket_to(SOCK_DGRAM, arg[0], arg[1]);
    int64_t start = now_us(), end = start + atoi(arg[2]) * INT64_C(1000000);

    while (now_us() < end) {
        send(fd, "?", 1, 0);                    /* fails while the interface is not up: try again */
        if (answered(fd, 2)) {
            char byte;

            if (recv(fd, &byte, 1, 0) == 1) {
                report("first", 1, start);
                return 0;
            }
        }
    }
    fprintf(stderr, "pvio: no reply\n");
    return 1;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int args;
        int (*run)(char **arg);
    } verbs[] = {
        { "sink", 1, sink }, { "source", 3, source }, { "echo", 1, echo }, { "flood", 5, flood }, { "first", 3, first },
    };
    const char *verb = argc > 1 ? argv[1] : "";

    if ((strcmp(verb, "disk-read") == 0 || strcmp(verb, "disk-write") == 0) && (argc == 4 || argc == 5))
        return disk(verb, argv + 2);
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verb, verbs[i].name) == 0 && argc == verbs[i].args + 2)
            return verbs[i].run(argv + 2);
    fprintf(stderr, "usage: pvio disk-read|disk-write DEVICE MIB [CHUNK] | sink PORT | source HOST PORT MIB |\n"
                    "            echo PORT | flood HOST PORT SECONDS SIZE WINDOW | first HOST PORT SECONDS\n");
    return 2;
}
