/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * message.h - what the two sides of a migration say beside the image
 *
 * All messages have one form: a head with a checksum, and a short body. A message that is not whole, too
 * long or of a wrong checksum is no message: the connection is given up (-EPROTO).
 */
#ifndef VANE_MIGRATE_MESSAGE_H
#define VANE_MIGRATE_MESSAGE_H

#include "record.h"

/* On the wire: append only. */
enum message_type {
    /* target to source */
    MSG_HELLO = 1,          /* your offer is accepted; what I can unpack: codecs */
    MSG_ALIVE,              /* I am still at it */
    MSG_FAILED,             /* I cannot: code, what, hint. Nothing is left of it here. */
    MSG_STATE,              /* where I am: the answer to all that follow */
    /* source to target */
    MSG_QUERY, MSG_COMMIT, MSG_DISCARD,
    MSG_FINISH,             /* I need you no more: forget it */
    MSG_FRAMES,             /* what came for the guest's cards meanwhile follows; only if codecs has TAKES_FRAMES; no answer */
    MSG_TYPES
};

struct message {
    enum message_type type;
    struct vane_uuid id;
    uint64_t epoch;
    enum migrate_state state;
    uint32_t codecs;        /* a bit for each enum stream_codec, and TAKES_FRAMES */
    int code;               /* 0 or -errno */
    uint32_t bulk, bulk_crc;    /* MSG_FRAMES, which has neither of these two: bytes behind the message, and their CRC-32 */
    char what[512], hint[256];
};

#define MESSAGE_MAGIC "VMIG"
#define MESSAGE_HEAD 40u
#define MESSAGE_MAX 1024u
#define MESSAGE_BULK_MAX (256u << 10)
#define TAKES_FRAMES (1u << 31)

/* Pure: bytes of a message; and back, from @len bytes: 0, -EAGAIN (incomplete: *need bytes in all), -EPROTO. */
size_t message_encode(uint8_t out[MESSAGE_MAX], const struct message *m);
int message_decode(struct message *m, const uint8_t *in, size_t len, size_t *need) MUST_CHECK;

/*
 * On a descriptor, blocking or not. -ETIMEDOUT, -EPIPE (the other side is gone), -EPROTO, -errno; errors are not
 * recorded. @head: bytes of it that were read before.
 */
int message_read(int fd, int timeout_ms, struct message *m, const void *head, size_t head_len) MUST_CHECK;
int message_write(int fd, int timeout_ms, const struct message *m) MUST_CHECK;
/* What follows it: message_write() with @bulk, m->bulk bytes; and, after message_read(), into MESSAGE_BULK_MAX bytes. */
int message_write_bulk(int fd, int timeout_ms, struct message *m, const void *bulk) MUST_CHECK;
int message_read_bulk(int fd, int timeout_ms, const struct message *m, void *bulk) MUST_CHECK;
/* The same for bytes. */
int bytes_read(int fd, int timeout_ms, void *p, size_t n) MUST_CHECK;
int bytes_write(int fd, int timeout_ms, const void *p, size_t n) MUST_CHECK;

#endif
