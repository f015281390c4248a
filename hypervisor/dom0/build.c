/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * build.c - Dom0, from boot modules to a domain that can be unpaused
 *
 *   I1  the domain has no privilege in memory that the ordinary paths do not give: frames from frame_alloc_domain
 *       and frame_adopt, tables pinned through page_type, vCPU 0 set by vcpu_set_context.
 *   I2  nothing is freed on failure: without Dom0 the machine has no further use.
 *
 * Refuses kernels it cannot place, and says why.
 */
#include <elf.h>
#include <string.h>
#include <xen/features.h>

#include "dom0/builder.h"
#include "dom0/mem_size.h"
#include "dom0/unpack.h"
#include "emul/emul.h"
#include "heap.h"
#include "hv_errno.h"
#include "machine.h"
#include "mm/frame_alloc.h"
#include "mm/page_type.h"
#include "print.h"

#define MIN_RESERVE ((8UL << 20) >> PAGE_SHIFT)

/* A decoded kernel in its buffer; buffer NULL when the module itself is the ELF. */
struct image {
    const void *data;
    uint64_t size;
    mfn_t buffer;               /* MFN_INVALID: none */
    uint64_t buffer_pages;
};

static int fail(int rc, const char *why)
{
    pr_err("dom0: cannot build: %s (error %d)\n", why ? why : "internal error", -rc);
    return rc;
}

static const void *module_ptr(const struct boot_module *m)
{
    return (const uint8_t *)frame_ptr(maddr_to_mfn(m->start)) + (m->start.n & ~PAGE_MASK);
}

/* Give [m + from, m + to) pages of one larger block back, in naturally aligned pieces. */
static void free_pages(mfn_t m, uint64_t from, uint64_t to)
{
    while (from < to) {
        const uint64_t at = m.n + from;
        unsigned order = 63 - (unsigned)__builtin_clzl(to - from);
        if (at)
            order = MIN(order, (unsigned)__builtin_ctzl(at));
        frame_free_hv(mfn(at), order);
        from += 1UL << order;
    }
}

/* A contiguous buffer of @size bytes: the next power of two, its unused end returned at once. */
static int image_buffer(struct image *img, uint64_t size)
{
    const uint64_t pages = ROUND_UP(size, PAGE_SIZE) >> PAGE_SHIFT;
    const unsigned order = pages > 1 ? 64 - (unsigned)__builtin_clzl(pages - 1) : 0;

    img->buffer = frame_alloc_hv_uncleared(order);
    if (mfn_eq(img->buffer, MFN_INVALID))
        return -ENOMEM;
    img->buffer_pages = pages;
    free_pages(img->buffer, pages, 1UL << order);
    return 0;
}

static int unpack_kernel(const struct boot_module *m, struct image *img)
{
    struct payload p;
    const char *why;

    *img = (struct image){ .buffer = MFN_INVALID };
    int rc = payload_find(&p, module_ptr(m), m->size, &why);
    if (rc)
        return fail(rc, why);
    if (p.format == PAYLOAD_ELF) {
        img->data = p.data;
        img->size = p.size;
        return 0;
    }
    const uint64_t room = p.unpacked_size ? p.unpacked_size : MIN(p.size * 16, PAYLOAD_MAX_UNPACKED);
    rc = image_buffer(img, room);
    if (rc)
        return fail(rc, "no contiguous memory to unpack the kernel into");
    const uint64_t t0 = machine_now();
    rc = payload_unpack(&p, frame_ptr(img->buffer), room, &img->size, &why);
    if (rc)
        return fail(rc, why);
    img->data = frame_ptr(img->buffer);
    pr_info("dom0: kernel unpacked, %lu to %lu KiB in %lu ms\n", p.size >> 10, img->size >> 10,
            (machine_now() - t0) / 1000000);
    return 0;
}

static int check_dom0_kernel(const struct pv_kernel *k)
{
    if (k->has_supported_features && !(k->features_supported & 1u << XENFEAT_dom0))
        return fail(-EINVAL, "the kernel says it cannot be Dom0");
    return 0;
}

static void load_segments(const struct builder *b)
{
    for (unsigned i = 0; i < b->kernel.elf.phnum; i++) {
        struct elf_segment seg;
        if (!elf_segment(&b->kernel.elf, i, &seg) || seg.type != PT_LOAD)
            continue;
        /* The rest of memsz is zero already: fresh frames. */
        memory_write(b, pv_kernel_place(&b->kernel, &seg), seg.bytes, seg.filesz);
    }
    if (b->kernel.has_hypercall_page)
        hypercall_page_fill(memory_ptr(b, builder_pfn(b, b->kernel.hypercall_page)));
}

/* Pages of a module that nothing else can be in. */
static void module_pages(const struct boot_module *m, mfn_t *first, mfn_t *end)
{
    *first = mfn((m->start.n + PAGE_SIZE - 1) >> PAGE_SHIFT);
    *end = mfn((m->start.n + m->size) >> PAGE_SHIFT);
    if (end->n < first->n)
        *end = *first;
}

/*
 * What Dom0 could get at most: free now, plus what comes back when the kernel has been loaded, less a 64th that stays
 * ours (heap, tables of later domains, DMA-limited requests).
 */
static uint64_t available_pages(const struct dom0_params *p, const struct image *img)
{
    mfn_t first, end;

    module_pages(p->kernel, &first, &end);
    const uint64_t n = frame_free_count() + img->buffer_pages + (end.n - first.n);
    return n - MIN(n, MAX(n / 64, MIN_RESERVE)) +
           (p->initrd ? ROUND_UP(p->initrd->size, PAGE_SIZE) >> PAGE_SHIFT : 0);
}

static void release_image(const struct dom0_params *p, struct image *img)
{
    mfn_t first, end;

    if (!mfn_eq(img->buffer, MFN_INVALID))
        free_pages(img->buffer, 0, img->buffer_pages);
    module_pages(p->kernel, &first, &end);
    frame_alloc_add(first, end);
    img->data = NULL;
}

static int create_domain(struct builder *b)
{
    const struct domain_create_args args = {
        .id = 0, .privileged = true, .max_vcpus = b->params->max_vcpus, .max_evtchn_port = MAX_EVTCHNS - 1,
        .max_grant_frames = GRANT_FRAMES_DEFAULT, .max_maptrack_frames = MAPTRACK_FRAMES_DEFAULT,
    };
    int rc = domain_create(&args, &b->d);
    if (rc)
        return rc;
    dom0 = b->d;
    for (unsigned i = 0; rc == 0 && i < args.max_vcpus; i++)
        rc = domain_create_vcpu(b->d, i);
    /* ABI: no upcalls before the kernel asks for them. */
    for (unsigned i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        b->d->shared_info->vcpu_info[i].evtchn_upcall_mask = 1;
    return rc;
}

/* Everything that the initial mapping shows, and the initrd. What others fill is left out: in address order. */
static int populate(struct builder *b)
{
    const struct dom0_layout *l = &b->l;
    uint64_t at = 0;
    int rc = memory_alloc_p2m(b);

    if (rc == 0 && l->v_initrd) {
        rc = memory_fill(b, at, l->initrd_pfn);
        at = l->initrd_pfn + l->nr_initrd;
    }
    if (rc == 0 && l->nr_p2m_tables == 0) {
        rc = memory_fill(b, at, l->p2m_pfn);
        at = l->p2m_pfn + l->nr_p2m;
    }
    if (rc == 0)
        rc = memory_fill(b, at, l->nr_mapped);
    if (rc == 0)
        rc = memory_fill(b, l->p2m_pfn + l->nr_p2m, l->p2m_pfn + l->nr_p2m + l->nr_p2m_tables);
    if (rc == 0 && l->nr_initrd)
        rc = memory_adopt(b, l->initrd_pfn, b->params->initrd);
    return rc;
}

/* First pfn behind everything that populate() gave. */
static uint64_t first_spare(const struct dom0_layout *l)
{
    uint64_t n = l->nr_mapped;

    if (l->nr_p2m_tables)
        n += l->nr_p2m + l->nr_p2m_tables;
    return l->v_initrd ? n : n + l->nr_initrd;
}

static int pin_root(struct builder *b)
{
    int rc;

    do
        rc = page_pin(b->root, b->d, PGT_L4);
    while (rc == -ERESTART);
    return rc;
}

/* abi-map 1.5 */
static int start_vcpu0(struct builder *b)
{
    struct vcpu_guest_context *ctx = heap_alloc(sizeof(*ctx));
    int rc;

    if (!ctx)
        return -ENOMEM;
    ctx->flags = VGCF_in_kernel | VGCF_online;
    ctx->user_regs.rip = b->kernel.entry;
    ctx->user_regs.rsi = b->l.v_start_info;
    ctx->user_regs.rsp = b->l.v_stack + PAGE_SIZE;
    ctx->user_regs.cs = FLAT_KERNEL_CS;
    ctx->user_regs.ss = FLAT_KERNEL_SS;
    ctx->user_regs.rflags = 0x202;
    ctx->kernel_ss = FLAT_KERNEL_SS;
    ctx->kernel_sp = ctx->user_regs.rsp;
    ctx->ctrlreg[3] = mfn_to_maddr(b->root).n;
    ctx->debugreg[6] = 0xffff0ff0;
    ctx->debugreg[7] = 0x400;
    do
        rc = vcpu_set_context(domain_vcpu(b->d, 0), ctx);
    while (rc == -ERESTART);
    heap_free(ctx);
    return rc;
}

static void report(const struct builder *b)
{
    const struct dom0_layout *l = &b->l;

    pr_info("dom0: %lu MiB, %u vcpus; kernel %lx-%lx, start_info %lx, tables %lx (%lu), end %lx, p2m %lx\n",
            l->nr_pages >> (20 - PAGE_SHIFT), b->d->max_vcpus, b->kernel.vstart, b->kernel.vend, l->v_start_info,
            l->v_tables, l->nr_tables, l->v_end, l->v_p2m);
}

static int build(struct builder *b, struct image *img)
{
    const struct dom0_params *p = b->params;
    const uint64_t nr_initrd = p->initrd ? ROUND_UP(p->initrd->size, PAGE_SIZE) >> PAGE_SHIFT : 0;
    struct dom0_mem mem;
    const char *why;

    int rc = pv_kernel_parse(&b->kernel, img->data, img->size, &why);
    if (rc)
        return fail(rc, why);
    rc = check_dom0_kernel(&b->kernel);
    if (rc)
        return rc;
    rc = create_domain(b);
    if (rc)
        return fail(rc, "no domain");
    rc = dom0_mem_parse(p->dom0_mem, available_pages(p, img), &mem);
    if (rc)
        return fail(rc, "dom0_mem= is not understood");
    b->d->mm.max_pages = mem.max_pages;
    rc = layout_solve(&b->l, &b->kernel, mem.pages, nr_initrd, &why);
    if (rc)
        return fail(rc, why);
    rc = populate(b);
    if (rc)
        return fail(rc, "no memory for the kernel and its first tables");
    load_segments(b);
    release_image(p, img);
    rc = memory_fill_spare(b, first_spare(&b->l), b->l.nr_pages);
    if (rc)
        return fail(rc, "less memory than counted: see dom0_mem=");
    rc = tables_build(b);
    if (rc)
        return fail(rc, "page tables do not fit their estimate");
    start_info_write(b);
    rc = pin_root(b);
    if (rc)
        return fail(rc, "initial page tables refused");
    rc = start_vcpu0(b);
    if (rc)
        return fail(rc, "initial vCPU state refused");
    report(b);
    return 0;
}

int dom0_build(const struct dom0_params *p)
{
    struct image img;
    struct builder *b = heap_alloc(sizeof(*b));

    if (!b)
        return fail(-ENOMEM, "no memory");
    b->params = p;
    int rc = unpack_kernel(p->kernel, &img);
    if (rc == 0)
        rc = build(b, &img);
    heap_free(b->p2m_frame);
    heap_free(b);
    return rc;
}
