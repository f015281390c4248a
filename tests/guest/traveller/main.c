/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traveller. Claim: saved, restored and migrated, a guest loses no page, no write that it was told is safe and no frame it
 * sent, its clocks never go back, and it is there once: traveller.h.
 *
 *   to=A.B.C.D port=N  the witness, a neighbour; ip=A.B.C.D, vif=N, disk=N (0: none): what this guest is given
 *   rate=N pages to dirty a second (200), mib=N of them (2), cold=N MiB that are only read (1), beat=MS (20), disk_ms=MS (50)
 */
#include "control.h"
#include "port.h"
#include "suspend.h"
#include "traveller.h"

struct traveller traveller;

void bad(const char *format, ...)
{
    char text[160];
    va_list ap;

    if (traveller.errors++ > 0)
        return;
    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    item_fail("%s", text);
    printf("BAD %s\n", text);
}

void rest(uint64_t ns)
{
    thread_wait(0, time_now() + ns);
}

/* In another domain: the interface first, for somebody may be waiting. */
static void arrive(void)
{
    traveller.away = true;
    int net = netfront_resume(&traveller.net);
    traveller.away = net != 0;
    int disk = traveller.has_disk ? blkfront_resume(&traveller.disk) : 0;
    if (net != 0 || disk != 0)
        bad("connecting again: interface %d, disk %d", net, disk);
}

/* True when it is time to end. */
static bool obey_toolstack(void)
{
    static unsigned resumes;
    enum control request = control_poll();
    uint64_t before = time_now();

    if (request != CONTROL_SUSPEND)
        return request != CONTROL_NONE;
    int rc = guest_suspend();
    if (rc < 0)
        bad("suspend: %d", rc);
    if (time_now() < before)
        bad("time went back from %lu to %lu", before, time_now());
    if (rc == 0)
        arrive();
    printf("resumed: %d (%u)\n", rc, ++resumes);
    return false;
}

static int connect(void)
{
    const struct net_wish wish = { .queues = 1, .slots = 32 };
    const unsigned disk = (unsigned)cmdline_number("disk", 51712);
    int rc = netfront_open(&traveller.net, port_store(), port_grants(), (unsigned)cmdline_number("vif", 0), &wish);

    if (rc != 0 || disk == 0)
        return rc;
    traveller.has_disk = true;
    return blkfront_open(&traveller.disk, port_store(), port_grants(), disk, 1, 1);
}

static void travel(void)
{
    static void (*const work[])(void *) = { memory_work, heart_work, disk_work };
    const unsigned n = traveller.has_disk ? 3 : 2;
    struct thread *threads[ARRAY_SIZE(work)];

    for (unsigned i = 0; i < n; i++) {
        threads[i] = thread_start(work[i], NULL);
        CHECK(threads[i] != NULL, "no memory for a thread");
    }
    while (!traveller.stop) {
        traveller.stop = obey_toolstack();
        thread_wait(port_store()->port, time_now() + 50 * MS);
    }
    for (unsigned i = 0; i < n; i++)
        if (threads[i] != NULL)
            thread_join(threads[i]);
}

void guest_test(void)
{
    item("connect");
    if (is_initial_domain() || cmdline_has("nostore") || port_store() == NULL) {
        item_skip("no XenStore");
        return;
    }
    mm_extend(start_info->nr_pages);
    traveller.rate = cmdline_number("rate", 200);
    int rc = connect();
    if (rc == -XEN_ENOENT) {
        item_skip("no interface, or no disk");
        return;
    }
    if (rc != 0 || !memory_init(cmdline_number("mib", 2), cmdline_number("cold", 1)) ||
        (traveller.has_disk && !disk_init())) {
        item_fail("connecting: %d; or there is not enough memory, or nothing on the disk", rc);
        return;
    }
    heart_init();
    printf("traveller: up after %lu us\n", time_now() / 1000);
    item("travel");
    travel();
    printf("traveller: %lu steps, block %lu, %lu frames out, free %lu of %lu pages\n", traveller.steps, traveller.block,
           traveller.net.queues[0].tx_frames, page_free_count(), start_info->nr_pages);
    item("close");
    rc = netfront_close(&traveller.net);
    CHECK(rc == 0 || rc == -XEN_EBUSY, "close of the interface: %d", rc);
    rc = traveller.has_disk ? blkfront_close(&traveller.disk) : 0;
    CHECK(rc == 0 || rc == -XEN_EBUSY, "close of the disk: %d", rc);
}
