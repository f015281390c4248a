/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pv_kernel_fuzz.c - ELF files and notes; whatever is accepted must be loadable without leaving the domain (H112)
 *
 * The first bytes of the input choose memory and initrd sizes for the layout.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "dom0/builder.h"
#include "layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void check_layout(const struct pv_kernel *k, const struct dom0_layout *l)
{
    const uint64_t p2m_end = l->v_p2m + (l->nr_p2m << PAGE_SHIFT);

    check(l->v_start < l->v_end && l->nr_mapped == (l->v_end - l->v_start) >> PAGE_SHIFT);
    check(l->v_end <= HV_START || l->v_start >= HV_END);
    check(p2m_end <= HV_START || l->v_p2m >= HV_END);
    check(k->vend <= l->v_start_info && l->v_start_info < l->v_tables && l->v_tables < l->v_stack && l->v_stack < l->v_end);
    check(l->nr_tables >= 1 + layout_tables(l->v_start, l->v_end - l->v_start));
    check(l->nr_mapped + l->nr_p2m_tables + l->nr_initrd <= l->nr_pages && l->initrd_pfn + l->nr_initrd <= l->nr_pages);
    check(l->p2m_pfn + l->nr_p2m + l->nr_p2m_tables <= l->nr_pages);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pv_kernel k;
    struct dom0_layout l;
    const char *why = NULL;

    if (size < 4)
        return 0;
    const uint64_t pages = (uint64_t)data[0] << (data[1] % 36), initrd = (uint64_t)data[2] << (data[3] % 20);
    uint8_t *file = malloc(size - 4 ? size - 4 : 1);
    memcpy(file, data + 4, size - 4);
    const int rc = pv_kernel_parse(&k, file, size - 4, &why);
    check(rc == 0 ? why == NULL : why != NULL);
    if (rc == 0) {
        for (unsigned i = 0; i < k.elf.phnum; i++) {
            struct elf_segment seg;
            check(elf_segment(&k.elf, i, &seg));
            check(seg.bytes >= file && seg.filesz <= size - 4 && seg.bytes + seg.filesz <= file + size - 4);
            if (seg.type != PT_LOAD || !seg.memsz)
                continue;
            const uint64_t at = pv_kernel_place(&k, &seg);
            check(at >= k.vstart && at >= k.virt_base && at + seg.memsz > at && at + seg.memsz <= k.vend);
        }
        check(k.entry >= k.vstart && k.entry < k.vend);
        if (layout_solve(&l, &k, pages, initrd, &why) == 0)
            check_layout(&k, &l);
    }
    free(file);
    return 0;
}
