/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pv_kernel.h - what a PV kernel says about itself in its Xen ELF notes
 *
 * ABI: xen/elfnote.h; abi-map 1.3. Notes are looked for in PT_NOTE segments, then in SHT_NOTE sections, then in the
 * old "__xen_guest" section of KEY=value text.
 */
#ifndef PARAVANE_PV_KERNEL_H
#define PARAVANE_PV_KERNEL_H

#include "dom0/elf_image.h"

struct pv_kernel {
    struct elf_image elf;
    char guest_os[16], loader[16], xen_version[16];
    uint64_t virt_base;         /* address of pfn 0 in the initial mapping */
    uint64_t paddr_offset;
    uint64_t entry;
    uint64_t hypercall_page;    /* address, if has_hypercall_page */
    uint64_t init_p2m;          /* address, if has_init_p2m */
    uint64_t hv_start_low;      /* 0: not said */
    uint32_t features_required, features_supported;     /* XENFEAT_* bits */
    bool has_hypercall_page, has_init_p2m, has_supported_features, mod_start_pfn, bsd_symtab;
    /* from the PT_LOADs: image addresses, page aligned outwards; pfn of a byte = (its address - virt_base) / 4096 */
    uint64_t vstart, vend;
};

/*
 * Read and judge. 0 when a PV64 builder may load it: sane segments, "xen-3.0", a known loader, entry point and
 * hypercall page inside the image, nothing wrapping. Otherwise -EINVAL and *@why.
 */
MUST_CHECK int pv_kernel_parse(struct pv_kernel *k, const void *data, uint64_t size, const char **why);
/* Where @seg goes: its address in the initial mapping. Only after a successful parse. */
static inline uint64_t pv_kernel_place(const struct pv_kernel *k, const struct elf_segment *seg)
{
    return seg->paddr - k->paddr_offset + k->virt_base;
}

#endif
