/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Claim: a tiny guest boots, prints, knows its frames and its time, and shuts down. */
#include "harness.h"

void guest_test(void)
{
    uint64_t before, after;

    item("start-info");
    printf("magic %.32s, %lu pages, flags %x, cmdline \"%s\"\n", start_info->magic, start_info->nr_pages,
           start_info->flags, (const char *)start_info->cmd_line);
    CHECK(strncmp(start_info->magic, "xen-3.0-x86_64", 14) == 0, "magic %.32s", start_info->magic);
    printf("pt_base %lx frames %lu, mfn_list %lx, free pages %lu, mapped %lu\n", start_info->pt_base,
           start_info->nr_pt_frames, start_info->mfn_list, page_free_count(), mm_mapped_pfns());
    CHECK(page_free_count() >= 64, "only %lu free pages", page_free_count());

    item("version");
    long version = hc_xen_version(XENVER_version, NULL);
    printf("version %lx\n", version);
    CHECK(version == 0x40011, "version %lx", version);

    item("m2p");
    for (uint64_t pfn = 0; pfn < start_info->nr_pages; pfn++)
        if (M2P[mm_pfn_to_mfn(pfn)] != pfn) {
            item_fail("m2p[%lx] = %lx, want %lx", mm_pfn_to_mfn(pfn), M2P[mm_pfn_to_mfn(pfn)], pfn);
            break;
        }

    item("time");
    before = time_now();
    for (volatile unsigned i = 0; i < 100000; i++)
        ;
    after = time_now();
    CHECK(after > before, "system time stands still at %lu", before);
    CHECK(time_wall() > 1600000000UL * SECOND, "wall clock %lu", time_wall());
}
