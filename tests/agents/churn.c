/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * churn.c - run in a guest whose writes are logged: everything that makes and unmakes page tables
 *
 *   churn [mib=N] [workers=N]
 *
 * Each worker writes a region, forks (copy on write on both sides), maps pages so far apart that each needs
 * tables of its own and unmaps them again (table frames are freed and come back as something else), and changes
 * protections to and fro. What a page must hold follows from worker, round and number alone, and is looked at
 * after each step. "churn round N" counts, "BAD ..." is a page that was lost or stale.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define WORDS (PAGE / 8)
#define FAR (2ul << 20)                 /* one L1 table maps as much */
#define FAR_PAGES 24

static unsigned long pages;

static uint64_t value(unsigned worker, uint64_t round, unsigned long page, unsigned side)
{
    uint64_t v = (uint64_t)worker << 56 | round << 24 | page << 2 | side;

    v ^= v >> 31;
    return v * 0x9e3779b97f4a7c15ull;
}

static void put(uint64_t *page, uint64_t v)
{
    page[0] = v;
    page[WORDS / 2] = ~v;
    page[WORDS - 1] = v + 1;
}

static int look(const uint64_t *page, uint64_t v, const char *what, uint64_t round, unsigned long number)
{
    if (page[0] == v && page[WORDS / 2] == ~v && page[WORDS - 1] == v + 1)
        return 0;
    printf("BAD %s: page %lu of round %llu holds %llx, not %llx\n", what, number, (unsigned long long)round,
           (unsigned long long)page[0], (unsigned long long)v);
    fflush(stdout);
    return 1;
}

static uint64_t *at(uint8_t *base, unsigned long page)
{
    return (uint64_t *)(void *)(base + page * PAGE);
}

/* The child writes every third page of its copy and looks at all. */
static int child(uint8_t *base, unsigned worker, uint64_t round)
{
    int wrong = 0;

    for (unsigned long i = 0; i < pages; i += 3)
        put(at(base, i), value(worker, round, i, 1));
    for (unsigned long i = 0; i < pages; i++)
        wrong |= look(at(base, i), value(worker, round, i, i % 3 == 0), "child", round, i);
    return wrong;
}

/* Pages that each need page tables of their own, there for a moment. */
static int far_pages(unsigned worker, uint64_t round)
{
    uint8_t *base = mmap(NULL, FAR * FAR_PAGES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int wrong = 0;

    if (base == MAP_FAILED)
        return 0;                       /* ballooned down: not what this is about */
    for (unsigned i = 0; i < FAR_PAGES; i++)
        put(at(base + i * FAR, i), value(worker, round, i, 2));
    for (unsigned i = 0; i < FAR_PAGES; i++)
        wrong |= look(at(base + i * FAR, i), value(worker, round, i, 2), "far", round, i);
    munmap(base, FAR * FAR_PAGES);
    return wrong;
}

static int one_round(uint8_t *base, unsigned worker, uint64_t round)
{
    int status, wrong = 0;
    pid_t pid;

    for (unsigned long i = 0; i < pages; i++)
        put(at(base, i), value(worker, round, i, 0));
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        _exit(child(base, worker, round));
    for (unsigned long i = 1; i < pages; i += 2)            /* copies on write on this side too */
        put(at(base, i), value(worker, round, i, 3));
    wrong |= far_pages(worker, round);
    mprotect(base, pages * PAGE, PROT_READ);
    for (unsigned long i = 0; i < pages; i++)
        wrong |= look(at(base, i), value(worker, round, i, i % 2 ? 3 : 0), "parent", round, i);
    mprotect(base, pages * PAGE, PROT_READ | PROT_WRITE);
    if (pid > 0 && (waitpid(pid, &status, 0) != pid || status != 0)) {
        printf("BAD child of round %llu: status %x\n", (unsigned long long)round, status);
        wrong = 1;
    }
    return wrong;
}

static void work(unsigned worker)
{
    uint8_t *base = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (uint64_t round = 1; base != MAP_FAILED; round++) {
        if (one_round(base, worker, round))
            _exit(1);
        if (worker == 0 && round % 4 == 0) {
            printf("churn round %llu\n", (unsigned long long)round);
            fflush(stdout);
        }
    }
    _exit(1);
}

static unsigned long number(int argc, char **argv, const char *key, unsigned long otherwise)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], key, strlen(key)) == 0)
            return strtoul(argv[i] + strlen(key), NULL, 10);
    }
    return otherwise;
}

int main(int argc, char **argv)
{
    unsigned long workers = number(argc, argv, "workers=", 2);

    pages = number(argc, argv, "mib=", 4) << 20 >> 12;
    for (unsigned i = 1; i < workers; i++) {
        if (fork() == 0)
            work(i);
    }
    work(0);
}
