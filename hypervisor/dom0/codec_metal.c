/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * codec_metal.c - the C environment of the decompression libraries, on the bare machine
 *
 * They were compiled for a process: they use SSE registers, the 128 bytes below the stack pointer, the stack
 * protector's word at %fs:0x28, malloc and mem*. All of that is provided here, and only for the time between
 * codec_enter() and codec_leave(), on the boot CPU before the first guest exists:
 *
 *   I1  interrupts are off (an interrupt on this stack would overwrite the red zone); NMI and #MC have stacks of
 *       their own.
 *   I2  CR0, CR4 and FS base are put back; no guest's register state exists yet that SSE use could leak into.
 *   I3  they have no constructors: hypervisor.lds asserts it, because nothing here would run them.
 *   I4  memory comes from one arena taken before interrupts go off: no allocator lock or TLB flush inside.
 */
#include "dom0/unpack.h"

#include "bug.h"
#include "heap.h"
#include "machine.h"

#define MSR_FS_BASE 0xc0000100
#define CR0_MP (1UL << 1)
#define CR0_EM (1UL << 2)
#define CR0_TS (1UL << 3)
#define CR4_OSFXSR (1UL << 9)
#define CR4_OSXMMEXCPT (1UL << 10)

void *malloc(size_t n);
void *calloc(size_t n, size_t size);
void free(void *p);
NORETURN void __stack_chk_fail(void);
/* Optional hooks of libzstd; a weak reference to address 0 would be out of reach of our link. 0: no tracing. */
unsigned long long ZSTD_trace_decompress_begin(const void *ctx);
void ZSTD_trace_decompress_end(unsigned long long trace, const void *what);

static unsigned long saved_flags, saved_cr0, saved_cr4;
static uint64_t saved_fs;
static uint8_t *arena;
static size_t arena_used;
static unsigned arena_order;
static uint64_t tls_block[8];           /* %fs:0x28 is the stack protector's word; its value is of no interest */

static uint64_t rdmsr_fs(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(MSR_FS_BASE));
    return (uint64_t)hi << 32 | lo;
}

static void wrmsr_fs(uint64_t v)
{
    __asm__ volatile("wrmsr" :: "c"(MSR_FS_BASE), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

bool codec_enter(unsigned order)
{
    arena = heap_alloc_pages(order);
    if (!arena)
        return false;
    arena_order = order;
    arena_used = 0;
    saved_flags = machine_irq_save();
    __asm__ volatile("mov %%cr0, %0" : "=r"(saved_cr0));
    __asm__ volatile("mov %%cr4, %0" : "=r"(saved_cr4));
    saved_fs = rdmsr_fs();
    __asm__ volatile("mov %0, %%cr0" :: "r"((saved_cr0 | CR0_MP) & ~(CR0_EM | CR0_TS)) : "memory");
    __asm__ volatile("mov %0, %%cr4" :: "r"(saved_cr4 | CR4_OSFXSR | CR4_OSXMMEXCPT) : "memory");
    wrmsr_fs((uintptr_t)tls_block);
    return true;
}

void codec_leave(void)
{
    wrmsr_fs(saved_fs);
    __asm__ volatile("mov %0, %%cr4" :: "r"(saved_cr4) : "memory");
    __asm__ volatile("mov %0, %%cr0" :: "r"(saved_cr0) : "memory");
    machine_irq_restore(saved_flags);
    heap_free_pages(arena, arena_order);
    arena = NULL;
    arena_used = 0;
    arena_order = 0;
}

/* Never reused before codec_leave(), so all of it is still zero: calloc need not clear. */
void *malloc(size_t n)
{
    const size_t size = PAGE_SIZE << arena_order;

    if (!arena || n > size - arena_used)
        return NULL;
    void *p = arena + arena_used;
    arena_used += MIN(ROUND_UP(n, 64UL), size - arena_used);
    return p;
}

void *calloc(size_t n, size_t size)
{
    size_t total;
    return __builtin_mul_overflow(n, size, &total) ? NULL : malloc(total);
}

void free(void *p)
{
    (void)p;
}

void __stack_chk_fail(void)
{
    machine_panic("stack overrun in a decompression library");
}

unsigned long long ZSTD_trace_decompress_begin(const void *ctx)
{
    (void)ctx;
    return 0;
}

void ZSTD_trace_decompress_end(unsigned long long trace, const void *what)
{
    (void)trace;
    (void)what;
}
