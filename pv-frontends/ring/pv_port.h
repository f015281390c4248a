/* SPDX-License-Identifier: MIT */
/*
 * pv_port.h - what the front ends need from the kernel they live in
 *
 * The library holds no globals and never allocates behind its user's back beyond these calls. A kernel
 * defines them once, at link time; runtime/port.c does it for the tiny guest, tests/unit/pv-frontends for the
 * host. None is called with a lock of the library held (there are none): a device and its queues belong to one
 * thread of control at a time.
 */
#ifndef PV_PORT_H
#define PV_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef __XEN_INTERFACE_VERSION__
#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__
#endif
#include <xen/xen-compat.h>
#include <xen/xen.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>

#define PV_PAGE_SIZE 4096U

/* @n zeroed pages, page-aligned and consecutive for the CPU (not for the machine), or NULL. */
void *pv_pages_alloc(unsigned n);
void pv_pages_free(void *pages, unsigned n);
/* Machine frame of the page at @page. */
uint64_t pv_frame(const void *page);

/* The grant table, version 1, and how many entries it has now. Entries 0..7 are reserved. */
struct grant_entry_v1 *pv_grant_table(unsigned *entries);

/* New unbound port for @remote: the port, or -errno. */
int pv_evtchn_alloc(domid_t remote);
void pv_evtchn_close(evtchn_port_t port);
void pv_evtchn_send(evtchn_port_t port);

/* Nanoseconds, monotonic. */
uint64_t pv_now(void);
/* Let others run until an event may have come for @port, at the latest until @when. Spurious returns allowed. */
void pv_wait(evtchn_port_t port, uint64_t when);

/* As in the C library; a freestanding compiler expects them of everybody. */
void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

#define pv_read_once(x) (*(const volatile __typeof__(x) *)&(x))
#define pv_write_once(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
/* Loads (stores) before are done before loads (stores) behind; x86 needs the compiler told, no more. */
#define pv_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define pv_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#define pv_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)

/* Copy @n bytes (a multiple of 4, @src aligned to it) out of memory the other side can write: every word is read
 * exactly once. */
static inline void pv_copy_once(void *dst, const volatile void *src, size_t n)
{
    const volatile uint32_t *s = src;
    uint8_t *d = dst;

    for (; n >= sizeof(*s); n -= sizeof(*s), d += sizeof(*s)) {
        uint32_t word = *s++;

        memcpy(d, &word, sizeof(word));
    }
}

#endif
