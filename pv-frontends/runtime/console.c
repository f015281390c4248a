/* SPDX-License-Identifier: MIT */
/*
 * Console output and input. The initial domain talks to the hypervisor's console; any other uses the ring
 * its builder gave it (start_info.console.domU), through the library's console front end.
 */
#include "mm.h"
#include "pvconsole.h"

#define PATIENCE SECOND

static struct pv_console ring;

void console_init(void)
{
    if (is_initial_domain() || start_info->console.domU.mfn == 0)
        return;
    ring.ring = mm_mfn_va(start_info->console.domU.mfn);
    ring.port = start_info->console.domU.evtchn;
}

void console_write(const char *text, size_t len)
{
    uint64_t give_up;

    if (ring.ring == NULL) {
        hc_console_io(CONSOLEIO_write, (unsigned)len, (char *)(uintptr_t)text);
        return;
    }
    give_up = time_now() + PATIENCE;
    for (;;) {
        size_t n = pv_console_write(&ring, text, len);

        text += n;
        len -= n;
        if (len == 0 || time_now() > give_up)
            return;
        hc_sched_op(SCHEDOP_yield, NULL);
    }
}

int console_read_byte(void)
{
    char c;

    if (ring.ring != NULL)
        return pv_console_read(&ring, &c, 1) == 1 ? (unsigned char)c : -1;
    return is_initial_domain() && hc_console_io(CONSOLEIO_read, 1, &c) == 1 ? (unsigned char)c : -1;
}

int printf(const char *format, ...)
{
    char line[512], out[600];
    va_list ap;
    size_t n = 0;

    va_start(ap, format);
    int len = vsnprintf(line, sizeof(line), format, ap);
    va_end(ap);
    /* A terminal wants a carriage return with each line feed; the hypervisor's console adds its own. */
    for (const char *p = line; *p != '\0' && n + 2 < sizeof(out); p++) {
        if (*p == '\n' && ring.ring != NULL)
            out[n++] = '\r';
        out[n++] = *p;
    }
    console_write(out, n);
    return len;
}
