/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * build.c - plan and write a PV guest's first memory image
 *
 *   I1  the plan's runs are disjoint and lie below plan->pages; build_write() touches nothing else.
 *   I2  no page-table frame is mapped writable: inside the base window the entries that map tables
 *       are read-only, the tables of the P2M window are mapped nowhere.
 *   I3  every frame written is written whole (the rest zeroed): nothing of Dom0 leaks (XSA-464).
 *
 * ABI: xen.h start_info and the comment on the initial address space; L1 entries without the user
 * bit, which the hypervisor adds.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <xen/xen.h>

#include "build.h"

#define PAGE 4096ull
#define ENTRIES 512ull
#define PTE_L1 0x23ull          /* present, writable, accessed */
#define PTE_L1_RO 0x21ull
#define PTE_TABLE 0x67ull       /* present, writable, user, accessed, dirty */
#define PAD (4ull << 20)
#define SLACK (512ull << 10)
#define WINDOW 2048ull          /* frames mapped at once while copying */

static uint64_t pages_of(uint64_t bytes)
{
    return (bytes + PAGE - 1) / PAGE;
}

/* Tables of @level (1..3) needed to map [va, va + nr pages). */
static uint64_t tables(uint64_t va, uint64_t nr, unsigned level)
{
    unsigned shift = 12 + 9 * level;
    uint64_t last = va + (nr - 1) * PAGE;

    return (last >> shift) - (va >> shift) + 1;
}

static void place_tables(struct build_map *m, uint64_t pfn)
{
    for (int level = 3; level >= 1; level--) {
        m->table[level - 1].pfn = pfn;
        m->table[level - 1].nr = tables(m->va, m->nr, (unsigned)level);
        pfn += m->table[level - 1].nr;
    }
}

static uint64_t count_tables(const struct build_map *m)
{
    return tables(m->va, m->nr, 1) + tables(m->va, m->nr, 2) + tables(m->va, m->nr, 3);
}

/*
 * The base window holds its own tables: grow the number of tables until window and tables agree. Both
 * only grow, and a table maps 512 frames, so this ends quickly.
 */
static void plan_base(struct build_plan *p, uint64_t next)
{
    uint64_t nr_pt = 4;

    p->l4 = next;
    p->base.va = p->k->virt_base;
    for (;;) {
        uint64_t end = next + nr_pt + 1;                    /* the tables and the stack */
        uint64_t bytes = end * PAGE, need;

        bytes = (bytes + PAD - 1) & ~(PAD - 1);
        if (bytes - end * PAGE < SLACK)
            bytes += PAD;
        p->base.nr = bytes / PAGE;
        if (p->base.nr > p->pages)
            p->base.nr = p->pages;                          /* a tiny guest gets a smaller pad */
        need = 1 + count_tables(&p->base);
        if (need <= nr_pt)
            break;
        nr_pt = need;
    }
    p->nr_pt = nr_pt;
    p->stack = next + nr_pt;
    place_tables(&p->base, p->l4 + 1);
}

static int plan_p2m_window(struct build_plan *p, uint64_t next, const char **why)
{
    p->p2m_va = p->k->init_p2m;
    p->p2m = (struct build_run){ next, pages_of(p->pages * 8) };
    p->p2m_map.va = p->p2m_va;
    p->p2m_map.nr = p->p2m.nr;
    p->p2m_map.first_pfn = next;
    place_tables(&p->p2m_map, next + p->p2m.nr);
    p->p2m_all = (struct build_run){ next, p->p2m.nr + count_tables(&p->p2m_map) };
    *why = "the kernel wants its P2M where the kernel or the hypervisor is";
    for (uint64_t slot = p->p2m_va >> 39; slot <= (p->p2m_va + p->p2m.nr * PAGE - 1) >> 39; slot++) {
        uint64_t s = slot & 511;

        if ((s >= 256 && s < 272) || s == ((p->base.va >> 39) & 511))
            return -EINVAL;
    }
    return 0;
}

int build_plan(const struct kernel *k, uint64_t pages, const uint8_t *ramdisk, size_t ramdisk_len,
               struct build_plan *p, const char **why)
{
    uint64_t next = k->end_pfn, rd_pages = pages_of(ramdisk_len);
    uint64_t slot = (k->virt_base >> 39) & 511;
    int rc = 0;

    memset(p, 0, sizeof(*p));
    p->k = k;
    p->pages = pages;
    p->ramdisk = ramdisk;
    p->ramdisk_len = ramdisk_len;
    *why = "the kernel's virtual addresses cannot be used";
    if ((slot >= 256 && slot < 272) || pages > (1ull << 28) || k->virt_base % PAD)
        return -EINVAL;
    *why = "the memory is too small for this kernel and ramdisk";
    if (next >= pages || rd_pages >= pages)
        return -ENOMEM;
    if (ramdisk_len && !k->unmapped_ramdisk) {
        p->rd = (struct build_run){ next, rd_pages };
        next += rd_pages;
    }
    if (!k->has_init_p2m) {
        p->p2m = p->p2m_all = (struct build_run){ next, pages_of(pages * 8) };
        p->p2m_va = build_va(p, next);
        next += p->p2m.nr;
    }
    p->start_info = next++;
    p->store = next++;
    p->console = next++;
    plan_base(p, next);
    next = p->base.nr > p->stack + 1 ? p->base.nr : p->stack + 1;
    if (p->stack >= p->base.nr)
        return -ENOMEM;
    if (p->base.va + p->base.nr * PAGE - 1 < p->base.va) {
        *why = "the kernel and what must lie behind it do not fit below the top of the address space";
        return -EINVAL;
    }
    if (ramdisk_len && k->unmapped_ramdisk) {
        p->rd = (struct build_run){ next, rd_pages };
        next += rd_pages;
    }
    if (k->has_init_p2m) {
        rc = plan_p2m_window(p, next, why);
        next += p->p2m_all.nr;
    }
    if (rc == 0 && next > pages) {
        *why = "the memory is too small for this kernel and ramdisk";
        rc = -ENOMEM;
    }
    if (rc == 0)
        *why = NULL;
    return rc;
}

/* Copy @len bytes to @off inside frame @pfn on, zero up to @total bytes and to the frames' ends (I3). */
static int put(struct guest_mem *gm, uint64_t pfn, uint64_t off, const uint8_t *src, uint64_t len,
               uint64_t total)
{
    uint64_t frames = pages_of(off + total), done = 0;

    for (uint64_t at = 0; at < frames; at += WINDOW) {
        uint64_t n = frames - at < WINDOW ? frames - at : WINDOW;
        uint8_t *w = gm_map(gm, pfn + at, n), *q = w;
        uint64_t left = n * PAGE, c;

        if (!w)
            return -ENOMEM;
        if (at == 0) {
            q += off;               /* the bytes before belong to the segment before, or are zero */
            left -= off;
        }
        c = len - done < left ? len - done : left;
        if (c)
            memcpy(q, src + done, c);
        memset(q + c, 0, left - c);
        done += c;
        gm_unmap(gm, w, n);
    }
    return 0;
}

static int write_kernel(const struct build_plan *p, struct guest_mem *gm)
{
    for (unsigned i = 0; i < p->k->n_seg; i++) {
        const struct kernel_seg *s = &p->k->seg[i];
        int rc;

        if (s->offset) {            /* a frame may be shared by two segments: zero it first (I3) */
            bool shared = false;

            for (unsigned j = 0; j < i; j++) {
                const struct kernel_seg *o = &p->k->seg[j];

                if (o->pfn <= s->pfn && o->pfn + pages_of(o->offset + o->memsz) > s->pfn)
                    shared = true;
            }
            rc = shared ? 0 : put(gm, s->pfn, 0, NULL, 0, PAGE);
            if (rc < 0)
                return rc;
        }
        rc = put(gm, s->pfn, s->offset, s->data, s->filesz, s->memsz);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int write_p2m(const struct build_plan *p, struct guest_mem *gm)
{
    uint64_t pfn = 0;

    for (uint64_t at = 0; at < p->p2m.nr; at += WINDOW) {
        uint64_t n = p->p2m.nr - at < WINDOW ? p->p2m.nr - at : WINDOW;
        uint64_t *w = gm_map(gm, p->p2m.pfn + at, n);

        if (!w)
            return -ENOMEM;
        for (uint64_t i = 0; i < n * ENTRIES; i++, pfn++)
            w[i] = pfn < p->pages ? gm_mfn(gm, pfn) : ~0ull;
        gm_unmap(gm, w, n);
    }
    return 0;
}

static bool is_table(const struct build_plan *p, uint64_t pfn)
{
    return pfn >= p->l4 && pfn < p->l4 + p->nr_pt;
}

/* Fill the tables of one level: their entries name the tables (or frames) one level below. */
static int write_level(const struct build_plan *p, const struct build_map *m, unsigned level,
                       struct guest_mem *gm)
{
    const struct build_run *r = &m->table[level - 1];
    unsigned shift = 12 + 9 * (level - 1);
    uint64_t first = m->va >> shift;                            /* index of the first entry */
    uint64_t nr = level == 1 ? m->nr : m->table[level - 2].nr;
    uint64_t skip = first % ENTRIES;
    uint64_t *w = gm_map(gm, r->pfn, r->nr);

    if (!w)
        return -ENOMEM;
    memset(w, 0, r->nr * PAGE);
    for (uint64_t i = 0; i < nr; i++) {
        uint64_t pfn = level == 1 ? m->first_pfn + i : m->table[level - 2].pfn + i;
        uint64_t flags = level > 1 ? PTE_TABLE : is_table(p, pfn) ? PTE_L1_RO : PTE_L1;     /* I2 */

        w[skip + i] = gm_mfn(gm, pfn) << 12 | flags;
    }
    gm_unmap(gm, w, r->nr);
    return 0;
}

static int write_tables(const struct build_plan *p, struct guest_mem *gm)
{
    const struct build_map *maps[] = { &p->base, &p->p2m_map };
    uint64_t *l4 = gm_map(gm, p->l4, 1);
    int rc = 0;

    if (!l4)
        return -ENOMEM;
    memset(l4, 0, PAGE);
    for (unsigned i = 0; i < 2; i++) {
        for (uint64_t j = 0; maps[i]->nr && j < maps[i]->table[2].nr; j++)
            l4[((maps[i]->va >> 39) + j) % ENTRIES] =
                gm_mfn(gm, maps[i]->table[2].pfn + j) << 12 | PTE_TABLE;
    }
    gm_unmap(gm, l4, 1);
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned level = 1; maps[i]->nr && level <= 3 && rc == 0; level++)
            rc = write_level(p, maps[i], level, gm);
    }
    return rc;
}

static int write_start_info(const struct build_plan *p, const struct build_facts *f,
                            struct guest_mem *gm)
{
    struct start_info *si = gm_map(gm, p->start_info, 1);

    if (!si)
        return -ENOMEM;
    memset(si, 0, PAGE);
    snprintf(si->magic, sizeof(si->magic), "xen-3.0-x86_64");
    si->nr_pages = p->pages;
    si->shared_info = f->shared_info_maddr;
    si->flags = SIF_VIRT_P2M_4TOOLS;
    si->store_mfn = gm_mfn(gm, p->store);
    si->store_evtchn = f->store_port;
    si->console.domU.mfn = gm_mfn(gm, p->console);
    si->console.domU.evtchn = f->console_port;
    si->pt_base = build_va(p, p->l4);
    si->nr_pt_frames = p->nr_pt;
    si->mfn_list = p->p2m_va;
    if (p->ramdisk_len) {
        si->mod_len = p->ramdisk_len;
        si->mod_start = p->k->unmapped_ramdisk ? p->rd.pfn : build_va(p, p->rd.pfn);
        if (p->k->unmapped_ramdisk)
            si->flags |= SIF_MOD_START_PFN;
    }
    if (p->p2m_map.nr) {
        si->first_p2m_pfn = p->p2m_all.pfn;
        si->nr_p2m_frames = p->p2m_all.nr;
    }
    if (f->cmdline)
        snprintf((char *)si->cmd_line, sizeof(si->cmd_line), "%s", f->cmdline);
    gm_unmap(gm, si, 1);
    return 0;
}

int build_write(const struct build_plan *p, const struct build_facts *f, struct guest_mem *gm)
{
    int rc = write_kernel(p, gm);

    if (rc == 0 && p->ramdisk_len)
        rc = put(gm, p->rd.pfn, 0, p->ramdisk, p->ramdisk_len, p->ramdisk_len);
    if (rc == 0)
        rc = put(gm, p->store, 0, NULL, 0, 2 * PAGE);           /* store and console: adjacent */
    if (rc == 0)
        rc = put(gm, p->stack, 0, NULL, 0, PAGE);
    if (rc == 0)
        rc = write_p2m(p, gm);
    if (rc == 0)
        rc = write_tables(p, gm);
    if (rc == 0)
        rc = write_start_info(p, f, gm);
    return rc;
}
