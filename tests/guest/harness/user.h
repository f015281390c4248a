/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user.h - run a few instructions in guest user mode, in an address space of their own */
#ifndef USER_H
#define USER_H

#include "harness.h"

#define USER_CODE 0x400000UL
#define USER_STACK_TOP 0x801000UL

/*
 * Make the user address space: one code page, one stack page, nothing else. Calling it again is free.
 * True when it worked; else the current item has failed.
 */
bool user_init(void);
/* Copy @len bytes of machine code to USER_CODE. */
void user_load(const void *code, size_t len);
/* Frame with rip, rsp, selectors and flags for USER_CODE; other registers 0. */
struct trap_frame user_frame(void);
/*
 * Enter user mode with the registers of @f and come back at the first trap, system call or software
 * interrupt; @f then holds what the hypervisor bounced.
 */
void user_run(struct trap_frame *f);
/* Frame of the user L4, for tests on it. */
uint64_t user_l4(void);

#endif
