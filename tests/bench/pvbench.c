// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What ordinary things cost inside a machine, in units of the time stamp counter.
 *
 * Meant for QEMU's -icount shift=0: there the counter advances by one with each instruction executed,
 * in the program, its kernel and the hypervisor alike, so the figures are exact and repeatable. Each row
 * is the least of several batches, so that a timer tick inside one does not count.
 *
 * Output, one line a row: "bench <name> <units per operation>". First comes "bench boot <counter>", the
 * time since power-on.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#define PAGE 4096u
#define BATCHES 7

static const char *self;

static void must(bool good, const char *what)
{
    if (!good) {
        perror(what);
        exit(1);
    }
}

static char *fresh_pages(size_t pages)
{
    char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    must(p != MAP_FAILED, "mmap");
    must(madvise(p, pages * PAGE, MADV_NOHUGEPAGE) == 0, "madvise");
    return p;
}

static void touch(volatile char *p, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        p[i * PAGE] = 1;
}

/* Each row does its operation @count times between start() and stop(). */
static uint64_t began, spent;

static void start(void)
{
    began = __rdtsc();
}

static void stop(void)
{
    spent = __rdtsc() - began;
}

static void getppid_row(unsigned count)
{
    start();
    for (unsigned i = 0; i < count; i++)
        syscall(SYS_getppid);
    stop();
}

static void read_row(unsigned count)
{
    int fd = open("/dev/zero", O_RDONLY);
    char byte;

    must(fd >= 0, "/dev/zero");
    start();
    for (unsigned i = 0; i < count; i++)
        must(read(fd, &byte, 1) == 1, "read");
    stop();
    close(fd);
}

static void on_signal(int number)
{
    (void)number;
}

static void signal_row(unsigned count)
{
    signal(SIGUSR1, on_signal);
    start();
    for (unsigned i = 0; i < count; i++)
        raise(SIGUSR1);
    stop();
}

static void wait_for(pid_t pid)
{
    int status;

    must(pid > 0 && waitpid(pid, &status, 0) == pid, "waitpid");
    if (status != 0) {
        fprintf(stderr, "a child failed with status %#x\n", (unsigned)status);
        exit(1);
    }
}

static void fork_row(unsigned count)
{
    start();
    for (unsigned i = 0; i < count; i++) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(0);
        wait_for(pid);
    }
    stop();
}

static void exec_row(unsigned count)
{
    start();
    for (unsigned i = 0; i < count; i++) {
        pid_t pid = vfork();

        if (pid == 0) {
            execl(self, self, "exit", (char *)NULL);
            _exit(1);
        }
        wait_for(pid);
    }
    stop();
}

static void touch_row(unsigned count)
{
    char *p = fresh_pages(count);

    start();
    touch(p, count);
    stop();
    munmap(p, count * PAGE);
}

static void mprotect_row(unsigned count)
{
    const size_t size = 64 * PAGE;
    char *p = fresh_pages(64);

    touch(p, 64);
    start();
    for (unsigned i = 0; i < count; i++) {
        must(mprotect(p, size, PROT_READ) == 0, "mprotect");
        must(mprotect(p, size, PROT_READ | PROT_WRITE) == 0, "mprotect");
    }
    stop();
    munmap(p, size);
}

static void pipe_row(unsigned count)
{
    int there[2], back[2];
    char byte = 0;
    pid_t pid;

    must(pipe(there) == 0 && pipe(back) == 0, "pipe");
    pid = fork();
    if (pid == 0) {
        close(there[1]);
        while (read(there[0], &byte, 1) == 1)
            must(write(back[1], &byte, 1) == 1, "write");
        _exit(0);
    }
    close(there[0]);
    must(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1, "pipe");
    start();
    for (unsigned i = 0; i < count; i++)
        must(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1, "pipe");
    stop();
    close(there[1]);
    wait_for(pid);
    close(back[0]);
    close(back[1]);
}

static void fork_write_row(unsigned count)
{
    char *p = fresh_pages(256);

    touch(p, 256);
    start();
    for (unsigned i = 0; i < count; i++) {
        pid_t pid = fork();

        if (pid == 0) {
            touch(p, 256);
            _exit(0);
        }
        wait_for(pid);
    }
    stop();
    munmap(p, 256 * PAGE);
}

static const struct row {
    const char *name;
    void (*run)(unsigned count);
    unsigned count;
} rows[] = {
    {"getppid", getppid_row, 1000},
    {"read", read_row, 1000},
    {"signal", signal_row, 200},
    {"fork", fork_row, 10},
    {"exec", exec_row, 10},
    {"touch", touch_row, 256},
    {"mprotect", mprotect_row, 20},
    {"pipe", pipe_row, 200},
    {"fork-write", fork_write_row, 4},
};

int main(int argc, char **argv)
{
    uint64_t boot = __rdtsc();

    if (argc > 1 && strcmp(argv[1], "exit") == 0)
        _exit(0);
    self = argv[0];
    printf("bench boot %llu\n", (unsigned long long)boot);
    fflush(stdout);
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        uint64_t best = UINT64_MAX;

        for (unsigned batch = 0; batch < BATCHES; batch++) {
            rows[r].run(rows[r].count);
            if (spent / rows[r].count < best)
                best = spent / rows[r].count;
        }
        printf("bench %s %llu\n", rows[r].name, (unsigned long long)best);
        fflush(stdout);
    }
    puts("bench end 0");
    return 0;
}
