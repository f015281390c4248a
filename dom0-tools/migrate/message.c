/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * message.c - messages as bytes (message.h)
 *
 * Little endian: magic[4] version:16 type:16 length:32 crc:32 id[16] epoch:64, then the body
 * state:32 code:32 codecs:32 what_len:16 hint_len:16 what hint. The checksum is of all with its own field 0. MSG_FRAMES has
 * the length and the CRC-32 of what follows in the places of code and codecs.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "message.h"

#define VERSION 1u
#define WHOLE_MS 10000                  /* who has begun a message ends it */

struct wire_head {
    char magic[4];
    uint16_t version, type;
    uint32_t length, crc;
    uint8_t id[16];
    uint64_t epoch;
};
_Static_assert(sizeof(struct wire_head) == MESSAGE_HEAD, "no holes");

struct wire_body {
    uint32_t state, code, codecs;
    uint16_t what_len, hint_len;
};

static uint32_t checksum(const struct wire_head *h, const void *body, size_t n)
{
    struct wire_head z = *h;

    z.crc = 0;
    return (uint32_t)crc32(crc32(0, (const uint8_t *)&z, sizeof(z)), body, (uInt)n);
}

size_t message_encode(uint8_t out[MESSAGE_MAX], const struct message *m)
{
    size_t what = strnlen(m->what, sizeof(m->what) - 1), hint = strnlen(m->hint, sizeof(m->hint) - 1);
    struct wire_body b = { htole32((uint32_t)m->state), htole32((uint32_t)m->code), htole32(m->codecs),
                           htole16((uint16_t)what), htole16((uint16_t)hint) };
    size_t n = sizeof(b) + what + hint;
    struct wire_head h = { MESSAGE_MAGIC, htole16(VERSION), htole16((uint16_t)m->type), htole32((uint32_t)n), 0, {0},
                           htole64(m->epoch) };
    uint8_t *body = out + sizeof(h);

    if (m->type == MSG_FRAMES) {
        b.code = htole32(m->bulk);
        b.codecs = htole32(m->bulk_crc);
    }
    memcpy(h.id, m->id.b, sizeof(h.id));
    memcpy(body, &b, sizeof(b));
    memcpy(body + sizeof(b), m->what, what);
    memcpy(body + sizeof(b) + what, m->hint, hint);
    h.crc = htole32(checksum(&h, body, n));
    memcpy(out, &h, sizeof(h));
    return sizeof(h) + n;
}

int message_decode(struct message *m, const uint8_t *in, size_t len, size_t *need)
{
    struct wire_head h;
    struct wire_body b;
    size_t n, what, hint;

    *need = MESSAGE_HEAD;
    if (len < sizeof(h))
        return -EAGAIN;
    memcpy(&h, in, sizeof(h));
    n = le32toh(h.length);
    if (memcmp(h.magic, MESSAGE_MAGIC, 4) != 0 || le16toh(h.version) != VERSION || n < sizeof(b) ||
        n > MESSAGE_MAX - sizeof(h))
        return -EPROTO;
    *need = sizeof(h) + n;
    if (len < *need)
        return -EAGAIN;
    memcpy(&b, in + sizeof(h), sizeof(b));
    what = le16toh(b.what_len);
    hint = le16toh(b.hint_len);
    if (checksum(&h, in + sizeof(h), n) != le32toh(h.crc) || sizeof(b) + what + hint != n ||
        what >= sizeof(m->what) || hint >= sizeof(m->hint) || le32toh(b.state) >= MIG_STATES ||
        le16toh(h.type) == 0 || le16toh(h.type) >= MSG_TYPES)
        return -EPROTO;
    *m = (struct message){ .type = (enum message_type)le16toh(h.type), .epoch = le64toh(h.epoch),
                           .state = (enum migrate_state)le32toh(b.state), .codecs = le32toh(b.codecs),
                           .code = (int32_t)le32toh(b.code) };
    if (m->type == MSG_FRAMES) {
        m->bulk = (uint32_t)m->code;
        m->bulk_crc = m->codecs;
        m->code = 0;
        m->codecs = 0;
    }
    if (m->bulk > MESSAGE_BULK_MAX)
        return -EPROTO;
    memcpy(m->id.b, h.id, sizeof(h.id));
    memcpy(m->what, in + sizeof(h) + sizeof(b), what);
    memcpy(m->hint, in + sizeof(h) + sizeof(b) + what, hint);
    for (char *p = m->what; *p; p++)                /* another host's words: shown, never acted upon */
        *p = (unsigned char)*p < ' ' ? ' ' : *p;
    for (char *p = m->hint; *p; p++)
        *p = (unsigned char)*p < ' ' ? ' ' : *p;
    return 0;
}

/* Wait for @events until @end: 0, -ETIMEDOUT. */
static int wait_for(int fd, short events, int64_t end)
{
    for (;;) {
        struct pollfd p = { fd, events, 0 };
        int64_t left = end - vane_now_ms();
        int n = poll(&p, 1, left > 0 ? (int)left : 0);

        if (n > 0)
            return 0;
        if (n == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

static int read_until(int fd, int64_t end, void *p, size_t n)
{
    char *q = p;

    while (n) {
        int rc = wait_for(fd, POLLIN, end);
        ssize_t r = rc < 0 ? -1 : read(fd, q, n);

        if (rc < 0)
            return rc;
        if (r == 0)
            return -EPIPE;
        if (r < 0 && errno != EINTR && errno != EAGAIN)
            return errno == ECONNRESET ? -EPIPE : -errno;
        if (r > 0) {
            q += r;
            n -= (size_t)r;
        }
    }
    return 0;
}

int bytes_read(int fd, int timeout_ms, void *p, size_t n)
{
    return read_until(fd, vane_now_ms() + timeout_ms, p, n);
}

int bytes_write(int fd, int timeout_ms, const void *p, size_t n)
{
    int64_t end = vane_now_ms() + timeout_ms;
    const char *q = p;

    while (n) {
        int rc = wait_for(fd, POLLOUT, end);
        ssize_t w = rc < 0 ? -1 : write(fd, q, n);

        if (rc < 0)
            return rc;
        if (w < 0 && errno != EINTR && errno != EAGAIN)
            return errno == ECONNRESET ? -EPIPE : -errno;
        if (w > 0) {
            q += w;
            n -= (size_t)w;
        }
    }
    return 0;
}

int message_read(int fd, int timeout_ms, struct message *m, const void *head, size_t head_len)
{
    int64_t end = vane_now_ms() + timeout_ms;
    uint8_t buf[MESSAGE_MAX];
    size_t have = head_len, need;
    int rc;

    if (head_len)
        memcpy(buf, head, head_len);
    while ((rc = message_decode(m, buf, have, &need)) == -EAGAIN) {
        if (have == 0 && (rc = wait_for(fd, POLLIN, end)) < 0)
            return rc;
        if (end > vane_now_ms() + WHOLE_MS)
            end = vane_now_ms() + WHOLE_MS;
        rc = read_until(fd, end, buf + have, need - have);
        if (rc < 0)
            return rc;
        have = need;
    }
    return rc;
}

int message_write(int fd, int timeout_ms, const struct message *m)
{
    uint8_t buf[MESSAGE_MAX];

    return bytes_write(fd, timeout_ms, buf, message_encode(buf, m));
}

int message_write_bulk(int fd, int timeout_ms, struct message *m, const void *bulk)
{
    int rc;

    m->bulk_crc = (uint32_t)crc32(0, bulk, m->bulk);
    rc = message_write(fd, timeout_ms, m);
    return rc == 0 ? bytes_write(fd, timeout_ms, bulk, m->bulk) : rc;
}

int message_read_bulk(int fd, int timeout_ms, const struct message *m, void *bulk)
{
    int rc = bytes_read(fd, timeout_ms, bulk, m->bulk);

    return rc == 0 && (uint32_t)crc32(0, bulk, m->bulk) != m->bulk_crc ? -EPROTO : rc;
}
