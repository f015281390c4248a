/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pv_kernel.c - notes of a PV kernel, and the judgement whether it can be loaded
 *
 *   I1  every string is copied with a bound; a note's length is taken from its header only after that length was
 *       found inside the segment.
 *   I2  after pv_kernel_parse() == 0: virt_base <= vstart < vend, the image is below 2^40 bytes, and every PT_LOAD
 *       lies in [vstart, vend).
 *
 * Refuses: kernels without Xen notes, for another interface, with features required that we do not have.
 */
#include "dom0/pv_kernel.h"

#include <elf.h>
#include <string.h>
#include <xen/elfnote.h>
#include <xen/features.h>

#include "hv_errno.h"
#include "layout.h"
#include "lib/lib.h"

#define MAX_IMAGE_BYTES (1UL << 40)

static const char *const feature_name[] = {
    [XENFEAT_writable_page_tables] = "writable_page_tables",
    [XENFEAT_writable_descriptor_tables] = "writable_descriptor_tables",
    [XENFEAT_auto_translated_physmap] = "auto_translated_physmap",
    [XENFEAT_supervisor_mode_kernel] = "supervisor_mode_kernel",
    [XENFEAT_pae_pgdir_above_4gb] = "pae_pgdir_above_4gb",
    [XENFEAT_mmu_pt_update_preserve_ad] = "mmu_pt_update_preserve_ad",
    [XENFEAT_highmem_assist] = "highmem_assist",
    [XENFEAT_gnttab_map_avail_bits] = "gnttab_map_avail_bits",
    [XENFEAT_hvm_callback_vector] = "hvm_callback_vector",
    [XENFEAT_hvm_safe_pvclock] = "hvm_safe_pvclock",
    [XENFEAT_hvm_pirqs] = "hvm_pirqs",
    [XENFEAT_dom0] = "dom0",
};

static bool starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static void copy_text(char *dst, size_t dst_size, const char *s, uint64_t n)
{
    const size_t len = strnlen(s, MIN(n, dst_size - 1));
    memcpy(dst, s, len);
    dst[len] = 0;
}

/* "!a|b": names separated by '|'; '!' also requires it. Unknown names: only a required one matters, and only later. */
static void parse_features(struct pv_kernel *k, const char *s, uint64_t n)
{
    uint64_t i = 0;

    while (i < n && s[i]) {
        const bool required = s[i] == '!';
        const uint64_t start = i + required;
        for (i = start; i < n && s[i] && s[i] != '|'; i++)
            ;
        for (unsigned f = 0; f < ARRAY_SIZE(feature_name); f++) {
            if (!feature_name[f] || strlen(feature_name[f]) != i - start || memcmp(feature_name[f], s + start, i - start))
                continue;
            k->features_supported |= 1u << f;
            if (required)
                k->features_required |= 1u << f;
        }
        if (i < n && s[i] == '|')
            i++;
    }
}

/* A number of 4 or 8 bytes; anything else reads as 0. */
static uint64_t note_number(const uint8_t *desc, uint32_t n)
{
    uint64_t v = 0;
    if (n == 4 || n == 8)
        memcpy(&v, desc, n);
    return v;
}

static void take_note(struct pv_kernel *k, uint32_t type, const uint8_t *desc, uint32_t n)
{
    const char *text = (const char *)desc;
    const uint64_t number = note_number(desc, n);

    switch (type) {
    case XEN_ELFNOTE_ENTRY: k->entry = number; break;
    case XEN_ELFNOTE_HYPERCALL_PAGE: k->hypercall_page = number; k->has_hypercall_page = true; break;
    case XEN_ELFNOTE_VIRT_BASE: k->virt_base = number; break;
    case XEN_ELFNOTE_PADDR_OFFSET: k->paddr_offset = number; break;
    case XEN_ELFNOTE_XEN_VERSION: copy_text(k->xen_version, sizeof(k->xen_version), text, n); break;
    case XEN_ELFNOTE_GUEST_OS: copy_text(k->guest_os, sizeof(k->guest_os), text, n); break;
    case XEN_ELFNOTE_LOADER: copy_text(k->loader, sizeof(k->loader), text, n); break;
    case XEN_ELFNOTE_FEATURES: parse_features(k, text, n); break;
    case XEN_ELFNOTE_BSD_SYMTAB: k->bsd_symtab = n >= 3 && memcmp(desc, "yes", 3) == 0; break;
    case XEN_ELFNOTE_HV_START_LOW: k->hv_start_low = number; break;
    case XEN_ELFNOTE_INIT_P2M: k->init_p2m = number; k->has_init_p2m = true; break;
    case XEN_ELFNOTE_MOD_START_PFN: k->mod_start_pfn = number != 0; break;
    case XEN_ELFNOTE_SUPPORTED_FEATURES:
        k->features_supported |= (uint32_t)number;
        k->has_supported_features = true;
        break;
    default: break;             /* PHYS32_ENTRY, L1_MFN_VALID, SUSPEND_CANCEL, PAE_MODE...: nothing for us */
    }
}

/* Walk one block of notes (I1). Returns how many were Xen's. Fields are padded to 4 bytes, in every file seen. */
static unsigned walk_notes(struct pv_kernel *k, const uint8_t *p, uint64_t n)
{
    unsigned found = 0;
    Elf64_Nhdr h;

    while (n >= sizeof(h)) {
        memcpy(&h, p, sizeof(h));
        const uint64_t name_len = ROUND_UP((uint64_t)h.n_namesz, 4), desc_len = ROUND_UP((uint64_t)h.n_descsz, 4);
        const uint64_t used = sizeof(h) + name_len + h.n_descsz;
        if (used > n)
            break;
        if (h.n_namesz == 4 && memcmp(p + sizeof(h), "Xen", 4) == 0) {
            take_note(k, h.n_type, p + sizeof(h) + name_len, h.n_descsz);
            found++;
        }
        const uint64_t step = MIN(sizeof(h) + name_len + desc_len, n);
        p += step;
        n -= step;
    }
    return found;
}

/* The value of KEY in "A=1,B=2": its start and length, or NULL. */
static const char *legacy_value(const char *s, uint64_t n, const char *key, uint64_t *len)
{
    const uint64_t key_len = strlen(key);

    for (uint64_t i = 0, end; i < n && s[i]; i = end + 1) {
        for (end = i; end < n && s[end] && s[end] != ','; end++)
            ;
        if (end - i > key_len && memcmp(s + i, key, key_len) == 0 && s[i + key_len] == '=') {
            *len = end - i - key_len - 1;
            return s + i + key_len + 1;
        }
        if (end >= n || !s[end])
            break;
    }
    return NULL;
}

static bool legacy_number(const char *s, uint64_t n, const char *key, uint64_t *out)
{
    uint64_t len;
    char text[24];
    const char *v = legacy_value(s, n, key, &len), *end;

    if (!v)
        return false;
    copy_text(text, sizeof(text), v, len);
    *out = parse_u64(text, &end);
    return true;
}

static void legacy_text(const char *s, uint64_t n, const char *key, char *dst, size_t dst_size)
{
    uint64_t len;
    const char *v = legacy_value(s, n, key, &len);
    if (v)
        copy_text(dst, dst_size, v, len);
}

/* ABI: elfnote.h names the old keys beside each note. PADDR_OFFSET then defaults to VIRT_BASE. */
static void parse_legacy(struct pv_kernel *k, const char *s, uint64_t n)
{
    uint64_t page, len;
    const char *features = legacy_value(s, n, "FEATURES", &len);

    legacy_text(s, n, "GUEST_OS", k->guest_os, sizeof(k->guest_os));
    legacy_text(s, n, "XEN_VER", k->xen_version, sizeof(k->xen_version));
    legacy_text(s, n, "LOADER", k->loader, sizeof(k->loader));
    legacy_number(s, n, "VIRT_BASE", &k->virt_base);
    k->paddr_offset = k->virt_base;
    legacy_number(s, n, "ELF_PADDR_OFFSET", &k->paddr_offset);
    legacy_number(s, n, "VIRT_ENTRY", &k->entry);
    if (legacy_number(s, n, "HYPERCALL_PAGE", &page) && page < MAX_IMAGE_BYTES >> PAGE_SHIFT) {
        k->hypercall_page = k->virt_base + (page << PAGE_SHIFT);
        k->has_hypercall_page = true;
    }
    if (features)
        parse_features(k, features, len);
}

static bool find_notes(struct pv_kernel *k)
{
    unsigned found = 0;
    struct elf_segment seg;
    struct elf_section sec;

    for (unsigned i = 0; i < k->elf.phnum; i++)
        if (elf_segment(&k->elf, i, &seg) && seg.type == PT_NOTE)
            found += walk_notes(k, seg.bytes, seg.filesz);
    for (unsigned i = 0; !found && i < k->elf.shnum; i++)
        if (elf_section(&k->elf, i, &sec) && sec.type == SHT_NOTE)
            found += walk_notes(k, sec.bytes, sec.size);
    for (unsigned i = 0; !found && i < k->elf.shnum; i++)
        if (elf_section(&k->elf, i, &sec) && sec.bytes && strcmp(sec.name, "__xen_guest") == 0) {
            parse_legacy(k, (const char *)sec.bytes, sec.size);
            found++;
        }
    return found != 0;
}

/* Lowest and highest byte that the segments cover, as addresses of the initial mapping (I2). */
static int find_extent(struct pv_kernel *k, const char **why)
{
    uint64_t low = ~0UL, high = 0;

    for (unsigned i = 0; i < k->elf.phnum; i++) {
        struct elf_segment seg;
        if (!elf_segment(&k->elf, i, &seg)) {
            *why = "a program header reaches outside the file or wraps";
            return -EINVAL;
        }
        if (seg.type != PT_LOAD || seg.memsz == 0)
            continue;
        low = MIN(low, seg.paddr);
        high = MAX(high, seg.paddr + seg.memsz);
    }
    *why = "nothing to load, or an image too large";
    if (low >= high || low < k->paddr_offset || high - k->paddr_offset > MAX_IMAGE_BYTES)
        return -EINVAL;
    *why = "VIRT_BASE plus image size wraps";
    const uint64_t last = k->virt_base + (high - k->paddr_offset) - 1;
    if (last < k->virt_base || last > ~0UL - PAGE_SIZE)
        return -EINVAL;
    k->vstart = (k->virt_base + (low - k->paddr_offset)) & PAGE_MASK;
    k->vend = ROUND_UP(last + 1, PAGE_SIZE);
    return 0;
}

int pv_kernel_parse(struct pv_kernel *k, const void *data, uint64_t size, const char **why)
{
    *k = (struct pv_kernel){ 0 };
    int rc = elf_open(&k->elf, data, size, why);
    if (rc)
        return rc;
    k->entry = k->elf.entry;
    *why = "no Xen ELF notes: not a PV kernel";
    if (!find_notes(k))
        return -EINVAL;
    *why = "not for the xen-3.0 interface";
    if (!starts_with(k->xen_version, "xen-3.0"))
        return -EINVAL;
    *why = "neither a generic loader nor a Linux kernel";
    if (!starts_with(k->loader, "generic") && !starts_with(k->guest_os, "linux"))
        return -EINVAL;
    *why = "VIRT_BASE is not page aligned";
    if (k->virt_base & ~PAGE_MASK || k->paddr_offset & ~PAGE_MASK)
        return -EINVAL;
    rc = find_extent(k, why);
    if (rc)
        return rc;
    *why = "entry point outside the image";
    if (k->entry < k->vstart || k->entry >= k->vend)
        return -EINVAL;
    *why = "hypercall page unaligned or outside the image";
    if (k->has_hypercall_page &&
        (k->hypercall_page & ~PAGE_MASK || k->hypercall_page < k->vstart || k->hypercall_page >= k->vend))
        return -EINVAL;
    *why = "the kernel wants the hypervisor to start at a higher address";
    if (k->hv_start_low > HV_START)
        return -EINVAL;
    *why = "the kernel requires a feature that does not exist for PV64";
    if (k->features_required & (1u << XENFEAT_supervisor_mode_kernel | 1u << XENFEAT_auto_translated_physmap))
        return -EINVAL;
    *why = NULL;
    return 0;
}
