/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domain.h - building, watching and destroying PV domains from a tiny initial domain
 *
 * Enough of a domain builder for guests linked with our runtime (image at VIRT_BASE, hypercall page first),
 * so that a whole suite of unprivileged guests runs without booting Linux. Uses domctl as libxenctrl does.
 */
#ifndef DOMAIN_H
#define DOMAIN_H

#define __XEN_TOOLS__ 1
#include "harness.h"
#include <xen/domctl.h>
#include <xen/sysctl.h>
#include <xen/io/console.h>

#define DOMAIN_MAX_PAGES 8192

struct domain {
    domid_t id;
    char name[32];
    uint64_t nr_pages;
    uint64_t *mfns;                     /* of each pfn */
    struct xencons_interface *console;  /* mapped here */
    struct start_info *start_info;      /* mapped here */
    evtchn_port_t console_port;         /* our end */
    char line[512];                     /* console output up to the next line feed */
    size_t line_len;
};

struct image {
    const uint8_t *data;
    size_t size;
};

/*
 * Create, load and leave paused: 0 or -errno, with everything taken back on failure.
 * @pages <= DOMAIN_MAX_PAGES; @cmdline goes into start_info.
 */
int domain_create(struct domain *d, const char *name, struct image image, unsigned pages, unsigned vcpus,
                  const char *cmdline);
int domain_unpause(struct domain *d);
int domain_pause(struct domain *d);
/* Unmap what we hold and destroy; waits until the domain is gone. -XEN_ETIME if it stays. */
int domain_destroy(struct domain *d);
/* XEN_DOMINF_ flags, or -errno. */
long domain_flags(struct domain *d);
/* Next complete line of console output, or NULL; valid until the next call. */
const char *domain_console_line(struct domain *d);
/* Free memory of the machine in pages, by sysctl. */
uint64_t machine_free_pages(void);
long domctl(struct xen_domctl *op, unsigned cmd, domid_t id);

/* Map a frame of another domain at a fresh va (0: failed). */
uint64_t foreign_map(domid_t id, uint64_t mfn, bool writable);
void foreign_unmap(uint64_t va);

#endif
