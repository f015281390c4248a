/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * types.h - the words every file uses
 *
 * Frame numbers and addresses are one-field structs: made by mfn(x), opened by .n, printed with PRI_mfn. They
 * cost nothing (gcc passes them in a register) and a pfn can no longer be handed to a function that wants an mfn.
 *
 *   mfn    machine frame number          maddr  machine address (bytes)
 *   pfn    the guest's dense numbering   gva    guest virtual address, never dereferenced: see machine.h
 *   gfn    only where an ABI field means "as the guest names it"; for PV guests that is the mfn
 */
#ifndef PARAVANE_TYPES_H
#define PARAVANE_TYPES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct { uint64_t n; } mfn_t;
typedef struct { uint64_t n; } pfn_t;
typedef struct { uint64_t n; } gfn_t;
typedef struct { uint64_t n; } maddr_t;
typedef struct { uint64_t n; } gva_t;

static inline mfn_t mfn(uint64_t n) { return (mfn_t){ n }; }
static inline pfn_t pfn(uint64_t n) { return (pfn_t){ n }; }
static inline gfn_t gfn(uint64_t n) { return (gfn_t){ n }; }
static inline maddr_t maddr(uint64_t n) { return (maddr_t){ n }; }
static inline gva_t gva(uint64_t n) { return (gva_t){ n }; }

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096UL
#define PAGE_MASK (~(PAGE_SIZE - 1))

#define MFN_INVALID ((mfn_t){ ~0UL })
static inline bool mfn_eq(mfn_t a, mfn_t b) { return a.n == b.n; }
static inline mfn_t maddr_to_mfn(maddr_t a) { return mfn(a.n >> PAGE_SHIFT); }
static inline maddr_t mfn_to_maddr(mfn_t m) { return maddr(m.n << PAGE_SHIFT); }

#define PRI_mfn "%05lx"
#define PRI_gva "%016lx"

/* All of our own code prints uint64_t with %lu/%lx: it is unsigned long on x86-64 in every build of ours. */

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ROUND_UP(x, to) (((x) + (to) - 1) / (to) * (to))
#define container_of(p, type, member) ((type *)(void *)((char *)(p) - offsetof(type, member)))

#define MUST_CHECK __attribute__((warn_unused_result))
#define NORETURN __attribute__((noreturn))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define ALIGNED(n) __attribute__((aligned(n)))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/*
 * Read or write shared memory exactly once: the compiler may neither repeat, split nor invent the access.
 * Everything a guest can change under us is read through READ_ONCE into a const local and judged there.
 */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

struct domain;
struct vcpu;
typedef uint16_t domid_t;
#define __DEFINED_DOMID_T 1

#endif
