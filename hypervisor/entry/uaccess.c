/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uaccess.c - guest memory as the guest's kernel sees it
 *
 * The current page tables hold both the guest and us, so an access is an ordinary one after a range check; a fault
 * is caught by the fixup table. In ring 0 with CR0.WP set, read-only guest pages stay read-only to us.
 */
#include "hv_errno.h"
#include "layout.h"
#include "machine.h"

int guest_copy_raw(void *dst, const void *src, size_t n);
int guest_clear_raw(void *dst, size_t n);

bool guest_range_ok(gva_t va, size_t n)
{
    const uint64_t start = va.n, end = start + n;
    if (end < start)
        return false;
    return end <= 0x0000800000000000UL || start >= HV_END;
}

int guest_copy_in(void *dst, gva_t src, size_t n)
{
    if (unlikely(!guest_range_ok(src, n)))
        return -EFAULT;
    return guest_copy_raw(dst, (const void *)src.n, n);
}

int guest_copy_out(gva_t dst, const void *src, size_t n)
{
    if (unlikely(!guest_range_ok(dst, n)))
        return -EFAULT;
    return guest_copy_raw((void *)dst.n, src, n);
}

int guest_clear(gva_t dst, size_t n)
{
    if (unlikely(!guest_range_ok(dst, n)))
        return -EFAULT;
    return guest_clear_raw((void *)dst.n, n);
}
