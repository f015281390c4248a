/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console_test.c - log ring, input and its focus, what guests may put into the log; console_io */
#include "../unit.h"

#include <string.h>

#include "console/console.h"
#include "console_fake.h"
#include "hv_errno.h"
#include "hypercall/hypercall.h"
#include "machine_fake.h"
#include "softirq.h"

static struct domain d0, d1;
static struct vcpu v0, v1;

static void setup(void)
{
    fake_machine_init(16);
    fake_guest_reset();
    fake_domain_init(&d1, 1);
    fake_vcpu_init(&v1, &d1, 0);
    fake_domain_init(&d0, 0);
    fake_vcpu_init(&v0, &d0, 0);
    dom0 = NULL;                                /* no event channels here: nobody is told */
    fake_console_len = 0;
}

/* ---- ring ---- */

static size_t drain(uint32_t *index, char *buf, size_t n, bool clear, bool incremental)
{
    size_t total = 0, got;

    while ((got = console_ring_read(index, buf + total, n - total, clear, incremental)) > 0) {
        total += got;
        incremental = true;
    }
    return total;
}

static void test_ring(void)
{
    static char buf[200000];
    uint32_t index = 0;

    setup();
    drain(&index, buf, sizeof(buf), true, false);               /* what other tests left */
    console_ring_put("hello\n", 6);
    console_ring_put("a\0b", 3);                                /* I2 */
    uint32_t at = 12345;                                        /* not incremental: ignored */
    CU_ASSERT_EQUAL(console_ring_read(&at, buf, sizeof(buf), false, false), 8);
    CU_ASSERT_EQUAL(memcmp(buf, "hello\nab", 8), 0);
    CU_ASSERT_EQUAL(console_ring_read(&at, buf, sizeof(buf), false, true), 0);
    console_ring_put("more", 4);
    CU_ASSERT_EQUAL(console_ring_read(&at, buf, 2, false, true), 2);
    CU_ASSERT_EQUAL(console_ring_read(&at, buf + 2, 2, false, true), 2);
    CU_ASSERT_EQUAL(memcmp(buf, "more", 4), 0);
    at = index;
    CU_ASSERT_EQUAL(drain(&at, buf, sizeof(buf), true, false), 12);
    CU_ASSERT_EQUAL(drain(&at, buf, sizeof(buf), false, false), 0);
}

/* The newest 64 KiB survive, and a reader with an index from before, or from nowhere, is put right. */
static void test_ring_wraps(void)
{
    static char buf[200000];
    char line[16];
    uint32_t index = 0;

    setup();
    drain(&index, buf, sizeof(buf), true, false);
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(line, sizeof(line), "%07u\n", i);
        console_ring_put(line, 8);
    }
    uint32_t at = index;
    CU_ASSERT_EQUAL(drain(&at, buf, sizeof(buf), false, true), 65536);
    CU_ASSERT_EQUAL(memcmp(buf + 65536 - 8, "0019999\n", 8), 0);
    static const uint32_t nowhere[] = { 0x10000, 0x7fffffff, 0x80000000 };
    for (unsigned i = 0; i < ARRAY_SIZE(nowhere); i++) {
        uint32_t bad = at + nowhere[i];
        CU_ASSERT_TRUE(drain(&bad, buf, sizeof(buf), false, true) <= 65536);
        CU_ASSERT_EQUAL(bad, at);
    }
}

/* ---- input ---- */

static void type(const char *s)
{
    for (; *s; s++)
        console_input((uint8_t)*s);
}

static unsigned pressed;
static void on_key(void) { pressed++; }

static void test_input_focus(void)
{
    char buf[2048];

    setup();
    console_read(buf, sizeof(buf));
    console_register_key('x', "count", on_key);
    type("ls\r");
    CU_ASSERT_EQUAL(console_read(buf, sizeof(buf)), 3);
    CU_ASSERT_EQUAL(memcmp(buf, "ls\r", 3), 0);
    type("x\001\001x");                         /* two are not three: all of it is Dom0's */
    CU_ASSERT_EQUAL(console_read(buf, sizeof(buf)), 4);
    console_keys_softirq();
    CU_ASSERT_EQUAL(pressed, 0);

    type("\001\001\001");
    console_read(buf, sizeof(buf));             /* the first two went to Dom0 */
    type("xyx");
    CU_ASSERT_EQUAL(console_read(buf, sizeof(buf)), 0);
    CU_ASSERT_TRUE(fake_log.softirqs[SOFTIRQ_KEYS] > 0);
    console_keys_softirq();
    CU_ASSERT_EQUAL(pressed, 2);
    console_keys_softirq();
    CU_ASSERT_EQUAL(pressed, 2);
    type("\001\001\001q");
    CU_ASSERT_EQUAL(console_read(buf, sizeof(buf)), 1);
    for (int c = -128; c < 128; c++)            /* every byte is a key to somebody */
        if (c != 'x')
            console_debug_key((char)c);
    CU_ASSERT_EQUAL(pressed, 2);
}

static void test_input_overflow(void)
{
    char buf[4096];

    setup();
    console_read(buf, sizeof(buf));
    for (unsigned i = 0; i < 3000; i++)
        console_input((uint8_t)('a' + i % 26));
    CU_ASSERT_EQUAL(console_read(buf, sizeof(buf)), 1024);
    CU_ASSERT_EQUAL(buf[0], 'a');
    CU_ASSERT_EQUAL(buf[1023], 'a' + 1023 % 26);
}

/* ---- guests ---- */

static void guest_says(const char *s) { console_guest_write(&d1, s, strlen(s)); }

static void test_guest_lines(void)
{
    setup();
    const unsigned before = fake_log.prints;
    guest_says("no newline yet");
    CU_ASSERT_EQUAL(fake_log.prints, before);
    guest_says("\n");
    CU_ASSERT_STRING_EQUAL(fake_printed, "(d1) no newline yet\n");
    guest_says("\033[2Jevil\r(hv) panic\x80\x01 %s%n\n");
    CU_ASSERT_STRING_EQUAL(fake_printed, "(d1) [2Jevil(hv) panic %s%n\n");
    char longline[400];
    memset(longline, 'A', sizeof(longline) - 1);
    longline[sizeof(longline) - 1] = 0;
    guest_says(longline);
    CU_ASSERT_EQUAL(fake_log.prints, before + 4);               /* cut into lines of 160 */
    CU_ASSERT_EQUAL(strlen(fake_printed), strlen("(d1) ") + 160 + 1);
    console_domain_destroy(&d1);
}

/* XSA-146: a flood costs the guest its own lines, and the log stays readable. */
static void test_guest_flood(void)
{
    setup();
    const unsigned before = fake_log.prints;
    for (unsigned i = 0; i < 100000; i++)
        guest_says("spam\n");
    CU_ASSERT_TRUE(fake_log.prints - before <= 201);
    fake_now += 1000000000;
    guest_says("back\n");
    CU_ASSERT_STRING_EQUAL(fake_printed, "(d1) back\n");
    CU_ASSERT_TRUE(fake_log.prints - before <= 203);            /* and one line that says how many are missing */
    console_domain_destroy(&d1);
}

/* ---- console_io ---- */

static long console_io(struct vcpu *v, uint64_t cmd, uint64_t count, const void *buf, struct hcall *h)
{
    *h = (struct hcall){ .arg = { cmd, count, (uintptr_t)buf } };
    return do_console_io(v, h);
}

static void test_console_io_dom0(void)
{
    static char text[1000], in[100];
    struct hcall h;

    setup();
    fake_guest_share(text, sizeof(text));
    fake_guest_share(in, sizeof(in));
    memset(text, 'w', sizeof(text));
    CU_ASSERT_EQUAL(console_io(&v0, CONSOLEIO_write, sizeof(text), text, &h), 0);
    CU_ASSERT_EQUAL(fake_console_len, sizeof(text));

    /* Preempted: what is left comes back in the registers, and the whole text arrives once. */
    fake_console_len = 0;
    fake_preempt_at(2, 0);
    CU_ASSERT_EQUAL(console_io(&v0, CONSOLEIO_write, sizeof(text), text, &h), -ERESTART);
    CU_ASSERT_TRUE(h.arg[1] < sizeof(text) && h.arg[1] > 0);
    CU_ASSERT_EQUAL(h.arg[2] + h.arg[1], (uintptr_t)text + sizeof(text));
    fake_preempt_at(0, 0);
    CU_ASSERT_EQUAL(do_console_io(&v0, &h), 0);
    CU_ASSERT_EQUAL(fake_console_len, sizeof(text));

    console_read(text, sizeof(text));
    type("abc");
    CU_ASSERT_EQUAL(console_io(&v0, CONSOLEIO_read, 2, in, &h), 2);
    CU_ASSERT_EQUAL(console_io(&v0, CONSOLEIO_read, 100, in, &h), 1);
    CU_ASSERT_EQUAL(in[0], 'c');
    CU_ASSERT_EQUAL(console_io(&v0, CONSOLEIO_write, 10, (void *)0xffff800000000000, &h), -EFAULT);
    CU_ASSERT_EQUAL(console_io(&v0, CONSOLEIO_read, 10, (void *)0xffff800000000000, &h), -EFAULT);
    CU_ASSERT_EQUAL(console_io(&v0, 2, 10, text, &h), -ENOSYS);
}

/* H99 */
static void test_h99_console_io_domu(void)
{
    static char text[] = "from a guest\n";
    struct hcall h;

    setup();
    fake_guest_share(text, sizeof(text));
    CU_ASSERT_EQUAL(console_io(&v1, CONSOLEIO_read, 10, text, &h), -EPERM);
    CU_ASSERT_EQUAL(console_io(&v1, CONSOLEIO_write, sizeof(text) - 1, text, &h), 0);
    CU_ASSERT_STRING_EQUAL(fake_printed, "(d1) from a guest\n");
    CU_ASSERT_EQUAL(fake_console_len, 0);
    console_domain_destroy(&d1);
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_ring),        UNIT(test_ring_wraps),      UNIT(test_input_focus),
        UNIT(test_input_overflow), UNIT(test_guest_lines),  UNIT(test_guest_flood),
        UNIT(test_console_io_dom0), UNIT(test_h99_console_io_domu), { 0 },
    };
    return unit_main("console", cases);
}
