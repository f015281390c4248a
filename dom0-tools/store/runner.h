/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner.h - rules (rules.h) on the live store: watches, looks and the journal
 *
 * The caller's loop is
 *
 *     runner_poll(r, ms);                         what the daemon has to say
 *     while ((a = runner_due(r)) != NULL) ...     what is to be done; runner_done(r, a) when it is
 *
 * A lost daemon is waited for; then all is looked at again, and the journal says what is new. The
 * journal is the store's own: /vane/on/RULE/PATH holds the mark and the value of PATH for RULE, so
 * it goes where the state goes it is about, and no guest can reach it. Without a journal each run
 * begins with what it finds.
 *
 * One thread per runner.
 */
#ifndef STORE_RUNNER_H
#define STORE_RUNNER_H

#include "rules.h"

struct runner;

/* Connect. @rules are the caller's and outlive the runner. NULL with errno set: no daemon. */
struct runner *runner_open(struct rules *rules, bool journal);
void runner_close(struct runner *r);

/*
 * Set the watches and look at everything, as the journal left it: what is due afterwards is due from
 * the state found, and what happens from now on is a change. Waits for the daemon; gives up with
 * -EINTR when *@stop becomes true. 0 or -errno.
 */
int runner_start(struct runner *r, const volatile bool *stop);

/* Take what the daemon has to say, waiting up to @timeout_ms for the first of it (0: not at all). */
void runner_poll(struct runner *r, int timeout_ms);
/* A descriptor to wait on instead, readable when runner_poll(r, 0) is worth calling; -1 while the
 * daemon is gone. Call runner_poll() once a second all the same: it notices a lost daemon. */
int runner_fd(struct runner *r);

/* rules_due(), rules_done() and rules_next() on the runner's clock; next in milliseconds from now. */
const struct rule_action *runner_due(struct runner *r);
void runner_done(struct runner *r, const struct rule_action *a);
int64_t runner_next(const struct runner *r);

/* What a mark could not be noted for, since the last call: a restart may repeat its action. "" none. */
const char *runner_trouble(struct runner *r);

#endif
