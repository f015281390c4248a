/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dom0_build_test.c - a whole Dom0 on the fake machine, looked at as its kernel would: through its own page tables
 *
 * fake_mmu() walks the tables as the CPU does; the audit recounts every reference that the pinned tables hold.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "../unit.h"
#include "dom0/dom0.h"
#include "domain/domain.h"
#include "hv_errno.h"
#include "kernel_image.h"
#include "machine_fake.h"
#include "mm/frame_alloc.h"
#include "mm/page_type.h"
#include "cpu/cpuid_policy.h"

#define FRAMES 16384u           /* 64 MiB */
#define MIB 256u                /* in pages */

void domain_rcu_softirq(void);

static uint8_t file[8192], packed[8192];
static struct domain *d;
static struct vcpu *v;

/* Put @n bytes into frames that nobody else has, as a boot loader's module lies in reserved RAM. */
static struct boot_module module(const void *bytes, size_t n, unsigned order, const char *cmdline)
{
    const mfn_t m = frame_alloc_hv(order, 0);

    CU_ASSERT_FATAL(!mfn_eq(m, MFN_INVALID));
    memset(frame_ptr(m), 0xee, PAGE_SIZE << order);
    memcpy(frame_ptr(m), bytes, n);
    return (struct boot_module){ .start = mfn_to_maddr(m), .size = n, .cmdline = cmdline };
}

static size_t gzip(const uint8_t *in, size_t n)
{
    z_stream z = { .next_in = (Bytef *)(uintptr_t)in, .avail_in = (uInt)n, .next_out = packed, .avail_out = sizeof(packed) };

    CU_ASSERT_EQUAL(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    CU_ASSERT_EQUAL(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

/* Every second frame of most of the memory taken and kept: no two free ones are neighbours there. */
static void fragment(unsigned pairs)
{
    for (unsigned i = 0; i < pairs; i++) {
        const mfn_t m = frame_alloc_hv(1, 0);
        if (mfn_eq(m, MFN_INVALID))
            return;
        frame_free_hv(mfn(m.n + 1), 0);
    }
}

static uint8_t initrd[3 * 4096 + 100];

struct setup {
    struct image_spec kernel;
    const char *dom0_mem, *extra;
    bool zip, with_initrd, fragmented;
    uint64_t rsdp;
};

static int build(const struct setup *s)
{
    static const struct cpuid_leaf_entry none[1];
    size_t n = image_make(file, &s->kernel);
    const uint8_t *bytes = file;

    fake_machine_init(FRAMES);
    cpuid_policy_init(none, 0);
    dom0 = d = NULL;
    if (s->zip) {
        n = gzip(file, n);
        bytes = packed;
    }
    for (unsigned i = 0; i < sizeof(initrd); i++)
        initrd[i] = (uint8_t)(i * 13 + (i >> 8));
    const struct boot_module k = module(bytes, n, 1, "root=/dev/ram0 quiet");
    const struct boot_module r = s->with_initrd ? module(initrd, sizeof(initrd), 2, "") : (struct boot_module){ .size = 0 };
    if (s->fragmented)
        fragment(6000);
    const struct dom0_params p = { .dom0_mem = s->dom0_mem, .max_vcpus = 2, .kernel = &k,
                                   .initrd = s->with_initrd ? &r : NULL, .extra_cmdline = s->extra, .rsdp = s->rsdp };
    const int rc = dom0_build(&p);
    d = dom0;
    v = d ? domain_vcpu(d, 0) : NULL;
    return rc;
}

static void destroy(void)
{
    int rc;

    dom0 = NULL;                        /* Dom0 cannot be killed */
    do
        rc = domain_kill(d);
    while (rc == -ERESTART);
    CU_ASSERT_EQUAL(rc, 0);
    domain_put(d);
    d = NULL;
    domain_rcu_softirq();               /* its memory, then the last reference */
    domain_rcu_softirq();
}

/* Guest memory at @va, for reading. */
static const void *at(uint64_t va) { return fake_mmu(v->cpu.kernel_root, va, false); }

static uint64_t p2m(const struct start_info *si, uint64_t pfn)
{
    const uint64_t *e = at(si->mfn_list + pfn * 8);
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    return *e;
}

static void check_frames(const struct start_info *si)
{
    CU_ASSERT_EQUAL(d->mm.tot_pages, si->nr_pages);
    for (uint64_t pfn = 0; pfn < si->nr_pages; pfn++) {
        const uint64_t m = p2m(si, pfn);
        const bool good = m < FRAMES && m2p_get(mfn(m)) == pfn && frame_owner(frame_of(mfn(m))) == 0;
        if (!good)
            printf("pfn %lx mfn %lx\n", pfn, m);
        CU_ASSERT(good);
    }
    for (uint64_t pfn = si->nr_pages; pfn % 512; pfn++)
        CU_ASSERT_EQUAL(p2m(si, pfn), ~0UL);
}

/* Mapped from virt_base without a hole; everything writable but the tables; pfn order. Returns the end. */
static uint64_t check_mapping(const struct start_info *si, uint64_t base)
{
    uint64_t va = base;

    for (; at(va); va += PAGE_SIZE) {
        const uint64_t pfn = (va - base) >> PAGE_SHIFT;
        const bool table = va >= si->pt_base && va < si->pt_base + si->nr_pt_frames * PAGE_SIZE;
        CU_ASSERT_EQUAL(fake_mmu(v->cpu.kernel_root, va, true) != NULL, !table);
        CU_ASSERT_PTR_EQUAL(at(va), frame_ptr(mfn(p2m(si, pfn))));
    }
    CU_ASSERT_EQUAL(va & 0x3fffff, 0);
    return va;
}

static void check_initrd(const struct start_info *si)
{
    CU_ASSERT_EQUAL(si->mod_len, sizeof(initrd));
    for (unsigned i = 0; i < sizeof(initrd); i += PAGE_SIZE) {
        const uint8_t *page = si->flags & SIF_MOD_START_PFN
                                  ? frame_ptr(mfn(p2m(si, si->mod_start + i / PAGE_SIZE))) : at(si->mod_start + i);
        const size_t n = MIN(PAGE_SIZE, sizeof(initrd) - i);
        CU_ASSERT_PTR_NOT_NULL_FATAL(page);
        CU_ASSERT_EQUAL(memcmp(page, initrd + i, n), 0);
        for (size_t k = n; k < PAGE_SIZE; k++)
            CU_ASSERT_EQUAL(page[k], 0);                /* what the loader left behind the module is not shown */
    }
}

/* Everything that abi-map 1.4 to 1.6 promises. */
static void check_guest(const struct setup *s)
{
    const struct cpu_user_regs *r = &v->cpu.regs;
    const struct start_info *si = at(r->rsi);

    CU_ASSERT_PTR_NOT_NULL_FATAL(si);
    CU_ASSERT(strncmp(si->magic, "xen-3.0-x86_64", 14) == 0);
    CU_ASSERT_EQUAL(r->rip, s->kernel.entry);
    CU_ASSERT(r->cs == FLAT_KERNEL_CS && r->ss == FLAT_KERNEL_SS && (r->rflags & 0x200) && v->cpu.kernel_mode);
    CU_ASSERT(r->rax == 0 && r->rbx == 0 && r->rdi == 0 && r->r15 == 0);
    CU_ASSERT_EQUAL(si->shared_info, d->shared_info_mfn.n << PAGE_SHIFT);
    CU_ASSERT_EQUAL(si->flags & 3, SIF_PRIVILEGED | SIF_INITDOMAIN);
    CU_ASSERT_PTR_EQUAL(at(si->pt_base), frame_ptr(v->cpu.kernel_root));
    CU_ASSERT_EQUAL(d->shared_info->vcpu_info[0].evtchn_upcall_mask, 1);
    CU_ASSERT_EQUAL(d->shared_info->vcpu_info[31].evtchn_upcall_mask, 1);
    CU_ASSERT(domain_vcpu(d, 1) != NULL && (domain_vcpu(d, 1)->pause_flags & VPF_DOWN) && !(v->pause_flags & VPF_DOWN));

    const uint64_t end = check_mapping(si, s->kernel.virt_base);
    CU_ASSERT(r->rsp > si->pt_base && r->rsp <= end && end - r->rsp >= 512 << 10);
    for (unsigned i = 0; i < 0x800; i++)
        CU_ASSERT_EQUAL(*(const uint8_t *)at(s->kernel.virt_base + s->kernel.paddr + i), file[IMAGE_TEXT + i]);
    CU_ASSERT_EQUAL(*(const uint64_t *)at(s->kernel.virt_base + s->kernel.paddr + 0x800), 0);   /* bss */
    check_frames(si);
    if (s->with_initrd)
        check_initrd(si);
    page_type_audit(false);
}

static const struct image_spec tiny = { .virt_base = 0xffffffff80000000, .paddr = 0, .memsz = 0x4000,
                                        .entry = 0xffffffff80000010, .mod_start_pfn = true };

static void like_linux(void)
{
    const struct setup s = {
        .kernel = { .virt_base = 0xffffffff80000000, .paddr = 0x400000, .memsz = 0x300000, .entry = 0xffffffff80400123,
                    .init_p2m = 0x8000000000, .features = "!writable_page_tables|pae_pgdir_above_4gb", .mod_start_pfn = true },
        .dom0_mem = "32M", .zip = true, .with_initrd = true, .extra = "panic=5", .rsdp = 0xf59e0,
    };

    CU_ASSERT_EQUAL_FATAL(build(&s), 0);
    check_guest(&s);
    const struct start_info *si = at(v->cpu.regs.rsi);
    CU_ASSERT_EQUAL(si->nr_pages, 32 * MIB);
    CU_ASSERT_EQUAL(si->mfn_list, 0x8000000000);
    CU_ASSERT(si->flags & SIF_MOD_START_PFN);
    CU_ASSERT_EQUAL(si->first_p2m_pfn, (check_mapping(si, s.kernel.virt_base) - s.kernel.virt_base) >> PAGE_SHIFT);
    CU_ASSERT_EQUAL(si->nr_p2m_frames, 16 + 3);
    CU_ASSERT_STRING_EQUAL((const char *)si->cmd_line, "root=/dev/ram0 quiet panic=5 acpi_rsdp=0xf59e0");
    destroy();
}

/* P2M and initrd in the one region, hypercall page filled. */
static void like_a_small_kernel(void)
{
    struct setup s = { .kernel = tiny, .dom0_mem = "16M", .with_initrd = true };

    s.kernel.mod_start_pfn = false;
    s.kernel.hypercall_page = tiny.virt_base + 0x2000;
    CU_ASSERT_EQUAL_FATAL(build(&s), 0);
    check_guest(&s);
    const struct start_info *si = at(v->cpu.regs.rsi);
    CU_ASSERT_EQUAL(si->mod_start, tiny.virt_base + 0x4000);
    CU_ASSERT_EQUAL(si->mfn_list, tiny.virt_base + 0x4000 + 4 * PAGE_SIZE);
    CU_ASSERT(si->first_p2m_pfn == 0 && si->nr_p2m_frames == 0 && !(si->flags & SIF_MOD_START_PFN));
    const uint8_t *stub = at(s.kernel.hypercall_page + 12 * 32);
    CU_ASSERT_EQUAL(memcmp(stub, "\x51\x41\x53\xb8\x0c\0\0\0\x0f\x05\x41\x5b\x59\xc3\xcc", 15), 0);
    stub = at(s.kernel.hypercall_page + 23 * 32);
    CU_ASSERT_EQUAL(memcmp(stub, "\x51\x41\x53\x50\xb8\x17\0\0\0\x0f\x05\xcc", 12), 0);
    destroy();
}

/* Mini-OS: everything at virtual address 0. */
static void at_address_zero(void)
{
    struct setup s = { .kernel = tiny, .dom0_mem = "16M" };

    s.kernel.virt_base = 0;
    s.kernel.entry = 0x10;
    CU_ASSERT_EQUAL_FATAL(build(&s), 0);
    check_guest(&s);
    destroy();
}

static void fragmented_memory(void)
{
    struct setup s = { .kernel = tiny, .dom0_mem = "24M", .with_initrd = true, .fragmented = true };

    CU_ASSERT_EQUAL_FATAL(build(&s), 0);
    check_guest(&s);
    destroy();
}

/* All there is, and ballooning limits. */
static void sizes(void)
{
    struct setup s = { .kernel = tiny, .dom0_mem = "100%" };

    CU_ASSERT_EQUAL_FATAL(build(&s), 0);
    check_guest(&s);
    CU_ASSERT(d->mm.tot_pages > 50 * MIB && frame_free_count() > 0);
    destroy();
    s.dom0_mem = "16M,max:20M";
    CU_ASSERT_EQUAL_FATAL(build(&s), 0);
    CU_ASSERT(d->mm.tot_pages == 16 * MIB && d->mm.max_pages == 20 * MIB);
    destroy();
}

/* What a build takes comes back when the domain goes, and the kernel's module and buffer with it. */
static void nothing_is_lost(void)
{
    struct setup s = { .kernel = tiny, .dom0_mem = "16M", .zip = true, .with_initrd = true };

    CU_ASSERT_EQUAL_FATAL(build(&s), 0);
    destroy();
    frame_alloc_audit();
    /* Frame 0 is never free; the kernel's last, partial page and the initrd's spare page stay reserved. */
    CU_ASSERT(frame_free_count() >= FRAMES - 8);
    if (frame_free_count() < FRAMES - 8)
        printf("%lu of %u free\n", frame_free_count(), FRAMES);
}

static void refused(void)
{
    struct setup s = { .kernel = tiny, .dom0_mem = "2M" };

    CU_ASSERT_EQUAL(build(&s), -ENOMEM);
    destroy();
    s.dom0_mem = "many";
    CU_ASSERT_EQUAL(build(&s), -EINVAL);
    destroy();
    s.dom0_mem = "16M";
    s.kernel.entry = 0;
    CU_ASSERT_EQUAL(build(&s), -EINVAL);
    s.kernel = tiny;
    s.kernel.init_p2m = 0xffff800000000000;
    CU_ASSERT_EQUAL(build(&s), -EINVAL);
    destroy();
}

static const struct unit_case cases[] = {
    UNIT(like_linux), UNIT(like_a_small_kernel), UNIT(at_address_zero), UNIT(fragmented_memory), UNIT(sizes),
    UNIT(nothing_is_lost), UNIT(refused), { 0 }
};
int main(void) { return unit_main("dom0_build", cases); }
