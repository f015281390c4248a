/* SPDX-License-Identifier: MIT */
/*
 * runtime.h - the tiny guest runtime: what a guest's main() can count on
 *
 * The runtime sets up stacks, traps, the event upcall, the shared page and a page allocator, then calls
 * guest_main() on vCPU 0 with upcalls enabled. When guest_main() returns, the domain shuts down. Nothing
 * here blocks except where it says so; nothing allocates except where it says so. There is no lock: a guest
 * that starts more vCPUs keeps allocation and page-table edits on one of them.
 */
#ifndef RUNTIME_H
#define RUNTIME_H

#include "hypercall.h"
#include "lib.h"

#define PAGE_SIZE 4096UL
#define PAGE_SHIFT 12
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define GUEST_VCPUS 8

extern struct start_info *start_info;
extern struct shared_info *shared_info;

/* Supplied by the guest: what it is called in messages. */
extern const char guest_name[];
/* Supplied by the guest. The value is the shutdown reason (SHUTDOWN_poweroff ...). */
int guest_main(void);

/* True for the domain the hypervisor itself built (Dom0): SIF_INITDOMAIN. */
static inline bool is_initial_domain(void)
{
    return (start_info->flags & SIF_INITDOMAIN) != 0;
}

/* Stop the domain with a SHUTDOWN_ reason. The initial domain asks for a reboot in place of a power-off,
 * because powering off takes ACPI; a test rig runs its machine with "no reboot". */
void guest_shutdown(unsigned reason) __attribute__((noreturn));

/* Value of "key=..." on the command line, as a number, or @otherwise when it is absent. */
uint64_t cmdline_number(const char *key, uint64_t otherwise);
/* True if the word @key stands on the command line by itself. */
bool cmdline_has(const char *key);

/* ---- console.c ---- */

/* Print to the console: the hypervisor's for the initial domain, else the PV console ring. Waits for the
 * reader when the ring is full, but never longer than a second. */
void console_write(const char *text, size_t len);
int printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* One byte of console input, or -1. */
int console_read_byte(void);
void console_init(void);

/* ---- trap.c ---- */

enum { TRAP_SYSCALL = 0x100, TRAP_EVENT, TRAP_FAILSAFE, TRAP_SYSENTER, TRAP_SYSCALL32, TRAP_NONE = 0xffff };

struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;  /* cs: bits 32..39 hold the saved upcall mask */
};

static inline bool trap_from_user(const struct trap_frame *f)
{
    return (f->cs & 3) == 3;
}

struct context {
    uint64_t rbx, rbp, r12, r13, r14, r15, rsp, rip;
};

/* As setjmp and longjmp. */
int context_save(struct context *c) __attribute__((returns_twice));
void context_jump(struct context *c, int value) __attribute__((noreturn));
/* Leave to the registers of @f through the iret hypercall. */
void trap_enter(struct trap_frame *f) __attribute__((noreturn));

/* Called first for every trap but events; true = handled, continue with the frame. */
typedef bool (*trap_hook_t)(struct trap_frame *f);

struct cpu {
    struct cpu *self;          /* at gs:0 */
    unsigned id;
    uint64_t stack_top;        /* kernel stack for entries from user mode */
    trap_hook_t hook;
    struct {                   /* the last trap that met a fixup (TRAP_NONE: none since reset) */
        uint64_t vector, error, address, rip;
    } trap;
    uint64_t events;           /* upcalls taken */
    void (*entry)(void *);
    void *entry_arg;
};

extern struct cpu cpus[GUEST_VCPUS];

static inline struct cpu *this_cpu(void)
{
    struct cpu *c;
    asm volatile("mov %%gs:0, %0" : "=r"(c));
    return c;
}

void trap_init_cpu(struct cpu *c);
void trap_set_hook(trap_hook_t hook);

/* Use inside asm: if the instruction at label @from traps, go on at label @to with this_cpu()->trap filled. */
#define FIXUP(from, to) \
    "\n.pushsection .fixup_table,\"a\"\n.quad " #from ", " #to "\n.popsection\n"

static inline void trap_reset(void)
{
    this_cpu()->trap.vector = TRAP_NONE;
}

/* Vector of the trap since trap_reset(), TRAP_NONE if there was none. */
static inline unsigned trap_seen(void)
{
    return (unsigned)*(volatile uint64_t *)&this_cpu()->trap.vector;
}

/* Touch memory that may fault; returns TRAP_NONE or the vector. */
unsigned probe_read(uint64_t va, uint64_t *value);
unsigned probe_write(uint64_t va, uint64_t value);

/* ---- event.c ---- */

typedef void (*evtchn_handler_t)(evtchn_port_t port, void *arg);

void event_init(void);
/* The number of this domain, for the places that do not take DOMID_SELF (grant entries, grant maps). */
domid_t own_domid(void);
/* Mask the upcalls of this vCPU; the value is for event_restore(). */
static inline bool event_save_mask(void)
{
    struct vcpu_info *vi = &shared_info->vcpu_info[this_cpu()->id];
    bool old = vi->evtchn_upcall_mask;
    vi->evtchn_upcall_mask = 1;
    asm volatile("" ::: "memory");
    return old;
}
void event_restore(bool masked);
void event_enable(void);

/* Unmask @port and call @fn for it from the upcall of whichever vCPU it is bound to. */
void evtchn_set_handler(evtchn_port_t port, evtchn_handler_t fn, void *arg);
void evtchn_mask(evtchn_port_t port);
void evtchn_unmask(evtchn_port_t port);
bool evtchn_is_pending(evtchn_port_t port);
void evtchn_clear(evtchn_port_t port);
/* The following return a port > 0 or -errno; close and send 0 or -errno. */
int evtchn_alloc_unbound(domid_t remote);
int evtchn_bind_interdomain(domid_t remote, evtchn_port_t remote_port);
int evtchn_bind_virq(unsigned virq, unsigned vcpu);
int evtchn_bind_ipi(unsigned vcpu);
int evtchn_close(evtchn_port_t port);
int evtchn_send(evtchn_port_t port);
/* Dispatch whatever is pending on this vCPU; for callers that hold upcalls masked. */
void event_dispatch(void);

/* ---- time.c ---- */

/* Nanoseconds; never back, also over a suspend. */
uint64_t time_now(void);
/* The same moment as the hypervisor counts, for timers and polls. */
uint64_t time_to_system(uint64_t when);
/* Wall clock, nanoseconds since 1970. */
uint64_t time_wall(void);
void time_init(void);
/* Sleep until system time @when or until an event came, whichever is first. */
void time_block_until(uint64_t when);
/* Spin until @cond is true or @ns nanoseconds have passed; value of @cond. */
#define wait_for(cond, ns) ({ \
    uint64_t end_ = time_now() + (ns); \
    bool met_; \
    while (!(met_ = (cond)) && time_now() < end_) \
        asm volatile("pause" ::: "memory"); \
    met_; })
#define MS 1000000UL
#define SECOND 1000000000UL

/* ---- smp.c ---- */

/* Run @fn(@arg) on vCPU @id, which is down: not yet started, or its function has returned. 0 or -errno. */
int smp_start(unsigned id, void (*fn)(void *), void *arg);
bool smp_is_up(unsigned id);
/* Take this vCPU down; returns when another one brings it up again. */
void smp_stop(void);
unsigned smp_vcpu_count(void);

#endif
