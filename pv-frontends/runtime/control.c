/* SPDX-License-Identifier: MIT */
/*
 * Requests of the toolstack. Owns the watch on the request.
 *
 * ABI: xenstore-paths, ~/control/shutdown: the guest acknowledges by writing an empty value. The toolstack may take a
 * request back that was not acknowledged, so reading and acknowledging are one transaction: a request is either
 * withdrawn or ours.
 */
#include "control.h"
#include "port.h"
#include "xs_store.h"

#define TOKEN "control"

static bool watching;

static const enum control by_word[] = {
    [STORE_SHUTDOWN_POWEROFF] = CONTROL_POWEROFF,
    [STORE_SHUTDOWN_HALT] = CONTROL_POWEROFF,
    [STORE_SHUTDOWN_REBOOT] = CONTROL_REBOOT,
    [STORE_SHUTDOWN_SUSPEND] = CONTROL_SUSPEND,
};

static void start_watching(struct xs *xs)
{
    struct store_io io = { xs, 0 };
    char path[XS_TEXT];

    /* Hints only: a toolstack that does not let us write them does not read them. */
    store_put_dom_control_feature_poweroff(&io, STORE_SELF, true);
    store_put_dom_control_feature_reboot(&io, STORE_SELF, true);
    store_put_dom_control_feature_suspend(&io, STORE_SELF, true);
    watching = store_path_dom_control_shutdown(path, sizeof(path), STORE_SELF) > 0 && xs_watch(xs, path, TOKEN) == 0;
}

/* 0: @word was there and is acknowledged; -EAGAIN: it changed meanwhile; else there is none, or none we know. */
static int take(struct xs *xs, enum store_shutdown *word)
{
    struct store_io io = { xs, 0 };
    int rc = xs_transaction_start(xs, &io.tx);

    if (rc != 0)
        return rc;
    rc = store_get_dom_control_shutdown(&io, STORE_SELF, word);
    if (rc == 0)
        rc = store_clear_dom_control_shutdown(&io, STORE_SELF);
    if (rc == 0)
        return xs_transaction_end(xs, io.tx, true);
    xs_transaction_end(xs, io.tx, false);
    return rc;
}

enum control control_poll(void)
{
    struct xs *xs = is_initial_domain() || cmdline_has("nostore") ? NULL : port_store();
    enum store_shutdown word = STORE_SHUTDOWN_POWEROFF;
    struct xs_event event;
    int rc;

    if (xs == NULL)
        return CONTROL_NONE;
    if (!watching)
        start_watching(xs);
    /* Events of devices share the queue; who waits for those looks at the state itself. */
    if (xs_next_event(xs, &event, 0) != 0 || strcmp(event.token, TOKEN) != 0)
        return CONTROL_NONE;
    do {
        rc = take(xs, &word);
    } while (rc == -XEN_EAGAIN);
    return rc == 0 && word < ARRAY_SIZE(by_word) ? by_word[word] : CONTROL_NONE;
}

void control_reset(void)
{
    watching = false;
}
