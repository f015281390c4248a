/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * volatile.c - READ_ONCE and WRITE_ONCE under ThreadSanitizer
 *
 * They are volatile accesses: marked as racing on purpose, and on x86-64 single loads and stores. The compiler reports them
 * apart from plain ones (--param tsan-distinguish-volatile=1); the library has no functions for that, and nothing is to
 * be checked.
 */
#define ACCESS(kind, size)                                      \
    void __tsan_volatile_##kind##size(void *at);                \
    void __tsan_volatile_##kind##size(void *at) { (void)at; }

ACCESS(read, 1) ACCESS(read, 2) ACCESS(read, 4) ACCESS(read, 8) ACCESS(read, 16)
ACCESS(write, 1) ACCESS(write, 2) ACCESS(write, 4) ACCESS(write, 8) ACCESS(write, 16)
