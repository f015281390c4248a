/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domfill MAX COMMAND [ARGUMENT]... - run COMMAND while there are as many domains as can be
 *
 * Makes empty domains (no memory, no vCPU, not in XenStore) until the hypervisor refuses one or there are MAX, prints
 * "made N: WHY", runs COMMAND, and destroys them. Exit status: COMMAND's, or 125 when it could not be run or a domain
 * could not be destroyed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xenctrl.h>

static unsigned fill(xc_interface *xc, uint32_t *made, unsigned max)
{
    unsigned n = 0;

    for (errno = 0; n < max; n++) {
        struct xen_domctl_createdomain cd = {
            .max_vcpus = 1, .max_evtchn_port = 1023, .max_grant_frames = 1, .max_maptrack_frames = 0,
            .grant_opts = XEN_DOMCTL_GRANT_version(1),
        };

        made[n] = 0xffff;                                               /* ABI: pick a free one */
        if (xc_domain_create(xc, &made[n], &cd) < 0)
            break;
    }
    printf("made %u: %s\n", n, n < max ? strerror(errno) : "enough");
    fflush(stdout);
    return n;
}

static int run(char **argv)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        execvp(argv[0], argv);
        _exit(125);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
        return 125;
    return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    unsigned max = argc > 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0, n;
    uint32_t *made = calloc((size_t)max + 1, sizeof(*made));
    xc_interface *xc = xc_interface_open(NULL, NULL, 0);
    int status;

    if (!max || !made || !xc) {
        fprintf(stderr, "usage: domfill MAX COMMAND [ARGUMENT]... (in Dom0)\n");
        return 125;
    }
    n = fill(xc, made, max);
    status = run(argv + 2);
    while (n--)
        if (xc_domain_destroy(xc, made[n]) < 0) {
            fprintf(stderr, "domfill: domain %u: %s\n", made[n], strerror(errno));
            status = 125;
        }
    xc_interface_close(xc);
    free(made);
    return status;
}
