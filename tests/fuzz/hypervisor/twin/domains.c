/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domains.c - three domains with page tables, built, kept going, and taken apart
 *
 * A domain's pages are mapped from BASE on, one L1 table full; a second L1 table is the window into which the grammar maps
 * things. Page 0 is the L4, 1 the L3, 2 the L2, 3 and 4 the L1s, mapped read-only.
 */
#include "twin.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "boot/boot_info.h"
#include "cpu/cpuid_policy.h"
#include "domain/domain.h"
#include "grant/grant.h"
#include "heap_fake.h"
#include "hv_errno.h"
#include "irq/irq.h"
#include "irq_fake.h"
#include "machine_fake.h"
#include "mm/frame_alloc.h"
#include "mm/page_ref.h"
#include "sched/sched.h"
#include "softirq.h"
#include "time/time.h"

#define BASE 0x40000000UL
#define WINDOW (BASE + (2UL << 20))
#define PAGES 160u
enum { L4, L3, L2, L1, L1_WINDOW, FIRST_FREE };

struct vm vms[TWIN_DOMAINS];
static uint64_t frames_before;
static long heap_before;

/* ---- what the grammar asks for ---- */

void *page_alloc(void)
{
    struct vm *vm = twin_here();

    if (vm->next_page == PAGES)
        abort();
    return (void *)(BASE + vm->next_page++ * PAGE_SIZE);
}

/* Argument structures: memory of the host, the last page of which cannot be touched. */
void *page_alloc_run(unsigned n)
{
    char *p = mmap(NULL, n * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED || mprotect(p + (n - 1) * PAGE_SIZE, PAGE_SIZE, PROT_NONE))
        abort();
    fake_guest_share(p, (n - 1) * PAGE_SIZE);
    return p;
}

uint64_t mm_pfn(const void *page) { return ((uintptr_t)page - BASE) >> PAGE_SHIFT; }
uint64_t mm_mfn(const void *page) { return READ_ONCE(twin_here()->p2m[mm_pfn(page) % PAGES]); }
void mm_set_mfn(uint64_t pfn, uint64_t mfn) { WRITE_ONCE(twin_here()->p2m[pfn % PAGES], mfn); }
uint64_t mm_l4_mfn(void) { return twin_here()->p2m[L4]; }
int mm_unmap(uint64_t va) { (void)va; return 0; }
int mm_map(uint64_t va, uint64_t mfn, uint64_t flags) { (void)va, (void)mfn, (void)flags; return 0; }

/* Before the tables are validated: a store will do. */
int mm_protect(void *page)
{
    uint64_t *l1 = frame_ptr(mfn(twin_here()->p2m[L1]));

    l1[mm_pfn(page)] &= ~PTE_RW;
    return 0;
}

uint64_t mm_reserve_va(unsigned pages)
{
    struct vm *vm = twin_here();

    return WINDOW + (vm->gen[1].pages[0] ? pages * PAGE_SIZE : 0);
}

static struct vm *other(void)
{
    struct vm *vm = twin_here();
    const uint64_t mix = twin_gen()->calls;

    /* For Dom0 one of the two; for these mostly each other. */
    if (vm->privileged)
        return &vms[1 + mix % 2];
    return mix % 4 == 0 ? &vms[0] : &vms[vm == &vms[1] ? 2 : 1];
}

domid_t own_domid(void) { return twin_here()->id; }
domid_t peer_domid(void) { return other()->id; }
domid_t victim_domid(void) { return other()->id; }
uint64_t victim_root(void) { return other()->p2m[L4]; }

uint64_t victim_frame(void)
{
    return READ_ONCE(other()->p2m[twin_gen()->state % PAGES]);
}

uint64_t hypervisor_frame(void) { return twin_here()->d->shared_info_mfn.n + 1; }
bool world_is_expendable(void) { return !twin_here()->privileged; }

struct grant_entry_v1 *grant_entry(grant_ref_t ref)
{
    static struct grant_entry_v1 nowhere;
    struct vm *vm = twin_here();

    return domain_is_dying(vm->d) ? &nowhere : &vm->grants[ref];
}

uint64_t random_next(uint64_t *state)
{
    uint64_t x = *state;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1dUL;
}

/* ---- building ---- */

static void must(int rc)
{
    if (rc)
        abort();
}

static void make_tables(struct vm *vm)
{
    uint64_t *table[FIRST_FREE];

    for (unsigned i = 0; i < FIRST_FREE; i++)
        table[i] = frame_ptr(mfn(vm->p2m[i]));
    table[L4][0] = PTE(vm->p2m[L3], PTE_TABLE);
    table[L3][1] = PTE(vm->p2m[L2], PTE_TABLE);
    table[L2][0] = PTE(vm->p2m[L1], PTE_TABLE);
    table[L2][1] = PTE(vm->p2m[L1_WINDOW], PTE_TABLE);
    for (unsigned i = 0; i < PAGES; i++)
        table[L1][i] = PTE(vm->p2m[i], i < FIRST_FREE ? PTE_RO : PTE_KERNEL);
}

static void set_context(struct vcpu *v, uint64_t l4)
{
    struct vcpu_guest_context *ctx = calloc(1, sizeof(*ctx));

    ctx->flags = VGCF_in_kernel | VGCF_online;
    ctx->ctrlreg[3] = l4 << PAGE_SHIFT;
    must(vcpu_set_context(v, ctx));
    free(ctx);
}

static void build(struct vm *vm, domid_t id)
{
    const struct domain_create_args args = { .id = id, .privileged = id == 0, .max_vcpus = TWIN_VCPUS + 1,
                                             .max_evtchn_port = 255, .max_grant_frames = 2, .max_maptrack_frames = 2 };
    mfn_t m;

    memset(vm, 0, sizeof(*vm));
    vm->id = id;
    vm->privileged = id == 0;
    vm->next_page = FIRST_FREE;
    must(domain_create(&args, &vm->d));         /* the reference stays ours until the end */
    if (id == 0)
        dom0 = vm->d;
    vm->d->mm.max_pages = PAGES + 32;
    for (unsigned i = 0; i <= TWIN_VCPUS; i++)
        must(domain_create_vcpu(vm->d, i));
    for (unsigned i = 0; i < PAGES; i++) {
        must(frame_alloc_domain(vm->d, 0, 0, &m));
        m2p_set(m, i);
        vm->p2m[i] = m.n;
    }
    make_tables(vm);
    must(grant_table_frame(vm->d, 0, &m));
    vm->grants = frame_ptr(m);
    for (unsigned i = 0; i < TWIN_VCPUS; i++) {
        twin_enter(vm, i);
        gen_init(&vm->gen[i], i, twin_options.seed * TWIN_DOMAINS + id);
        vm->gen[i].tracing = twin_options.tracing;
        if (twin_options.input && id == 1 + i) {
            vm->gen[i].input = twin_options.input + i * (twin_options.input_size / 2);
            vm->gen[i].input_end = vm->gen[i].input + twin_options.input_size / 2;
        }
    }
    for (unsigned i = 0; i < TWIN_VCPUS; i++)
        set_context(domain_vcpu(vm->d, i), vm->p2m[L4]);
    must(domain_controller_unpause(vm->d));
}

void twin_build(void)
{
    static const struct cpuid_leaf_entry raw[] = {
        { 0, 0, { 1, 0x68747541, 0x444d4163, 0x69746e65 } }, { 1, 0, { 0, 0, 0, 1 << 6 } },
        { 0x80000000, 0, { 0x80000001, 0, 0, 0 } },          { 0x80000001, 0, { 0, 0, 0, 1 << 20 | 1 << 29 } },
    };
    static bool once;

    fake_machine_init(TWIN_FRAMES);
    fake_chip_reset();
    twin_cpu_init();
    if (!once)
        cpuid_policy_init(raw, ARRAY_SIZE(raw));
    once = true;
    tsc_clock.khz = 1000000;
    tsc_scale_from_hz(1000000000, &tsc_clock.mul, &tsc_clock.shift);
    boot_info.nr_e820 = 1;
    boot_info.e820[0] = (struct e820_entry){ 0, TWIN_FRAMES * PAGE_SIZE, E820_RAM };
    frames_before = frame_free_count();
    heap_before = fake_heap_live;
    for (unsigned i = 0; i < TWIN_DOMAINS; i++)
        build(&vms[i], (domid_t)i);
}

/* ---- keeping it going ---- */

static bool revive(struct vm *vm)
{
    struct domain *d = vm->d;

    if (domain_is_dying(d))
        return false;
    while (domain_controller_unpause(d) == 0)
        ;
    if (READ_ONCE(d->is_shutting_down)) {
        domain_pause_nosync(d);                 /* off this CPU, where nobody else can make it go */
        twin_cpu_softirqs(fake_cpu);
        must(domain_resume(d));
        domain_unpause(d);
    }
    for (unsigned i = 0; i < TWIN_VCPUS; i++) {
        struct vcpu *v = domain_vcpu(d, i);
        if (!v->initialised)
            continue;                           /* Dom0 has reset it */
        atomic_fetch_and(&v->pause_flags, ~VPF_DOWN);
        vcpu_unblock(v);
        vcpu_wake(v);
    }
    return true;
}

bool twin_revive(void)
{
    bool any = false;

    (void)revive(&vms[0]);
    for (unsigned i = 1; i < TWIN_DOMAINS; i++)
        any |= revive(&vms[i]);
    return any;
}

/* ---- the end ---- */

static void kill(struct domain *d)
{
    int rc;

    do {
        rc = domain_kill(d);
        for (unsigned cpu = 0; cpu < TWIN_CPUS; cpu++) {
            fake_cpu = cpu;
            twin_cpu_softirqs(cpu);
        }
        fake_cpu = 0;
    } while (rc == -ERESTART);
    must(rc);
}

static void kill_all(void)
{
    struct domain *d;

    for (domid_t id = 1; (d = domain_lookup_from(id)) != NULL; ) {
        id = (domid_t)(d->id + 1);
        kill(d);
        domain_put(d);
    }
    d = dom0;
    dom0 = NULL;                                /* from now on a domain like any other */
    kill(d);
}

void twin_tear_down(void)
{
    struct domain *d;

    for (domid_t id = 0; (d = domain_lookup_from(id)) != NULL; domain_put(d)) {
        id = (domid_t)(d->id + 1);
        domain_pause_nosync(d);
    }
    twin_cpu_idle_all();
    kill_all();
    for (unsigned i = 0; i < TWIN_DOMAINS; i++) {
        domain_put(vms[i].d);
        for (unsigned k = 0; k < TWIN_VCPUS; k++)
            if (vms[i].gen[k].scratch)
                munmap(vms[i].gen[k].scratch, 3 * PAGE_SIZE);
    }
    for (unsigned i = 0; i < 4; i++)
        twin_cpu_idle_all();
    struct domain *left = domain_lookup_from(0);
    if (left || frame_free_count() != frames_before || fake_heap_live != heap_before) {
        fprintf(stderr, "ledger: %s, %ld frames and %ld objects not given back\n",
                left ? "a domain lives on" : "no domain is left", (long)(frames_before - frame_free_count()),
                fake_heap_live - heap_before);
        abort();
    }
}
