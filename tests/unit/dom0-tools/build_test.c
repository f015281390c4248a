/* SPDX-License-Identifier: GPL-2.0-or-later */
/* build_test.c - the first memory image, judged by walking it as the guest will */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>

#include "../../../dom0-tools/builder/build.h"
#include "../unit.h"
#include "elf_image.h"
#include "guest_mem_fake.h"

static struct image img;
static struct kernel kern;
static struct build_plan plan;
static struct guest_mem mem;
static const struct build_facts facts = { 0x1234000, 1, 2, "console=hvc0" };

/* The entry that maps @va, or 0. Notes whether every table on the way lies in guest memory. */
static uint64_t walk(uint64_t va)
{
    uint64_t pfn = plan.l4, e = 0;

    for (int level = 4; level >= 1; level--) {
        e = ((uint64_t *)(void *)(mem.mem + pfn * 4096))[va >> (12 + 9 * (level - 1)) & 511];
        if (!(e & 1))
            return 0;
        pfn = fake_pfn(&mem, (e >> 12) & 0xffffffffffull);
        if (pfn == ~0ull)
            return 0;
    }
    return e;
}

static uint64_t pfn_of(uint64_t entry)
{
    return fake_pfn(&mem, (entry >> 12) & 0xffffffffffull);
}

static bool is_table(uint64_t pfn)
{
    return (pfn >= plan.l4 && pfn < plan.l4 + plan.nr_pt) ||
           (plan.p2m_map.nr && pfn >= plan.p2m.pfn + plan.p2m.nr &&
            pfn < plan.p2m_all.pfn + plan.p2m_all.nr);
}

/* Every mapped page: the right frame, and never a table writable (the hypervisor would refuse it). */
static void audit_mappings(void)
{
    for (uint64_t i = 0; i < plan.base.nr; i++) {
        uint64_t e = walk(plan.base.va + i * 4096);

        CU_ASSERT_EQUAL_FATAL(pfn_of(e), i);
        CU_ASSERT_EQUAL_FATAL((e & 2) != 0, !is_table(i));
    }
    CU_ASSERT_EQUAL(walk(plan.base.va + plan.base.nr * 4096 + (2ull << 20)), 0);
    for (uint64_t i = 0; i < plan.p2m.nr; i++) {
        uint64_t e = walk(plan.p2m_va + i * 4096);

        CU_ASSERT_EQUAL_FATAL(pfn_of(e), plan.p2m.pfn + i);
        CU_ASSERT_FATAL(e & 2);
    }
}

static void audit_p2m(void)
{
    for (uint64_t i = 0; i < plan.p2m.nr * 512; i++) {
        uint64_t e = ((uint64_t *)(void *)(mem.mem + plan.p2m.pfn * 4096))[i];

        CU_ASSERT_EQUAL_FATAL(e, i < mem.pages ? FAKE_MFN(i) : ~0ull);
    }
}

static void audit_start_info(const uint8_t *rd, size_t rd_len)
{
    const struct start_info *si = (void *)(mem.mem + plan.start_info * 4096);

    CU_ASSERT_STRING_EQUAL(si->magic, "xen-3.0-x86_64");
    CU_ASSERT_EQUAL(si->nr_pages, mem.pages);
    CU_ASSERT_EQUAL(si->shared_info, facts.shared_info_maddr);
    CU_ASSERT_EQUAL(fake_pfn(&mem, si->store_mfn), plan.store);
    CU_ASSERT_EQUAL(fake_pfn(&mem, si->console.domU.mfn), plan.console);
    CU_ASSERT_EQUAL(pfn_of(walk(si->pt_base)), plan.l4);
    CU_ASSERT_EQUAL(si->mfn_list, plan.p2m_va);
    CU_ASSERT_STRING_EQUAL((const char *)si->cmd_line, "console=hvc0");
    CU_ASSERT_EQUAL(si->mod_len, rd_len);
    if (rd_len) {
        uint64_t pfn = si->flags & SIF_MOD_START_PFN ? si->mod_start : pfn_of(walk(si->mod_start));

        CU_ASSERT_EQUAL(memcmp(mem.mem + pfn * 4096, rd, rd_len), 0);
    }
}

static void audit_kernel(void)
{
    for (unsigned i = 0; i < kern.n_seg; i++) {
        const struct kernel_seg *s = &kern.seg[i];
        const uint8_t *p = mem.mem + s->pfn * 4096 + s->offset;
        bool zero = true;

        CU_ASSERT_EQUAL(memcmp(p, s->data, s->filesz), 0);
        for (uint64_t k = s->filesz; k < s->memsz; k++)
            zero = zero && p[k] == 0;
        CU_ASSERT_TRUE(zero);
    }
}

/* Nothing outside what the plan names was touched. */
static void audit_untouched(void)
{
    for (uint64_t pfn = 0; pfn < mem.pages; pfn++) {
        bool planned = pfn == plan.start_info || pfn == plan.store || pfn == plan.console ||
                       pfn == plan.stack || is_table(pfn) ||
                       (pfn >= plan.p2m.pfn && pfn < plan.p2m.pfn + plan.p2m.nr) ||
                       (pfn >= plan.rd.pfn && pfn < plan.rd.pfn + plan.rd.nr);

        for (unsigned i = 0; i < kern.n_seg; i++)
            planned = planned || (pfn >= kern.seg[i].pfn &&
                                  pfn * 4096 < kern.seg[i].pfn * 4096 + kern.seg[i].offset +
                                                   kern.seg[i].memsz);
        if (!planned)
            CU_ASSERT_EQUAL_FATAL(mem.mem[pfn * 4096 + 123], FAKE_JUNK);
    }
}

static void build_and_audit(uint64_t pages, size_t rd_len)
{
    const char *why = NULL;
    uint8_t *rd = calloc(1, rd_len + 1);

    memset(rd, 0x5c, rd_len);
    CU_ASSERT_EQUAL_FATAL(kernel_parse(img.bytes, img.len, &kern, &why), 0);
    CU_ASSERT_EQUAL_FATAL(build_plan(&kern, pages, rd, rd_len, &plan, &why), 0);
    fake_init(&mem, pages);
    CU_ASSERT_EQUAL(build_write(&plan, &facts, &mem), 0);
    CU_ASSERT_EQUAL(mem.open, 0);
    audit_mappings();
    audit_p2m();
    audit_start_info(rd, rd_len);
    audit_kernel();
    audit_untouched();
    fake_free(&mem);
    free(rd);
}

static void test_linux_layout(void)
{
    image_make(&img);
    build_and_audit(8192, 100000);
    build_and_audit(8192, 0);
    build_and_audit(70000, 12345);          /* a P2M of more than one table */
}

static void test_old_layout(void)
{
    image_make(&img);                       /* no INIT_P2M, no MOD_START_PFN: all in the window */
    img.notes = 0;
    image_note_u(&img, 3, IMAGE_BASE);
    build_and_audit(8192, 50000);
}

static void test_low_base(void)
{
    image_make(&img);                       /* a kernel at virtual address 0, as small kernels are */
    img.notes = 0;
    image_note_u(&img, 3, 0);
    image_note_u(&img, 1, 0x100040);
    build_and_audit(2048, 0);
}

static void test_too_small(void)
{
    const char *why = NULL;

    image_make(&img);
    CU_ASSERT_EQUAL_FATAL(kernel_parse(img.bytes, img.len, &kern, &why), 0);
    for (uint64_t pages = 0; pages < 530; pages += 7)
        CU_ASSERT_EQUAL(build_plan(&kern, pages, NULL, 1 << 20, &plan, &why), -ENOMEM);
    CU_ASSERT_EQUAL(build_plan(&kern, 1ull << 40, NULL, 0, &plan, &why), -EINVAL);
    image_note_u(&img, 15, 0xffff800000000000ull);          /* a P2M inside the hypervisor */
    CU_ASSERT_EQUAL_FATAL(kernel_parse(img.bytes, img.len, &kern, &why), 0);
    CU_ASSERT_EQUAL(build_plan(&kern, 8192, NULL, 0, &plan, &why), -EINVAL);
}

/* Whichever mapping fails: an error, and no window left open. */
static void test_mapping_fails(void)
{
    const char *why = NULL;
    int rc = -1;

    image_make(&img);
    CU_ASSERT_EQUAL_FATAL(kernel_parse(img.bytes, img.len, &kern, &why), 0);
    CU_ASSERT_EQUAL_FATAL(build_plan(&kern, 4096, NULL, 0, &plan, &why), 0);
    for (unsigned n = 1; rc < 0 && n < 100; n++) {
        fake_init(&mem, 4096);
        mem.refuse_after = n;
        rc = build_write(&plan, &facts, &mem);
        CU_ASSERT(rc == 0 || rc == -ENOMEM);
        CU_ASSERT_EQUAL(mem.open, 0);
        fake_free(&mem);
    }
    CU_ASSERT_EQUAL(rc, 0);
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_linux_layout), UNIT(test_old_layout), UNIT(test_low_base), UNIT(test_too_small),
        UNIT(test_mapping_fails), { 0 },
    };

    return unit_main("build", cases);
}
