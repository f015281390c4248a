/* SPDX-License-Identifier: GPL-2.0-or-later */
/* H41..H56: grant operations on references, handles, frames and domains that do not exist or are not ours. */
#include "grant.h"
#include "hostile.h"

static uint64_t va;                   /* where maps go */
static uint64_t *page, *other;

static int16_t map_at(uint64_t host_addr, unsigned flags, grant_ref_t ref, domid_t dom, grant_handle_t *handle)
{
    struct gnttab_map_grant_ref op = { .host_addr = host_addr, .flags = flags, .ref = ref, .dom = dom };

    op.status = 99;
    RC(hc_grant_table_op(GNTTABOP_map_grant_ref, &op, 1), 0);
    if (handle != NULL)
        *handle = op.handle;
    return op.status;
}

static int16_t unmap_at(uint64_t host_addr, uint64_t bus_addr, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = { .host_addr = host_addr, .dev_bus_addr = bus_addr, .handle = handle };

    op.status = 99;
    RC(hc_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1), 0);
    return op.status;
}

static void refuse_map(const char *what, int16_t got, int16_t want)
{
    uint64_t value;

    if (want == 0)
        CHECK(got < 0, "%s: status %d, want an error", what, got);
    else
        CHECK(got == want, "%s: status %d, want %d", what, got, want);
    CHECK(got >= 0 || probe_read(va, &value) == 14, "%s: something is mapped", what);
}

static void bad_maps(void)
{
    item("H41");
    refuse_map("reference beyond the table", map_at(va, GNTMAP_host_map, 0x10000000, own_domid(), NULL),
               GNTST_bad_gntref);
    refuse_map("largest reference", map_at(va, GNTMAP_host_map, ~0U, own_domid(), NULL), GNTST_bad_gntref);
    refuse_map("unknown domain", map_at(va, GNTMAP_host_map, 8, 0x7000, NULL), GNTST_bad_domain);
    refuse_map("DOMID_XEN", map_at(va, GNTMAP_host_map, 8, DOMID_XEN, NULL), GNTST_bad_domain);
    refuse_map("DOMID_INVALID", map_at(va, GNTMAP_host_map, 8, DOMID_INVALID, NULL), GNTST_bad_domain);
    refuse_map("no map flag", map_at(va, 0, 8, own_domid(), NULL), GNTST_bad_gntref);

    item("H42");
    grant_access(30, own_domid(), mm_mfn(page), GTF_readonly);
    refuse_map("RW of a read-only grant", map_at(va, GNTMAP_host_map, 30, own_domid(), NULL), 0);
    grant_access(31, 0x7000, mm_mfn(page), 0);
    refuse_map("grant for somebody else", map_at(va, GNTMAP_host_map, 31, own_domid(), NULL), 0);
    refuse_map("unused entry", map_at(va, GNTMAP_host_map, 33, own_domid(), NULL), 0);
    grant_access(34, own_domid(), mm_mfn(page), 0);
    grant_revoke(34);
    refuse_map("revoked grant", map_at(va, GNTMAP_host_map, 34, own_domid(), NULL), 0);
    grant_access(35, own_domid(), FRAME_BEYOND, 0);
    refuse_map("grant of no frame", map_at(va, GNTMAP_host_map, 35, own_domid(), NULL), 0);
    grant_access(36, own_domid(), hypervisor_frame(), 0);
    refuse_map("grant of the hypervisor's frame", map_at(va, GNTMAP_host_map, 36, own_domid(), NULL), 0);
    grant_access(37, own_domid(), mm_l4_mfn(), 0);
    refuse_map("RW of a granted table", map_at(va, GNTMAP_host_map, 37, own_domid(), NULL), 0);
    if (victim_domid() != DOMID_INVALID) {
        grant_access(38, own_domid(), victim_frame(), 0);
        refuse_map("grant of another's frame", map_at(va, GNTMAP_host_map, 38, own_domid(), NULL), 0);
        refuse_map("another's ungranted reference", map_at(va, GNTMAP_host_map, 8, victim_domid(), NULL), 0);
    }
    for (grant_ref_t r = 30; r < 39; r++)
        CHECK(!(grant_flags(r) & (GTF_reading | GTF_writing)), "reference %u stayed in use: %x", r, grant_flags(r));

    item("H43");
    struct tree t;
    if (tree_make(&t)) {
        uint64_t slot = slot_maddr(t.l1, 60);
        grant_access(40, own_domid(), mm_mfn(page), 0);
        refuse_map("unaligned entry", map_at(slot + 4, GNTMAP_host_map | GNTMAP_contains_pte, 40, own_domid(), NULL), 0);
        refuse_map("an L2 entry", map_at(slot_maddr(t.l2, 60), GNTMAP_host_map | GNTMAP_contains_pte, 40, own_domid(),
                                         NULL), 0);
        refuse_map("no table at all", map_at(mm_mfn(other) << PAGE_SHIFT, GNTMAP_host_map | GNTMAP_contains_pte, 40,
                                             own_domid(), NULL), 0);
        refuse_map("no frame at all", map_at(FRAME_BEYOND << PAGE_SHIFT, GNTMAP_host_map | GNTMAP_contains_pte, 40,
                                             own_domid(), NULL), 0);
        CHECK(t.l1[60] == 0 && t.l2[60] == 0 && other[0] == 0, "a refused map wrote an entry");
        grant_handle_t h;
        CHECK(map_at(slot, GNTMAP_host_map | GNTMAP_contains_pte, 40, own_domid(), &h) == GNTST_okay, "an honest entry");
        CHECK(PTE_MFN(t.l1[60]) == mm_mfn(page), "entry %lx", t.l1[60]);
        CHECK(unmap_at(slot, 0, h) == GNTST_okay, "and back");
        CHECK(t.l1[60] == 0, "entry %lx", t.l1[60]);
        tree_free(&t);
    }

    item("H44");
    static const uint64_t wrong[] = { BAD_M2P, BAD_HYPERVISOR & PAGE_MASK, BAD_DIRECTMAP, BAD_NONCANONICAL,
                                      0x0000123400000000UL };
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
        refuse_map("bad host address", map_at(wrong[i], GNTMAP_host_map, 40, own_domid(), NULL), 0);
    CHECK(!(grant_flags(40) & (GTF_reading | GTF_writing)), "the reference stayed in use: %x", grant_flags(40));
}

static void bad_unmaps(void)
{
    grant_handle_t h;

    item("H47");
    grant_access(41, own_domid(), mm_mfn(page), 0);
    CHECK(unmap_at(va, 0, 0xfffffffe) == GNTST_bad_handle, "handle beyond the table");
    CHECK(unmap_at(va, 0, 77) == GNTST_bad_handle, "unused handle");
    CHECK(map_at(va, GNTMAP_host_map | GNTMAP_device_map, 41, own_domid(), &h) == GNTST_okay, "map");
    CHECK(unmap_at(va, 0x123000, h) == GNTST_bad_dev_addr, "wrong bus address");
    CHECK(grant_flags(41) & GTF_writing, "the refused unmap did something");
    CHECK(unmap_at(va, mm_mfn(page) << PAGE_SHIFT, h) == GNTST_okay, "unmap");
    CHECK(unmap_at(va, 0, h) == GNTST_bad_handle, "second unmap");

    item("H48");
    CHECK(map_at(va, GNTMAP_host_map, 41, own_domid(), &h) == GNTST_okay, "map");
    RC(hc_update_va_mapping(va, PTE(mm_mfn(other), PTE_KERNEL), UVMF_INVLPG), 0);
    int16_t status = unmap_at(va, 0, h);
    CHECK(status < 0, "unmap after the entry was replaced: %d", status);
    CHECK(PTE_MFN(*mm_entry(mm_l4_mfn(), va, 1)) == mm_mfn(other), "our own entry was removed");
    RC(hc_update_va_mapping(va, PTE(mm_mfn(page), PTE_RO), UVMF_INVLPG), 0);
    status = unmap_at(va, 0, h);
    CHECK(status < 0 || on_xen(), "unmap of an RO entry where RW was mapped: %d", status);
    RC(mm_unmap(va), 0);
    if (status < 0) {
        status = unmap_at(va, 0, h);
        CHECK(status < 0, "unmap of an empty entry: %d", status);
        /* The mapping can be put back by hand and then undone honestly. */
        RC(hc_update_va_mapping(va, PTE(mm_mfn(page), PTE_KERNEL), UVMF_INVLPG), 0);
        status = unmap_at(va, 0, h);
        CHECK(status == GNTST_okay, "unmap of an entry made by hand: %d", status);
    }
    mm_unmap(va);
    CHECK(!(grant_flags(41) & (GTF_reading | GTF_writing)), "the reference stayed in use: %x", grant_flags(41));

    item("H49");
    for (unsigned order = 0; order < 2; order++) {
        uint64_t bus = mm_mfn(page) << PAGE_SHIFT;
        CHECK(map_at(va, GNTMAP_host_map | GNTMAP_device_map, 41, own_domid(), &h) == GNTST_okay, "map both");
        CHECK(unmap_at(order == 0 ? va : 0, order == 0 ? 0 : bus, h) == GNTST_okay, "first half");
        CHECK(grant_flags(41) & GTF_reading, "released after one half");
        CHECK(unmap_at(order == 0 ? 0 : va, order == 0 ? bus : 0, h) == GNTST_okay, "second half");
        CHECK(!(grant_flags(41) & (GTF_reading | GTF_writing)), "not released after both: %x", grant_flags(41));
        mm_unmap(va);
    }
    CHECK(grant_revoke(41), "not revoked");
}

static void pin_overflow(void)
{
    static grant_handle_t handles[600];
    unsigned n = 0;

    item("H45");
    grant_access(42, own_domid(), mm_mfn(page), 0);
    int16_t status = GNTST_okay;
    while (n < ARRAY_SIZE(handles) &&
           (status = map_at(va + (n % 16) * PAGE_SIZE, GNTMAP_host_map, 42, own_domid(), &handles[n])) == GNTST_okay)
        n++;
    printf("%u mappings of one reference, then status %d\n", n, status);
    CHECK(n == ARRAY_SIZE(handles) || status == GNTST_general_error || status == GNTST_no_space,
          "mapping %u: status %d", n, status);
    CHECK(grant_flags(42) & GTF_writing, "in use but flags are %x", grant_flags(42));
    /* Each va was mapped over many times; make them match again before they are undone. */
    for (unsigned i = 0; i < n; i++) {
        RC(hc_update_va_mapping(va + (i % 16) * PAGE_SIZE, PTE(mm_mfn(page), PTE_KERNEL), UVMF_INVLPG), 0);
        CHECK(unmap_at(va + (i % 16) * PAGE_SIZE, 0, handles[i]) == GNTST_okay, "unmap %u", i);
    }
    CHECK(!(grant_flags(42) & (GTF_reading | GTF_writing)), "flags %x", grant_flags(42));
    CHECK(grant_revoke(42), "not revoked");
}

static struct gnttab_copy copy_op(unsigned flags, uint64_t source, domid_t sd, uint64_t dest, domid_t dd)
{
    struct gnttab_copy c = { .flags = (uint16_t)flags, .len = 64 };

    if (flags & GNTCOPY_source_gref)
        c.source.u.ref = (grant_ref_t)source;
    else
        c.source.u.gmfn = source;
    if (flags & GNTCOPY_dest_gref)
        c.dest.u.ref = (grant_ref_t)dest;
    else
        c.dest.u.gmfn = dest;
    c.source.domid = sd;
    c.dest.domid = dd;
    c.status = 99;
    return c;
}

static int16_t copy_one(struct gnttab_copy c)
{
    RC(hc_grant_table_op(GNTTABOP_copy, &c, 1), 0);
    return c.status;
}

static void copies(void)
{
    domid_t me = own_domid(), foreign = victim_domid() != DOMID_INVALID ? victim_domid() : DOMID_INVALID;
    struct gnttab_copy c;

    item("H51");
    grant_access(50, me, mm_mfn(page), 0);
    other[0] = 5;
    c = copy_op(GNTCOPY_source_gref, 50, me, mm_mfn(other), DOMID_SELF);
    c.source.offset = 4090;
    CHECK(copy_one(c) == GNTST_bad_copy_arg, "source crosses its page");
    c.source.offset = 0;
    c.dest.offset = 4090;
    CHECK(copy_one(c) == GNTST_bad_copy_arg, "destination crosses its page");
    c.dest.offset = 0;
    c.len = 4097;
    CHECK(copy_one(c) == GNTST_bad_copy_arg, "longer than a page");
    c.len = 0xffff;
    c.source.offset = 0xffff;
    CHECK(copy_one(c) == GNTST_bad_copy_arg, "sum wraps at 16 bits");
    if (foreign != DOMID_INVALID) {
        struct gnttab_copy list[3] = {
            copy_op(0, mm_mfn(page), DOMID_SELF, mm_mfn(other), DOMID_SELF),
            copy_op(0, victim_frame(), foreign, mm_mfn(other), DOMID_SELF),
            copy_op(0, mm_mfn(page), DOMID_SELF, victim_frame(), foreign),
        };
        for (unsigned rotate = 0; rotate < 3; rotate++) {
            RC(hc_grant_table_op(GNTTABOP_copy, list, 3), 0);
            for (unsigned i = 0; i < 3; i++) {
                bool own = list[i].source.domid == DOMID_SELF && list[i].dest.domid == DOMID_SELF;
                CHECK(own ? list[i].status == GNTST_okay : list[i].status == GNTST_permission_denied,
                      "position %u: status %d", i, list[i].status);
            }
            struct gnttab_copy first = list[0];
            list[0] = list[1];
            list[1] = list[2];
            list[2] = first;
        }
    }
    NEGATIVE(copy_one(copy_op(0, victim_frame(), DOMID_SELF, mm_mfn(other), DOMID_SELF)));
    NEGATIVE(copy_one(copy_op(0, FRAME_BEYOND, DOMID_SELF, mm_mfn(other), DOMID_SELF)));
    NEGATIVE(copy_one(copy_op(0, mm_mfn(page), DOMID_SELF, mm_l4_mfn(), DOMID_SELF)));
    NEGATIVE(copy_one(copy_op(0, mm_mfn(page), DOMID_SELF, hypervisor_frame(), DOMID_SELF)));
    NEGATIVE(copy_one(copy_op(GNTCOPY_source_gref, 51, me, mm_mfn(other), DOMID_SELF)));
    NEGATIVE(copy_one(copy_op(GNTCOPY_source_gref, ~0U, me, mm_mfn(other), DOMID_SELF)));
    NEGATIVE(copy_one(copy_op(GNTCOPY_source_gref, 50, 0x7000, mm_mfn(other), DOMID_SELF)));

    item("H52");
    /* Reference N and frame N in one batch: the second must not ride on what the first was allowed. */
    uint64_t n = 50;
    for (unsigned order = 0; order < 24; order++) {
        struct gnttab_copy kinds[4] = {
            copy_op(GNTCOPY_source_gref, n, me, mm_mfn(other), DOMID_SELF),
            copy_op(0, n, foreign, mm_mfn(other), DOMID_SELF),
            copy_op(GNTCOPY_source_gref, n + 1, me, mm_mfn(other), DOMID_SELF),
            copy_op(0, mm_mfn(page), DOMID_SELF, mm_mfn(other), DOMID_SELF),
        };
        struct gnttab_copy list[4];
        unsigned pick = order, used = 0;
        unsigned which[4];
        for (unsigned i = 0; i < 4; i++) {
            unsigned k = pick % (4 - i);
            pick /= 4 - i;
            for (unsigned j = 0;; j++)
                if (!(used & (1U << j)) && k-- == 0) {
                    which[i] = j;
                    used |= 1U << j;
                    list[i] = kinds[j];
                    break;
                }
        }
        RC(hc_grant_table_op(GNTTABOP_copy, list, 4), 0);
        for (unsigned i = 0; i < 4; i++) {
            bool good = which[i] == 0 || which[i] == 3;
            CHECK(good ? list[i].status == GNTST_okay : list[i].status < 0, "order %u, kind %u: status %d", order,
                  which[i], list[i].status);
        }
    }

    item("H53");
    static struct gnttab_copy many[64];
    for (unsigned i = 0; i < ARRAY_SIZE(many); i++) {
        many[i] = copy_op(0, mm_mfn(page), DOMID_SELF, mm_mfn(other), DOMID_SELF);
        many[i].len = 8;
        many[i].dest.offset = (uint16_t)(i * 16);
    }
    memset(other, 0, PAGE_SIZE);
    page[0] = 0x77;
    RC(hc_grant_table_op(GNTTABOP_copy, many, ARRAY_SIZE(many)), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
        CHECK(many[i].status == GNTST_okay && other[i * 2] == 0x77 && other[i * 2 + 1] == 0, "element %u: status %d", i,
              many[i].status);

    item("H54");
    c = copy_op(GNTCOPY_source_gref, 50, me, mm_mfn(other), DOMID_SELF);
    c.len = 0;
    CHECK(copy_one(c) == GNTST_okay, "length 0");
    CHECK(grant_revoke(50), "not revoked");
}

static void the_rest(void)
{
    struct gnttab_swap_grant_ref swap = { .ref_a = 8, .ref_b = 0x10000000 };
    struct gnttab_set_version version = { .version = 2 };
    struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = 100000 };
    static xen_pfn_t frames[64];
    struct gnttab_get_status_frames status = { .nr_frames = 1, .dom = DOMID_SELF };
    struct gnttab_unmap_and_replace replace = { .host_addr = va, .new_addr = va + PAGE_SIZE, .handle = 0xfffffff0 };
    struct gnttab_transfer transfer = { .mfn = mm_mfn(page), .domid = own_domid(), .ref = 8 };
    struct gnttab_cache_flush flush = { .offset = 0, .length = 8, .op = GNTTAB_CACHE_CLEAN };

    item("H50");
    RC(hc_grant_table_op(GNTTABOP_swap_grant_ref, &swap, 1), 0);
    CHECK(swap.status == GNTST_bad_gntref, "status %d", swap.status);

    item("H55");
    if (!on_xen())
        RC(hc_grant_table_op(GNTTABOP_set_version, &version, 1), -XEN_ENOSYS);
    version.version = 3;
    RC(hc_grant_table_op(GNTTABOP_set_version, &version, 1), -XEN_EINVAL);
    version.version = 0;
    NEGATIVE(hc_grant_table_op(GNTTABOP_set_version, &version, 1));
    set_xen_guest_handle(status.frame_list, (uint64_t *)frames);
    long rc = hc_grant_table_op(GNTTABOP_get_status_frames, &status, 1);
    CHECK(rc < 0 || status.status < 0, "get_status_frames: %ld, status %d", rc, status.status);
    rc = hc_grant_table_op(GNTTABOP_transfer, &transfer, 1);
    CHECK(rc < 0 || transfer.status < 0, "transfer: %ld, status %d", rc, transfer.status);
    flush.a.dev_bus_addr = mm_mfn(page) << PAGE_SHIFT;
    if (!on_xen())
        NEGATIVE(hc_grant_table_op(GNTTABOP_cache_flush, &flush, 1));
    rc = hc_grant_table_op(GNTTABOP_unmap_and_replace, &replace, 1);
    CHECK(rc < 0 || replace.status < 0, "unmap_and_replace: %ld, status %d", rc, replace.status);
    RC(hc_grant_table_op(30, &replace, 1), -XEN_ENOSYS);
    page[0] = 1;

    item("H56");
    set_xen_guest_handle(setup.frame_list, frames);
    rc = hc_grant_table_op(GNTTABOP_setup_table, &setup, 1);
    CHECK(rc == 0 && setup.status == GNTST_general_error, "%ld, status %d", rc, setup.status);
    RC(hc_grant_table_op(GNTTABOP_setup_table, &setup, 2), -XEN_EINVAL);
    setup.nr_frames = 1;
    setup.dom = 0x7000;
    rc = hc_grant_table_op(GNTTABOP_setup_table, &setup, 1);
    CHECK(rc < 0 || setup.status == GNTST_bad_domain, "%ld, status %d", rc, setup.status);
    if (victim_domid() != DOMID_INVALID) {
        struct gnttab_query_size q = { .dom = victim_domid() };
        setup.dom = victim_domid();
        rc = hc_grant_table_op(GNTTABOP_setup_table, &setup, 1);
        CHECK(rc < 0 || setup.status == GNTST_permission_denied, "%ld, status %d", rc, setup.status);
        rc = hc_grant_table_op(GNTTABOP_query_size, &q, 1);
        CHECK(rc < 0 || q.status == GNTST_permission_denied, "query: %ld, status %d", rc, q.status);
    }
}

void guest_test(void)
{
    item("setup");
    page = page_alloc();
    other = page_alloc();
    va = mm_reserve_va(16);
    for (unsigned i = 0; i < 16; i++)
        RC(mm_map(va + i * PAGE_SIZE, 0, 0), 0);
    if (!grant_init())
        return;
    bad_maps();
    bad_unmaps();
    pin_overflow();
    copies();
    the_rest();
}
