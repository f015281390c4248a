/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * console_io.c - CONSOLEIO_write and CONSOLEIO_read
 *
 * Dom0 writes to the machine's consoles and reads what is typed there. What others write becomes rate-limited lines
 * of our log; they cannot read. Both directions go through a small buffer of ours, so a wire that is slow is waited
 * for a few bytes at a time, with preemption in between.
 *
 * ABI: xen.h CONSOLEIO_*; write returns 0, read the number of bytes (abi-map 2.15, pitfall 72).
 */
#include <xen/xen.h>

#include "console/console.h"
#include "hypercall/hypercall.h"

#define CHUNK 128u

static long console_io_write(struct vcpu *v, struct hcall *h, uint32_t count, gva_t buffer)
{
    char text[CHUNK];

    for (uint32_t done = 0; done < count;) {
        if (done > 0 && hypercall_preempt()) {
            h->arg[1] = count - done;
            h->arg[2] = buffer.n + done;
            return -ERESTART;
        }
        const uint32_t n = MIN(count - done, CHUNK);
        if (guest_copy_in(text, gva(buffer.n + done), n) != 0)
            return -EFAULT;
        if (v->domain->privileged)
            console_write(text, n);
        else
            console_guest_write(v->domain, text, n);
        done += n;
    }
    return 0;
}

static long console_io_read(struct vcpu *v, uint32_t count, gva_t buffer)
{
    char text[CHUNK];
    long total = 0;

    if (!v->domain->privileged)
        return -EPERM;
    if (!guest_range_ok(buffer, count))                         /* before anything is taken out of the queue */
        return -EFAULT;
    while (count > 0) {
        const size_t n = console_read(text, MIN(count, CHUNK));
        if (n == 0)
            break;
        if (guest_copy_out(gva(buffer.n + (uint64_t)total), text, n) != 0)
            return -EFAULT;
        total += (long)n;
        count -= (uint32_t)n;
    }
    return total;
}

long do_console_io(struct vcpu *v, struct hcall *h)
{
    const uint32_t cmd = (uint32_t)h->arg[0], count = (uint32_t)h->arg[1];
    const gva_t buffer = gva(h->arg[2]);

    switch (cmd) {
    case CONSOLEIO_write:
        return console_io_write(v, h, count, buffer);
    case CONSOLEIO_read:
        return console_io_read(v, count, buffer);
    default:
        return -ENOSYS;
    }
}
