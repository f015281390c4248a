/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vane.h - the handle, errors and the view of domains that every part of the toolstack shares
 *
 * libvane never prints and never exits. A function that can fail returns 0 (or a count) or -errno and
 * leaves one error in the handle: what failed, why, and what to do about it. Progress and warnings go
 * to the log callback, one line a call.
 *
 * A handle belongs to one thread. Connections to the hypervisor and to XenStore are opened when first
 * needed, so that a command that only parses works on any machine.
 */
#ifndef VANE_H
#define VANE_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct vane;

enum vane_log_level { VANE_DEBUG, VANE_INFO, VANE_WARN, VANE_ERROR };

typedef void vane_log_fn(void *opaque, enum vane_log_level level, const char *line);

struct vane_error {
    int code;               /* -errno */
    char what[512];         /* what failed and why, one line */
    char hint[256];         /* what to do, or empty */
};

/* @log may be NULL (silence). NULL only when memory is exhausted. */
struct vane *vane_open(vane_log_fn *log, void *opaque);
void vane_close(struct vane *v);

const struct vane_error *vane_last_error(const struct vane *v);

/* Record an error and return @code (negative). @hint may be NULL. */
int vane_fail(struct vane *v, int code, const char *hint, const char *fmt, ...) PRINTF(4, 5);
/* Put "context: " before the recorded error; returns its code. */
int vane_fail_in(struct vane *v, const char *fmt, ...) PRINTF(2, 3);
void vane_log(struct vane *v, enum vane_log_level level, const char *fmt, ...) PRINTF(3, 4);

/* Monotonic milliseconds, for deadlines. */
int64_t vane_now_ms(void);

/* The connections. NULL with the error recorded when one cannot be opened. */
struct xc_interface_core *vane_xc(struct vane *v);
struct xs_handle *vane_xs(struct vane *v);
struct xenforeignmemory_handle *vane_fmem(struct vane *v);
/* Why the last hypercall wrapper failed, in libxenctrl's words; "" if it said nothing. */
const char *vane_xc_said(const struct vane *v);
/* Is the daemon at the other end of the open connections still there? One that is not open yet will be. */
bool vane_store_lives(struct vane *v);
/* Close and reopen XenStore (the daemon, when xenstored was restarted). */
int vane_xs_reopen(struct vane *v);

/* ---- domains ---- */

#define VANE_DOMID_ANY 0xffffffffu

struct vane_uuid { uint8_t b[16]; };
#define VANE_UUID_LEN 37
void vane_uuid_format(char out[VANE_UUID_LEN], const struct vane_uuid *u);
bool vane_uuid_parse(const char *s, struct vane_uuid *u);
void vane_uuid_random(struct vane_uuid *u);

/* SHUTDOWN_* of sched.h; -1 while the domain is not shut down. */
struct vane_dom {
    uint32_t domid;
    char name[256];             /* as in XenStore, "(null)" when it has none */
    struct vane_uuid uuid;
    uint64_t mem_kb, outstanding_kb, max_kb;
    uint64_t cpu_ns;
    uint64_t shared_info_mfn;
    uint32_t vcpus_online, vcpu_max_id, cpupool;
    bool running, blocked, paused, shutdown, dying;
    int shutdown_reason;
};

/* Every domain, or one: *@out is malloc'ed, the count is returned. */
int vane_dom_list(struct vane *v, struct vane_dom **out) MUST_CHECK;
/* -ESRCH when there is no such domain. */
int vane_dom_get(struct vane *v, uint32_t domid, struct vane_dom *out) MUST_CHECK;
/* The same as the hypervisor alone knows them, without names: nothing is asked of XenStore. */
int vane_dom_states(struct vane *v, struct vane_dom **out) MUST_CHECK;
int vane_dom_state(struct vane *v, uint32_t domid, struct vane_dom *out) MUST_CHECK;
/* Read the name of @d; "(null)" when it has none, as a domain that is half made or half gone. An error: XenStore is not there. */
int vane_dom_name(struct vane *v, struct vane_dom *d) MUST_CHECK;
/* @who is a name, or a number when no domain has that name. -ESRCH, -EINVAL. */
int vane_dom_find(struct vane *v, const char *who, struct vane_dom *out) MUST_CHECK;
/* @pool is a name ("Pool-0") or a number; NULL is the first pool. -ENOENT. */
int vane_pool_find(struct vane *v, const char *pool, uint32_t *id) MUST_CHECK;
/* "crash", "poweroff", ... */
const char *vane_shutdown_name(int reason);

#endif
