/* SPDX-License-Identifier: MIT */
/*
 * Console output and input. The initial domain talks to the hypervisor's console; any other uses the ring
 * its builder gave it (start_info.console.domU). Owns nothing but the mapping of that ring.
 *
 * The reader's index is the other side's word: it is read once and a distance larger than the ring counts
 * as "full", so a lying peer costs us output, never memory.
 */
#include "mm.h"
#include <xen/io/console.h>

#define PATIENCE SECOND

static struct xencons_interface *ring;

void console_init(void)
{
    if (is_initial_domain() || start_info->console.domU.mfn == 0)
        return;
    ring = mm_mfn_va(start_info->console.domU.mfn);
}

static void notify(void)
{
    if (start_info->console.domU.evtchn != 0)
        evtchn_send(start_info->console.domU.evtchn);
}

static void ring_write(const char *text, size_t len)
{
    XENCONS_RING_IDX prod = ring->out_prod;
    uint64_t give_up = time_now() + PATIENCE;

    for (size_t i = 0; i < len;) {
        if (prod - READ_ONCE(ring->out_cons) >= sizeof(ring->out)) {
            __atomic_store_n(&ring->out_prod, prod, __ATOMIC_RELEASE);
            notify();
            if (time_now() > give_up)
                return;
            hc_sched_op(SCHEDOP_yield, NULL);
            continue;
        }
        ring->out[MASK_XENCONS_IDX(prod, ring->out)] = text[i++];
        prod++;
    }
    __atomic_store_n(&ring->out_prod, prod, __ATOMIC_RELEASE);
    notify();
}

void console_write(const char *text, size_t len)
{
    if (ring != NULL) {
        ring_write(text, len);
        return;
    }
    hc_console_io(CONSOLEIO_write, (unsigned)len, (char *)(uintptr_t)text);
}

int console_read_byte(void)
{
    char c;

    if (ring == NULL)
        return is_initial_domain() && hc_console_io(CONSOLEIO_read, 1, &c) == 1 ? (unsigned char)c : -1;
    XENCONS_RING_IDX cons = ring->in_cons;
    if (READ_ONCE(ring->in_prod) == cons)
        return -1;
    asm volatile("" ::: "memory");
    c = ring->in[MASK_XENCONS_IDX(cons, ring->in)];
    __atomic_store_n(&ring->in_cons, cons + 1, __ATOMIC_RELEASE);
    notify();
    return (unsigned char)c;
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
        if (*p == '\n' && ring != NULL)
            out[n++] = '\r';
        out[n++] = *p;
    }
    console_write(out, n);
    return len;
}
