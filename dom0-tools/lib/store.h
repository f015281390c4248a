/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store.h - XenStore, the few shapes the toolstack needs
 *
 * Paths are printf formats (paths.h). Functions that change something return 0 or -errno with the
 * error recorded. A transaction is a function that may be run again: store_transaction() calls it
 * until the commit meets no conflict, so it must have no effect outside the store.
 */
#ifndef VANE_STORE_H
#define VANE_STORE_H

#include <xenstore.h>

#include "vane.h"

/* Who may see and change a node. Dom0 always may. */
enum store_perm {
    STORE_DOM0,             /* Dom0 alone */
    STORE_GUEST_READS,      /* Dom0's, readable by the domain */
    STORE_GUEST_OWNS,       /* the domain's, readable by Dom0 */
};

/* malloc'ed value, or NULL (absent, or no store). */
char *store_read(struct vane *v, xs_transaction_t t, const char *path, ...) PRINTF(3, 4);
/* The value as a number, or @otherwise when absent or not a number that fits. */
unsigned long store_read_u(struct vane *v, xs_transaction_t t, unsigned long otherwise,
                           const char *path, ...) PRINTF(4, 5);
bool store_exists(struct vane *v, xs_transaction_t t, const char *path, ...) PRINTF(3, 4);
/* Children of a node; free() the result. NULL with *n 0 when absent. */
char **store_list(struct vane *v, xs_transaction_t t, unsigned *n, const char *path, ...)
    PRINTF(4, 5);

int store_write(struct vane *v, xs_transaction_t t, const char *path, const char *value) MUST_CHECK;
int store_writef(struct vane *v, xs_transaction_t t, const char *path, const char *fmt, ...)
    PRINTF(4, 5) MUST_CHECK;
/* Write and set the permissions; @domid is the guest's. New children inherit from their parent. */
int store_put(struct vane *v, xs_transaction_t t, enum store_perm perm, uint32_t domid,
              const char *path, const char *value) MUST_CHECK;
/* Absent is fine. */
int store_remove(struct vane *v, xs_transaction_t t, const char *path, ...) PRINTF(3, 4);

typedef int store_txn_fn(struct vane *v, xs_transaction_t t, void *arg);
int store_transaction(struct vane *v, store_txn_fn *body, void *arg) MUST_CHECK;

/*
 * Wait until done(v, arg) says non-zero, looking again whenever something under @path changes.
 * Returns what done() said, or -ETIMEDOUT.
 */
typedef int store_done_fn(struct vane *v, void *arg);
int store_wait(struct vane *v, const char *path, int timeout_ms, store_done_fn *done, void *arg)
    MUST_CHECK;

/* Monotonic milliseconds, for deadlines. */
int64_t vane_now_ms(void);

#endif
