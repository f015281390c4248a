/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small domain builder. The layout behind the image is libxc's: list of frames, start_info, store page,
 * console page, page tables, boot stack, slack up to 4 MiB. Owns a pool of window addresses.
 */
#include "domain.h"
#include <elf.h>

#define MAX_WINDOWS 256

static uint64_t windows;                /* va of the first; free ones in a bitmap */
static uint64_t window_used[MAX_WINDOWS / 64];

struct layout {
    uint64_t image_end, p2m, start_info, store, console, tables, nr_tables, stack, end;  /* pfns */
};

long domctl(struct xen_domctl *op, unsigned cmd, domid_t id)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = id;
    return hypercall(__HYPERVISOR_domctl, HC_ARG(op), 0, 0, 0, 0);
}

uint64_t foreign_map(domid_t id, uint64_t mfn, bool writable)
{
    if (windows == 0)
        windows = mm_reserve_va(MAX_WINDOWS);
    for (unsigned i = 0; i < MAX_WINDOWS; i++) {
        uint64_t va = windows + i * PAGE_SIZE;

        if (window_used[i / 64] & (1UL << (i % 64)))
            continue;
        if (mm_entry(mm_l4_mfn(), va, 1) == NULL && mm_map(va, 0, 0) != 0)
            return 0;
        struct mmu_update req = { .ptr = mm_entry_maddr(mm_l4_mfn(), va, 1),
                                  .val = PTE(mfn, PTE_P | PTE_US | PTE_A | PTE_NX | (writable ? PTE_RW | PTE_D : 0)) };
        long rc = hc_mmu_update(&req, 1, NULL, id);
        if (rc != 0) {
            printf("foreign map of frame %lx of domain %u: %ld\n", mfn, id, rc);
            return 0;
        }
        window_used[i / 64] |= 1UL << (i % 64);
        return va;
    }
    return 0;
}

void foreign_unmap(uint64_t va)
{
    uint64_t i = (va - windows) / PAGE_SIZE;

    if (va == 0)
        return;
    mm_unmap(va);
    window_used[i / 64] &= ~(1UL << (i % 64));
}

static int populate(struct domain *d)
{
    for (uint64_t at = 0; at < d->nr_pages;) {
        struct xen_memory_reservation res = { .domid = d->id };
        uint64_t n = d->nr_pages - at < 256 ? d->nr_pages - at : 256;

        for (uint64_t i = 0; i < n; i++)
            d->mfns[at + i] = at + i;
        res.nr_extents = n;
        set_xen_guest_handle(res.extent_start, &d->mfns[at]);
        long done = hc_memory_op(XENMEM_populate_physmap, &res);
        if (done != (long)n)
            return done < 0 ? (int)done : -XEN_ENOMEM;
        at += n;
    }
    return 0;
}

/* Copy @len bytes to pseudo-physical address @paddr. */
static int poke(struct domain *d, uint64_t paddr, const void *data, size_t len)
{
    while (len > 0) {
        uint64_t off = paddr % PAGE_SIZE, n = PAGE_SIZE - off < len ? PAGE_SIZE - off : len;

        if (paddr / PAGE_SIZE >= d->nr_pages)
            return -XEN_ENOSPC;
        uint64_t va = foreign_map(d->id, d->mfns[paddr / PAGE_SIZE], true);
        if (va == 0)
            return -XEN_EFAULT;
        memcpy((void *)(va + off), data, n);
        foreign_unmap(va);
        paddr += n;
        data = (const uint8_t *)data + n;
        len -= n;
    }
    return 0;
}

static int load_image(struct domain *d, struct image image, uint64_t *entry, uint64_t *end)
{
    const Elf64_Ehdr *eh = (const void *)image.data;
    int rc = 0;

    *end = 0;
    if (image.size < sizeof(*eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 ||
        eh->e_phoff + eh->e_phnum * sizeof(Elf64_Phdr) > image.size)
        return -XEN_EINVAL;
    const Elf64_Phdr *ph = (const void *)(image.data + eh->e_phoff);
    for (unsigned i = 0; rc == 0 && i < eh->e_phnum; i++) {
        if (ph[i].p_type != PT_LOAD)
            continue;
        if (ph[i].p_offset + ph[i].p_filesz > image.size)
            return -XEN_EINVAL;
        rc = poke(d, ph[i].p_paddr, image.data + ph[i].p_offset, ph[i].p_filesz);
        if (ph[i].p_paddr + ph[i].p_memsz > *end)
            *end = ph[i].p_paddr + ph[i].p_memsz;
    }
    *entry = eh->e_entry;
    return rc;
}

static struct layout plan(struct domain *d, uint64_t image_bytes)
{
    struct layout l = { .image_end = (image_bytes + PAGE_SIZE - 1) / PAGE_SIZE };

    l.p2m = l.image_end;
    l.start_info = l.p2m + (d->nr_pages * 8 + PAGE_SIZE - 1) / PAGE_SIZE;
    l.store = l.start_info + 1;
    l.console = l.store + 1;
    l.tables = l.console + 1;
    /* L4, L3, L2 and enough L1: at most one more than the slack needs, counted for 4 MiB steps. */
    l.nr_tables = 3 + 2;
    for (;;) {
        l.stack = l.tables + l.nr_tables;
        l.end = (l.stack + 1 + 128 + 1023) & ~1023UL;
        if (l.end > d->nr_pages)
            l.end = d->nr_pages;
        uint64_t need = 3 + (l.end + 511) / 512;
        if (need <= l.nr_tables)
            return l;
        l.nr_tables = need;
    }
}

static int write_tables(struct domain *d, const struct layout *l)
{
    static uint64_t table[512];
    uint64_t t = l->tables, rc = 0;

    memset(table, 0, sizeof(table));
    table[511] = PTE(d->mfns[t + 1], PTE_TABLE);
    rc |= (uint64_t)poke(d, t << PAGE_SHIFT, table, sizeof(table));
    memset(table, 0, sizeof(table));
    table[510] = PTE(d->mfns[t + 2], PTE_TABLE);
    rc |= (uint64_t)poke(d, (t + 1) << PAGE_SHIFT, table, sizeof(table));
    memset(table, 0, sizeof(table));
    for (uint64_t i = 0; i * 512 < l->end; i++)
        table[i] = PTE(d->mfns[t + 3 + i], PTE_TABLE);
    rc |= (uint64_t)poke(d, (t + 2) << PAGE_SHIFT, table, sizeof(table));
    for (uint64_t i = 0; i * 512 < l->end; i++) {
        memset(table, 0, sizeof(table));
        for (uint64_t k = 0; k < 512 && i * 512 + k < l->end; k++) {
            uint64_t pfn = i * 512 + k;
            bool is_table = pfn >= l->tables && pfn < l->tables + l->nr_tables;

            table[k] = PTE(d->mfns[pfn], is_table ? PTE_RO : PTE_P | PTE_RW | PTE_US | PTE_A);
        }
        rc |= (uint64_t)poke(d, (t + 3 + i) << PAGE_SHIFT, table, sizeof(table));
    }
    return rc == 0 ? 0 : -XEN_EFAULT;
}

static int init_shared_info(struct domain *d, uint64_t frame)
{
    uint64_t va = foreign_map(d->id, frame, true);

    if (va == 0)
        return -XEN_EFAULT;
    struct shared_info *s = (struct shared_info *)va;
    for (unsigned i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        s->vcpu_info[i].evtchn_upcall_mask = 1;
    foreign_unmap(va);
    return 0;
}

static int alloc_port(domid_t id, evtchn_port_t *port)
{
    struct evtchn_alloc_unbound op = { .dom = id, .remote_dom = DOMID_SELF };
    long rc = hc_event_channel_op(EVTCHNOP_alloc_unbound, &op);

    *port = op.port;
    return (int)rc;
}

static int write_start_info(struct domain *d, const struct layout *l, uint64_t shared_frame, const char *cmdline)
{
    evtchn_port_t store_port, console_port;
    int rc = alloc_port(d->id, &store_port);

    if (rc == 0)
        rc = alloc_port(d->id, &console_port);
    if (rc != 0)
        return rc;
    d->start_info = (struct start_info *)foreign_map(d->id, d->mfns[l->start_info], true);
    d->console = (struct xencons_interface *)foreign_map(d->id, d->mfns[l->console], true);
    if (d->start_info == NULL || d->console == NULL)
        return -XEN_EFAULT;
    struct start_info *si = d->start_info;
    memcpy(si->magic, "xen-3.0-x86_64", 15);
    si->nr_pages = d->nr_pages;
    si->shared_info = shared_frame << PAGE_SHIFT;
    si->store_mfn = d->mfns[l->store];
    si->store_evtchn = store_port;
    si->console.domU.mfn = d->mfns[l->console];
    si->console.domU.evtchn = console_port;
    si->pt_base = VIRT_BASE + (l->tables << PAGE_SHIFT);
    si->nr_pt_frames = l->nr_tables;
    si->mfn_list = VIRT_BASE + (l->p2m << PAGE_SHIFT);
    snprintf((char *)si->cmd_line, MAX_GUEST_CMDLINE, "%s", cmdline);
    d->console_port = (evtchn_port_t)evtchn_bind_interdomain(d->id, console_port);
    return (int)d->console_port > 0 ? 0 : (int)d->console_port;
}

static int start_vcpu(struct domain *d, const struct layout *l, uint64_t entry)
{
    struct vcpu_guest_context *ctx = page_alloc_run(2);
    struct xen_domctl op = { 0 };

    if (ctx == NULL)
        return -XEN_ENOMEM;
    ctx->flags = VGCF_in_kernel | VGCF_online;
    ctx->user_regs.rip = entry;
    ctx->user_regs.rsp = VIRT_BASE + ((l->stack + 1) << PAGE_SHIFT);
    ctx->user_regs.rsi = VIRT_BASE + (l->start_info << PAGE_SHIFT);
    ctx->user_regs.cs = FLAT_KERNEL_CS;
    ctx->user_regs.ss = FLAT_KERNEL_SS;
    ctx->user_regs.rflags = 0x202;
    ctx->kernel_ss = FLAT_KERNEL_SS;
    ctx->kernel_sp = ctx->user_regs.rsp;
    ctx->ctrlreg[3] = d->mfns[l->tables] << PAGE_SHIFT;
    set_xen_guest_handle(op.u.vcpucontext.ctxt, (vcpu_guest_context_t *)ctx);
    long rc = domctl(&op, XEN_DOMCTL_setvcpucontext, d->id);
    page_free((uint8_t *)ctx + PAGE_SIZE);
    page_free(ctx);
    return (int)rc;
}

#define STEP(call) \
    do { \
        rc = (call); \
        if (rc != 0) { \
            printf("%s: %s: %ld\n", d->name, #call, rc); \
            return (int)rc; \
        } \
    } while (0)

static int build(struct domain *d, struct image image, const char *cmdline)
{
    struct xen_domctl op = { 0 }, info = { 0 };
    struct mmuext_op pin = { .cmd = MMUEXT_PIN_L4_TABLE };
    uint64_t entry, end;
    long rc;

    STEP(populate(d));
    STEP(load_image(d, image, &entry, &end));
    struct layout l = plan(d, end);
    STEP(poke(d, l.p2m << PAGE_SHIFT, d->mfns, d->nr_pages * 8));
    STEP(write_tables(d, &l));
    STEP(domctl(&info, XEN_DOMCTL_getdomaininfo, d->id));
    STEP(init_shared_info(d, info.u.getdomaininfo.shared_info_frame));
    STEP(write_start_info(d, &l, info.u.getdomaininfo.shared_info_frame, cmdline));
    op.u.hypercall_init.gmfn = d->mfns[0];
    STEP(domctl(&op, XEN_DOMCTL_hypercall_init, d->id));
    pin.arg1.mfn = d->mfns[l.tables];
    STEP(hc_mmuext_op(&pin, 1, NULL, d->id));
    STEP(start_vcpu(d, &l, entry));
    return 0;
}

static int make(struct domain *d, unsigned vcpus)
{
    struct xen_domctl op = { 0 };
    long rc;

    op.u.createdomain.max_vcpus = vcpus;
    op.u.createdomain.max_evtchn_port = 1023;
    op.u.createdomain.max_grant_frames = -1;
    op.u.createdomain.max_maptrack_frames = -1;
    op.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(1);
    op.u.createdomain.handle[0] = 0x50;
    STEP(domctl(&op, XEN_DOMCTL_createdomain, 0xffff));
    d->id = op.domain;
    memset(&op, 0, sizeof(op));
    op.u.max_vcpus.max = vcpus;
    STEP(domctl(&op, XEN_DOMCTL_max_vcpus, d->id));
    memset(&op, 0, sizeof(op));
    op.u.max_mem.max_memkb = d->nr_pages * 4 + 64;
    STEP(domctl(&op, XEN_DOMCTL_max_mem, d->id));
    return 0;
}

int domain_create(struct domain *d, const char *name, struct image image, unsigned pages, unsigned vcpus,
                  const char *cmdline)
{
    uint64_t *list = d->mfns;

    memset(d, 0, sizeof(*d));
    d->mfns = list != NULL ? list : mem_alloc(DOMAIN_MAX_PAGES * sizeof(uint64_t));
    d->nr_pages = pages;
    snprintf(d->name, sizeof(d->name), "%s", name);
    if (d->mfns == NULL || pages > DOMAIN_MAX_PAGES)
        return -XEN_ENOMEM;
    int rc = make(d, vcpus);
    if (rc == 0)
        rc = build(d, image, cmdline);
    if (rc != 0 && d->id != 0)
        domain_destroy(d);
    return rc;
}

int domain_unpause(struct domain *d)
{
    struct xen_domctl op = { 0 };

    return (int)domctl(&op, XEN_DOMCTL_unpausedomain, d->id);
}

int domain_pause(struct domain *d)
{
    struct xen_domctl op = { 0 };

    return (int)domctl(&op, XEN_DOMCTL_pausedomain, d->id);
}

long domain_flags(struct domain *d)
{
    struct xen_domctl op = { 0 };
    long rc = domctl(&op, XEN_DOMCTL_getdomaininfo, d->id);

    if (rc == 0 && op.u.getdomaininfo.domain != d->id)
        return -XEN_ESRCH;
    return rc < 0 ? rc : (long)op.u.getdomaininfo.flags;
}

int domain_destroy(struct domain *d)
{
    uint64_t give_up = time_now() + 10 * SECOND;
    struct xen_domctl op = { 0 };

    if (d->console_port != 0)
        evtchn_close(d->console_port);
    foreign_unmap((uintptr_t)d->console);
    foreign_unmap((uintptr_t)d->start_info);
    d->console = NULL;
    d->start_info = NULL;
    d->console_port = 0;
    long rc = domctl(&op, XEN_DOMCTL_destroydomain, d->id);
    while (rc == 0 && domain_flags(d) >= 0) {
        if (time_now() > give_up)
            return -XEN_ETIME;
        hc_sched_op(SCHEDOP_yield, NULL);
    }
    return (int)rc;
}

const char *domain_console_line(struct domain *d)
{
    struct xencons_interface *c = d->console;
    XENCONS_RING_IDX prod = READ_ONCE(c->out_prod), cons = c->out_cons;

    if (prod - cons > sizeof(c->out))       /* a hostile guest wrote its index: nothing to trust here */
        cons = prod;
    asm volatile("" ::: "memory");
    while (cons != prod) {
        char ch = c->out[MASK_XENCONS_IDX(cons, c->out)];

        cons++;
        if (ch == '\n' || d->line_len == sizeof(d->line) - 1) {
            d->line[d->line_len] = '\0';
            d->line_len = 0;
            __atomic_store_n(&c->out_cons, cons, __ATOMIC_RELEASE);
            evtchn_send(d->console_port);
            return d->line;
        }
        if (ch >= ' ')
            d->line[d->line_len++] = ch;
    }
    if (c->out_cons != cons) {
        __atomic_store_n(&c->out_cons, cons, __ATOMIC_RELEASE);
        evtchn_send(d->console_port);
    }
    return NULL;
}

uint64_t machine_free_pages(void)
{
    struct xen_sysctl op = { .cmd = XEN_SYSCTL_physinfo, .interface_version = XEN_SYSCTL_INTERFACE_VERSION };
    long rc = hypercall(__HYPERVISOR_sysctl, HC_ARG(&op), 0, 0, 0, 0);

    return rc == 0 ? op.u.physinfo.free_pages + op.u.physinfo.scrub_pages : 0;
}
