/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message_test.c - messages as bytes: whole, in pieces, damaged, never, too late */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "../../../dom0-tools/migrate/message.h"
#include "../unit.h"

static struct message sample(void)
{
    return (struct message){ .type = MSG_STATE, .id = { { 1, 2, 3 } }, .epoch = 1ull << 40, .state = MIG_DISCARDED,
                             .codecs = 15, .code = -ENOMEM, .what = "no room", .hint = "make some" };
}

static void test_there_and_back(void)
{
    uint8_t buf[MESSAGE_MAX];
    struct message m = sample(), back;
    size_t n = message_encode(buf, &m), need;

    CU_ASSERT_EQUAL(message_decode(&back, buf, n, &need), 0);
    CU_ASSERT_EQUAL(need, n);
    CU_ASSERT_TRUE(back.type == m.type && back.epoch == m.epoch && back.state == m.state && back.code == m.code &&
                   back.codecs == m.codecs && strcmp(back.what, m.what) == 0 && strcmp(back.hint, m.hint) == 0 &&
                   memcmp(&back.id, &m.id, 16) == 0);
    for (size_t i = 0; i < n; i++) {
        CU_ASSERT_EQUAL(message_decode(&back, buf, i, &need), -EAGAIN);
        CU_ASSERT_TRUE(need > i && need <= n);
    }
}

static void test_the_longest(void)
{
    uint8_t buf[MESSAGE_MAX];
    struct message m = sample(), back;
    size_t n, need;

    memset(m.what, 'w', sizeof(m.what));            /* not even terminated */
    memset(m.hint, '\n', sizeof(m.hint));
    n = message_encode(buf, &m);
    CU_ASSERT_TRUE(n <= sizeof(buf));
    CU_ASSERT_EQUAL(message_decode(&back, buf, n, &need), 0);
    CU_ASSERT_EQUAL(strlen(back.what), sizeof(back.what) - 1);
    CU_ASSERT_PTR_NULL(strchr(back.hint, '\n'));    /* another host's words do not write on our terminal */
}

static void test_every_bit(void)
{
    uint8_t buf[MESSAGE_MAX];
    struct message m = sample(), back;
    size_t n = message_encode(buf, &m), need;

    for (size_t i = 0; i < n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            buf[i] = (uint8_t)(buf[i] ^ 1u << bit);
            CU_ASSERT_TRUE(message_decode(&back, buf, n, &need) < 0 && need <= MESSAGE_MAX);
            buf[i] = (uint8_t)(buf[i] ^ 1u << bit);
        }
    }
}

/* Frames follow their message: whole or not at all, and never more than there is room for. */
static void test_what_follows(void)
{
    static uint8_t sent[40000], got[MESSAGE_BULK_MAX];
    uint8_t buf[MESSAGE_MAX];
    struct message m = sample(), back;
    size_t need;
    int p[2];

    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (uint8_t)(i * 7);
    m.type = MSG_FRAMES;
    m.bulk = sizeof(sent);
    CU_ASSERT_FATAL(pipe(p) == 0);
    CU_ASSERT_EQUAL(message_write_bulk(p[1], 20, &m, sent), 0);
    CU_ASSERT_TRUE(message_read(p[0], 20, &back, NULL, 0) == 0 && back.bulk == sizeof(sent) && back.code == 0 && back.codecs == 0);
    CU_ASSERT_EQUAL(message_read_bulk(p[0], 20, &back, got), 0);
    CU_ASSERT_EQUAL(memcmp(sent, got, sizeof(sent)), 0);

    CU_ASSERT_EQUAL(message_write_bulk(p[1], 20, &m, sent), 0);
    CU_ASSERT_EQUAL(message_read(p[0], 20, &back, NULL, 0), 0);
    back.bulk_crc ^= 1;                             /* as when a bit of what follows was flipped */
    CU_ASSERT_EQUAL(message_read_bulk(p[0], 20, &back, got), -EPROTO);
    CU_ASSERT_EQUAL(message_write(p[1], 20, &m), 0);
    CU_ASSERT_EQUAL(message_read(p[0], 20, &back, NULL, 0), 0);
    close(p[1]);
    CU_ASSERT_EQUAL(message_read_bulk(p[0], 20, &back, got), -EPIPE);
    close(p[0]);

    m.bulk = MESSAGE_BULK_MAX + 1;
    CU_ASSERT_EQUAL(message_decode(&back, buf, message_encode(buf, &m), &need), -EPROTO);
    m.bulk = MESSAGE_BULK_MAX;
    CU_ASSERT_EQUAL(message_decode(&back, buf, message_encode(buf, &m), &need), 0);
}

static void test_on_a_pipe(void)
{
    struct message m = sample(), back;
    uint8_t buf[MESSAGE_MAX];
    size_t n = message_encode(buf, &m);
    int p[2];

    CU_ASSERT_FATAL(pipe(p) == 0);
    CU_ASSERT_EQUAL(message_read(p[0], 20, &back, NULL, 0), -ETIMEDOUT);
    CU_ASSERT_EQUAL(write(p[1], buf, 30), 30);
    CU_ASSERT_EQUAL(message_read(p[0], 20, &back, NULL, 0), -ETIMEDOUT);         /* begun and not ended */
    CU_ASSERT_EQUAL(message_write(p[1], 20, &m), 0);
    CU_ASSERT_EQUAL(bytes_read(p[0], 20, buf, 4), 0);
    CU_ASSERT_TRUE(message_read(p[0], 20, &back, buf, 4) == 0 && back.epoch == m.epoch);
    CU_ASSERT_EQUAL(write(p[1], buf, n / 2), (ssize_t)(n / 2));
    close(p[1]);
    CU_ASSERT_EQUAL(message_read(p[0], 20, &back, NULL, 0), -EPIPE);
    close(p[0]);
    CU_ASSERT_FATAL(pipe(p) == 0);                                               /* nobody reads */
    fcntl(p[1], F_SETFL, O_NONBLOCK);
    while (write(p[1], buf, sizeof(buf)) > 0)
        ;
    CU_ASSERT_EQUAL(message_write(p[1], 20, &m), -ETIMEDOUT);
    close(p[0]);
    CU_ASSERT_EQUAL(message_write(p[1], 20, &m), -EPIPE);
    close(p[1]);
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_there_and_back), UNIT(test_the_longest), UNIT(test_every_bit), UNIT(test_what_follows),
        UNIT(test_on_a_pipe), { 0 },
    };

    signal(SIGPIPE, SIG_IGN);
    return unit_main("message", cases);
}
