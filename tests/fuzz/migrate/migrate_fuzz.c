/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate_fuzz.c - what a peer or a file may say: messages and records */
#include <stdlib.h>
#include <string.h>

#include "../../../dom0-tools/migrate/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct migrate_record r, again;
    struct message m, back;
    uint8_t buf[MESSAGE_MAX];
    char text[RECORD_TEXT_MAX];
    size_t need;

    if (message_decode(&m, data, size, &need) == 0) {
        /* what was accepted is said again in the same bytes */
        if (need > size || message_encode(buf, &m) != need || message_decode(&back, buf, need, &need) != 0)
            abort();
    } else if (need > MESSAGE_MAX) {
        abort();
    }
    if (record_parse(&r, (const char *)data, size) == 0 &&
        record_parse(&again, text, record_text(text, &r)) != 0)
        abort();
    return 0;
}
