/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * create.h - bring a domain into being, and take it out again
 *
 * Both are journalled: /run/vane/doing/UUID exists, locked by the working process, from before the
 * hypervisor knows the domain until it is complete (or gone). A file that nobody locks marks work that
 * died half way; vane_sweep(), run at the start of every command that changes something, destroys
 * what it left.
 */
#ifndef VANE_CREATE_H
#define VANE_CREATE_H

#include "../config/config.h"
#include "store.h"
#include "vane.h"

#define VANE_RUN_DIR "/run/vane"
#define VANE_MAX_STEPS 16
#define VANE_SLACK_KB 1024u             /* what a domain may have beyond its target, as with libxl */

struct vane_step {
    const char *name;
    int64_t us;
};

/* A domain that comes out of a stream: what the pipeline gives it and wants back. */
struct vane_fill {
    uint32_t domid, store_port, console_port;           /* in */
    uint64_t store_mfn, console_mfn;                    /* out */
    uint64_t target_kb;         /* out: what its memory is to become; 0: as configured. The stream's word, not checked */
};

struct vane_create {
    /* in: instead of loading a kernel, fill memory and vCPUs; 0 or -errno recorded */
    int (*fill)(struct vane *v, struct vane_fill *f, void *opaque);
    void *opaque;
    /* in: with fill, called before it, when the domain's devices are there; or NULL */
    void (*has_devices)(uint32_t domid, void *whose);
    void *whose;
    /* in */
    bool paused;                /* leave it paused */
    bool disks_later;           /* another host has them open: only see that they are there; vbd_reopen() */
    uint32_t replaces;          /* a dead domain whose name and memory this one takes, or ANY */
    const char *cache_dir;      /* NULL: no kernel cache */
    const char *console;        /* who serves the console: "xenconsoled", "vaned" */
    /* out */
    uint32_t domid;
    bool kernel_from_cache;
    struct vane_step step[VANE_MAX_STEPS];
    unsigned n_steps;
};

/* On failure nothing is left of the domain. Reads cfg->has_uuid; makes up a UUID otherwise. */
int vane_create(struct vane *v, struct vane_config *cfg, struct vane_create *arg) MUST_CHECK;

/*
 * -EEXIST when a domain has the name, other than @self and @other: ask in the transaction that claims
 * it. *@has_home: whether there are nodes of a domain @self.
 */
int vane_name_is_free(struct vane *v, struct store_io *io, const char *name, uint32_t self,
                      uint32_t other, bool *has_home) MUST_CHECK;

/* Destroy at once, with its devices, nodes and record. Repeating it after a failure is safe. */
int vane_destroy(struct vane *v, const struct vane_dom *d) MUST_CHECK;

/* The same, for a caller that holds the mark itself. */
int vane_destroy_marked(struct vane *v, const struct vane_dom *d) MUST_CHECK;

/* Finish what dead processes began. Never fails; says in the log what it did. */
void vane_sweep(struct vane *v);

/*
 * The configuration text a domain was created from: malloc'ed, NULL when it was not by vane. Records
 * go by domain and UUID: while a machine moves within a host (a restart, a test of migration) two
 * domains have its UUID.
 */
struct vane_record {
    uint32_t domid;
    struct vane_uuid uuid;
};
struct vane_record vane_record_of(const struct vane_dom *d);
char *vane_record_read(struct vane_record r, size_t *len);
int vane_record_write(struct vane *v, struct vane_record r, const char *text);
/* Append lines to the record ("name = ..."), so that a restart sees the change. */
int vane_record_append(struct vane *v, struct vane_record r, const char *line);
void vane_record_remove(struct vane_record r);

/* userdata.c: the same for Debian's xl, in libxl's place and form. Best effort. */
void vane_userdata_write(struct vane *v, struct vane_record r, const struct vane_config *cfg);
void vane_userdata_remove(struct vane_record r);
/* The configuration of a domain, whichever tool created it: text, malloc'ed, or NULL. */
char *vane_config_of(struct vane_record r, size_t *len);
/* current.c: the same, parsed. -ENOENT: none is known. *@out is to be freed, NULL on failure. */
int vane_config_recorded(struct vane *v, const struct vane_dom *d, struct vane_config **out) MUST_CHECK;
/* The same under its present name and with the memory, vCPUs and share of CPU time that it has now. */
int vane_config_now(struct vane *v, const struct vane_dom *d, struct vane_config **out) MUST_CHECK;

#endif
