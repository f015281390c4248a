/* SPDX-License-Identifier: MIT */
/*
 * thread.h - cooperative threads of one vCPU
 *
 * A thread runs until it calls one of these functions; it stays on the vCPU that started it. Everything that waits in
 * the runtime (pv_wait(), so every front end) waits in thread_wait(), so the others run meanwhile; when nobody can run,
 * the vCPU blocks in one poll for all ports that are waited for. What two threads use by turns over such a wait (a
 * queue, the XenStore connection) must belong to one of them.
 */
#ifndef RUNTIME_THREAD_H
#define RUNTIME_THREAD_H

#include "runtime.h"

struct thread;

/* A new thread of this vCPU that runs @fn(@arg) when the caller next yields or waits: NULL without memory. Every
 * thread must be joined. */
struct thread *thread_start(void (*fn)(void *), void *arg);
/* Let every other thread that can run do so once. */
void thread_yield(void);
/* Wait until @port is pending (and clear it) or system time @when has come. It may return sooner. */
void thread_wait(evtchn_port_t port, uint64_t when);
/* Wait until @t has returned from its function and free it. @t is of this vCPU and not the caller. */
void thread_join(struct thread *t);
/* After a resume in another domain: no port is what it was; whoever waits for one looks again. */
void thread_forget_ports(void);

#endif
