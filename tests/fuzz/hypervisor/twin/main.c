/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main.c - hypercall_twin: many machines, one after the other, each from its seed
 *
 *   hypercall_twin [seed=N] [steps=N] [episodes=N] [calls=N] [threads] [audit=N] [quiet] [log] [trace]
 *
 * An episode is a process of its own: nothing is left of one in the next, and a seed repeats exactly (without "threads").
 * calls=N goes on with further seeds until so many hypercalls were made. Ends with the calls by number and result.
 */
#include "twin.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hv_errno.h"

static uint64_t number(int argc, char **argv, const char *key, uint64_t otherwise)
{
    const size_t n = strlen(key);

    for (int i = 1; i < argc; i++)
        if (!strncmp(argv[i], key, n) && argv[i][n] == '=')
            return strtoull(argv[i] + n + 1, NULL, 0);
    return otherwise;
}

static bool word(int argc, char **argv, const char *key)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], key))
            return true;
    return false;
}

static void print_histogram(void)
{
    static const struct { unsigned e; const char *name; } names[] = {
        { 0, "ok" }, { EPERM, "EPERM" }, { ENOENT, "ENOENT" }, { ESRCH, "ESRCH" }, { E2BIG, "E2BIG" }, { EAGAIN, "EAGAIN" },
        { ENOMEM, "ENOMEM" }, { EACCES, "EACCES" }, { EFAULT, "EFAULT" }, { EBUSY, "EBUSY" }, { EEXIST, "EEXIST" },
        { ENODEV, "ENODEV" }, { EINVAL, "EINVAL" }, { ENOSPC, "ENOSPC" }, { ERANGE, "ERANGE" }, { ENOSYS, "ENOSYS" },
        { ENODATA, "ENODATA" }, { ERESTART, "given up" }, { EOPNOTSUPP, "EOPNOTSUPP" }, { ENOBUFS, "ENOBUFS" },
        { ENXIO, "ENXIO" }, { EXDEV, "EXDEV" },
    };

    for (unsigned nr = 0; nr < 64; nr++) {
        uint64_t all = 0;
        for (unsigned e = 0; e < 128; e++)
            all += twin_stats->rc[nr][e];
        if (!all)
            continue;
        printf("  call %2u: %9lu:", nr, all);
        for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
            if (twin_stats->rc[nr][names[i].e])
                printf(" %s %lu", names[i].name, twin_stats->rc[nr][names[i].e]);
            all -= twin_stats->rc[nr][names[i].e];
        }
        printf(all ? " other %lu\n" : "\n", all);
    }
}

int main(int argc, char **argv)
{
    struct twin_options o = { .seed = number(argc, argv, "seed", 1), .steps = number(argc, argv, "steps", 50000),
                              .audit_every = (unsigned)number(argc, argv, "audit", 64),
                              .threads = word(argc, argv, "threads"), .tracing = word(argc, argv, "trace"),
                              .verbose = word(argc, argv, "log"), .quiet_memory = word(argc, argv, "quiet") };
    const uint64_t wanted = number(argc, argv, "calls", 0), episodes = number(argc, argv, "episodes", wanted ? ~0UL : 1);
    const uint64_t first = o.seed;
    const time_t start = time(NULL);

    twin_stats = mmap(NULL, sizeof(*twin_stats), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (twin_stats == MAP_FAILED || o.audit_every == 0)
        return 2;
    for (uint64_t n = 0; n < episodes && (!wanted || twin_stats->calls < wanted); n++, o.seed++) {
        int status;
        fflush(stdout);
        const pid_t child = fork();
        if (child == 0) {
            twin_episode(&o);
            exit(0);                            /* what a coverage build has counted is written */
        }
        if (child < 0 || waitpid(child, &status, 0) != child)
            return 2;
        if (status != 0) {
            printf("hypercall_twin: seed=%lu steps=%lu audit=%u%s%s failed (status %x)\n", o.seed, o.steps, o.audit_every,
                   o.threads ? " threads" : "", o.quiet_memory ? " quiet" : "", (unsigned)status);
            return 1;
        }
    }
    printf("hypercall_twin: seeds %lu..%lu%s: %lu calls (%lu operations) in %ld s; %lu restarted, %lu given up, %lu audits; "
           "all ledgers zero\n", first, o.seed - 1, o.threads ? " on threads" : "", twin_stats->calls, twin_stats->steps,
           (long)(time(NULL) - start), twin_stats->restarts, twin_stats->abandoned, twin_stats->audits);
    print_histogram();
    return 0;
}
