/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bitmap.h - arrays of 64-bit words; the atomic forms are lock-prefixed and full barriers
 *
 * bit numbers are not checked here: bound them before calling. Bitmaps shared with guests (event channels) use the
 * atomic forms only.
 */
#ifndef PARAVANE_BITMAP_H
#define PARAVANE_BITMAP_H

#include "types.h"

#define BITMAP_WORDS(bits) (((bits) + 63) / 64)

static inline bool bitmap_test(const uint64_t *map, unsigned bit)
{
    return (__atomic_load_n(&map[bit / 64], __ATOMIC_RELAXED) >> (bit % 64)) & 1;
}

static inline void bitmap_set(uint64_t *map, unsigned bit) { map[bit / 64] |= 1UL << (bit % 64); }
static inline void bitmap_clear(uint64_t *map, unsigned bit) { map[bit / 64] &= ~(1UL << (bit % 64)); }

/* Both return the bit's old value. */
static inline bool bitmap_atomic_set(uint64_t *map, unsigned bit)
{
    const uint64_t m = 1UL << (bit % 64);
    return (__atomic_fetch_or(&map[bit / 64], m, __ATOMIC_SEQ_CST) & m) != 0;
}

static inline bool bitmap_atomic_clear(uint64_t *map, unsigned bit)
{
    const uint64_t m = 1UL << (bit % 64);
    return (__atomic_fetch_and(&map[bit / 64], ~m, __ATOMIC_SEQ_CST) & m) != 0;
}

/* First bit >= @from that is set (clear), or @bits. Total: @from may equal @bits (XSA-307). */
static inline unsigned bitmap_next_set(const uint64_t *map, unsigned bits, unsigned from)
{
    while (from < bits) {
        const uint64_t w = __atomic_load_n(&map[from / 64], __ATOMIC_RELAXED) >> (from % 64);
        if (w) {
            const unsigned b = from + (unsigned)__builtin_ctzl(w);
            return b < bits ? b : bits;
        }
        from = (from / 64 + 1) * 64;
    }
    return bits;
}

static inline unsigned bitmap_next_clear(const uint64_t *map, unsigned bits, unsigned from)
{
    while (from < bits) {
        const uint64_t w = ~__atomic_load_n(&map[from / 64], __ATOMIC_RELAXED) >> (from % 64);
        if (w) {
            const unsigned b = from + (unsigned)__builtin_ctzl(w);
            return b < bits ? b : bits;
        }
        from = (from / 64 + 1) * 64;
    }
    return bits;
}

/* A set of physical CPUs: one word, because MAX_CPUS is 64. */
typedef struct { uint64_t bits; } cpumask_t;

static inline cpumask_t cpumask_of(unsigned cpu) { return (cpumask_t){ 1UL << cpu }; }
static inline bool cpumask_test(cpumask_t m, unsigned cpu) { return (m.bits >> cpu) & 1; }
#define cpumask_for_each(cpu, mask)                                            \
    for (uint64_t rest_##cpu = (mask).bits, cpu = rest_##cpu ? (uint64_t)__builtin_ctzl(rest_##cpu) : 64; \
         rest_##cpu != 0;                                                      \
         rest_##cpu &= rest_##cpu - 1, cpu = rest_##cpu ? (uint64_t)__builtin_ctzl(rest_##cpu) : 64)

#endif
