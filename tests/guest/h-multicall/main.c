/* SPDX-License-Identifier: GPL-2.0-or-later */
/* H102: multicalls that nest, that reach beyond their list, that are very long, and that fail in the middle. */
#include "hostile.h"

void guest_test(void)
{
    static struct multicall_entry list[256], inner[2];

    item("H102");
    memset(list, 0, sizeof(list));
    list[0].op = __HYPERVISOR_multicall;
    list[0].args[0] = (uintptr_t)inner;
    list[0].args[1] = 2;
    inner[0].op = __HYPERVISOR_xen_version;
    inner[0].result = 0x1111;
    RC(hc_multicall(list, 1), 0);
    CHECK((long)list[0].result == -XEN_EINVAL, "nested: %ld", (long)list[0].result);
    CHECK(inner[0].result == 0x1111, "the inner call was made");

    item("H102-beyond");
    uint64_t va = mm_reserve_va(1);
    uint64_t *page = page_alloc();
    RC(mm_map(va, mm_mfn(page), PTE_KERNEL), 0);
    struct multicall_entry *edge = (struct multicall_entry *)(va + PAGE_SIZE - 2 * sizeof(*edge));
    edge[0].op = edge[1].op = __HYPERVISOR_xen_version;
    RC(hc_multicall(edge, 2), 0);
    CHECK(edge[0].result == 0x40011 && edge[1].result == 0x40011, "results %lx %lx", edge[0].result, edge[1].result);
    RC(hc_multicall(edge, 3), -XEN_EFAULT);
    RC(hc_multicall(edge, 0x7fffffff), -XEN_EFAULT);
    RC(hc_multicall(edge, 0), 0);
    RC(hc_multicall((struct multicall_entry *)BAD_HYPERVISOR, 1), -XEN_EFAULT);
    RC(mm_unmap(va), 0);
    page_free(page);

    item("long-list");
    for (unsigned i = 0; i < ARRAY_SIZE(list); i++) {
        memset(&list[i], 0, sizeof(list[i]));
        list[i].op = i % 3 == 0 ? __HYPERVISOR_xen_version : i % 3 == 1 ? 63 : __HYPERVISOR_sched_op;
        if (i % 3 == 2)
            list[i].args[0] = SCHEDOP_yield;
        list[i].result = 0x7777;
    }
    for (unsigned round = 0; round < 50; round++) {
        RC(hc_multicall(list, ARRAY_SIZE(list)), 0);
        for (unsigned i = 0; i < ARRAY_SIZE(list); i++) {
            long want = i % 3 == 0 ? 0x40011 : i % 3 == 1 ? -XEN_ENOSYS : 0;
            CHECK((long)list[i].result == want, "entry %u: %ld, want %ld", i, (long)list[i].result, want);
            list[i].result = 0x7777;
        }
    }

    item("read-only-list");
    struct multicall_entry *ro = page_alloc();
    ro[0].op = __HYPERVISOR_xen_version;
    RC(mm_protect(ro), 0);
    RC(hc_multicall(ro, 1), -XEN_EFAULT);
    CHECK(ro[0].result == 0, "a result was written to a read-only page");
    RC(mm_unprotect(ro), 0);
    page_free(ro);
}
