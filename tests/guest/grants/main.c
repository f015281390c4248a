/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Claim: a domain can grant frames to itself, map, read, write, copy and unmap them, and revoke. */
#include "grant.h"

static void map_and_unmap(void)
{
    uint64_t *page = page_alloc(), va = mm_reserve_va(1);
    struct gnttab_map_grant_ref map = { .host_addr = va, .flags = GNTMAP_host_map, .ref = 20,
                                        .dom = own_domid() };

    item("map");
    RC(mm_map(va, 0, 0), 0);   /* makes the tables, leaves the entry empty */
    page[0] = 0xfeedface;
    grant_access(20, own_domid(), mm_mfn(page), 0);
    RC(hc_grant_table_op(GNTTABOP_map_grant_ref, &map, 1), 0);
    CHECK(map.status == GNTST_okay, "status %d", map.status);
    if (map.status != GNTST_okay)
        return;
    CHECK(map.dev_bus_addr == mm_mfn(page) << PAGE_SHIFT, "dev_bus_addr %lx", map.dev_bus_addr);
    CHECK(*(volatile uint64_t *)va == 0xfeedface, "mapped page reads %lx", *(volatile uint64_t *)va);
    *(volatile uint64_t *)va = 0x1234;
    CHECK(page[0] == 0x1234, "the granted page reads %lx", page[0]);
    CHECK((grant_flags(20) & (GTF_reading | GTF_writing)) == (GTF_reading | GTF_writing), "flags %x",
          grant_flags(20));

    item("revoke-in-use");
    CHECK(!grant_revoke(20), "a mapped grant could be revoked");

    item("unmap");
    struct gnttab_unmap_grant_ref unmap = { .host_addr = va, .handle = map.handle };
    RC(hc_grant_table_op(GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
    CHECK(unmap.status == GNTST_okay, "status %d", unmap.status);
    uint64_t value;
    CHECK(probe_read(va, &value) == 14, "still mapped after the unmap");
    CHECK((grant_flags(20) & (GTF_reading | GTF_writing)) == 0, "flags %x", grant_flags(20));
    CHECK(grant_revoke(20), "an unused grant could not be revoked");

    item("map-read-only");
    grant_access(21, own_domid(), mm_mfn(page), GTF_readonly);
    map.ref = 21;
    map.flags = GNTMAP_host_map | GNTMAP_readonly;
    RC(hc_grant_table_op(GNTTABOP_map_grant_ref, &map, 1), 0);
    CHECK(map.status == GNTST_okay, "status %d", map.status);
    CHECK(probe_write(va, 1) == 14, "a read-only mapping can be written");
    CHECK((grant_flags(21) & (GTF_reading | GTF_writing)) == GTF_reading, "flags %x", grant_flags(21));
    unmap.handle = map.handle;
    RC(hc_grant_table_op(GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
    CHECK(unmap.status == GNTST_okay, "status %d", unmap.status);
    CHECK(grant_revoke(21), "not revoked");
    page_free(page);
}

static void copy(void)
{
    uint8_t *from = page_alloc(), *to = page_alloc();
    struct gnttab_copy op = { .flags = GNTCOPY_source_gref, .len = 100 };

    item("copy");
    for (unsigned i = 0; i < PAGE_SIZE; i++)
        from[i] = (uint8_t)(i * 7);
    grant_access(22, own_domid(), mm_mfn(from), GTF_readonly);
    op.source.u.ref = 22;
    op.source.domid = DOMID_SELF;
    op.source.offset = 1000;
    op.dest.u.gmfn = mm_mfn(to);
    op.dest.domid = DOMID_SELF;
    op.dest.offset = 50;
    RC(hc_grant_table_op(GNTTABOP_copy, &op, 1), 0);
    CHECK(op.status == GNTST_okay, "status %d", op.status);
    CHECK(memcmp(to + 50, from + 1000, 100) == 0, "wrong bytes");
    CHECK(to[49] == 0 && to[150] == 0, "bytes outside were written");
    CHECK(grant_revoke(22), "not revoked");
    page_free(from);
    page_free(to);
}

static void query(void)
{
    struct gnttab_query_size q = { .dom = DOMID_SELF };
    struct gnttab_set_version v = { .version = 1 };
    struct gnttab_get_version g = { .dom = DOMID_SELF };

    item("query");
    RC(hc_grant_table_op(GNTTABOP_query_size, &q, 1), 0);
    CHECK(q.status == GNTST_okay && q.max_nr_frames >= 1 && q.nr_frames >= 1, "status %d, %u of %u frames",
          q.status, q.nr_frames, q.max_nr_frames);
    RC(hc_grant_table_op(GNTTABOP_set_version, &v, 1), 0);
    RC(hc_grant_table_op(GNTTABOP_get_version, &g, 1), 0);
    CHECK(g.version == 1, "version %u", g.version);
}

void guest_test(void)
{
    item("setup");
    if (!grant_init())
        return;
    query();
    map_and_unmap();
    copy();
}
