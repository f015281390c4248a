/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * grant_fuzz.c - two guests and Dom0 lend, map, copy and unmap; the granter rewrites its entries between the steps
 *
 * Oracles after every step: grant_audit() (pins recounted from all handles, references behind each pin) and
 * page_type_audit() (references recounted from the tables). At the end, with all three dead in any order, every frame
 * is free again.
 */
#include <stdint.h>

#define FX_FRAMES 160
#define FX_OWN 40
#include "../../unit/hypervisor/mm_fixture.h"

#include "grant/table.h"

#define NR_MAPPED 8
#define REFS 12                         /* few: collisions are what we want */

struct input { const uint8_t *p, *end; };

static struct fx x;
static uint32_t last_handle[3];

static unsigned byte(struct input *in) { return in->p < in->end ? *in->p++ : 0; }

static struct domain *domain_of(unsigned i) { return i == 0 ? &x.dom0 : i == 1 ? &x.a : &x.b; }

static mfn_t any_frame(struct input *in)
{
    const unsigned b = byte(in);

    if (b < 120)
        return x.fa[b % FX_OWN];
    if (b < 240)
        return x.fb[b % FX_OWN];
    return b < 250 ? mfn(b) : mfn(0xfffffff0u + b);
}

static uint32_t any_ref(struct input *in)
{
    const unsigned b = byte(in);

    return b < 240 ? b % REFS : b < 250 ? 510 + b - 240 : UINT32_MAX - (b - 250);
}

static domid_t any_domid(struct input *in)
{
    static const domid_t ids[] = { 1, 2, 0, 1, 2, 7, DOMID_SELF, DOMID_IO };

    return ids[byte(in) % ARRAY_SIZE(ids)];
}

static uint64_t any_host_addr(struct input *in)
{
    const unsigned b = byte(in);

    switch (b % 8) {
    case 0:
        return (any_frame(in).n << PAGE_SHIFT) + byte(in) % 64 * 8;
    case 1:
        return (any_frame(in).n << PAGE_SHIFT) + byte(in);
    case 2:
        return 0xffff800000000000 + ((uint64_t)byte(in) << PAGE_SHIFT);
    case 3:
        return 0;
    default:
        return (uint64_t)(16 + b % 24) << PAGE_SHIFT;
    }
}

static void check(void)
{
    for (unsigned i = 0; i < 3; i++)
        grant_audit(domain_of(i));
    page_type_audit(true);
}

static long call(struct vcpu *v, struct input *in, unsigned cmd, void *arg, size_t size, unsigned n)
{
    struct hcall h = { .arg = { cmd, (uintptr_t)arg, n } };
    long rc = -ERESTART;

    fake_guest_reset();
    fake_guest_map((uintptr_t)arg, arg, size, byte(in) % 16 != 15);
    for (unsigned i = 0; i < 100 && rc == -ERESTART; i++) {
        rc = do_grant_table_op(v, &h);
        check();
        if (rc == -ERESTART && byte(in) % 8 == 7)
            break;                                      /* the guest does not come back */
    }
    return rc;
}

static void op_map(struct vcpu *v, struct input *in)
{
    struct gnttab_map_grant_ref op[4] = { 0 };
    const unsigned n = 1 + byte(in) % 4;

    for (unsigned i = 0; i < n; i++)
        op[i] = (struct gnttab_map_grant_ref){ .host_addr = any_host_addr(in), .dom = any_domid(in), .ref = any_ref(in),
                                               .flags = byte(in) % 32 | (uint32_t)byte(in) << 16, .status = 99 };
    if (call(v, in, GNTTABOP_map_grant_ref, op, sizeof(op), n) == 0) {
        for (unsigned i = 0; i < n; i++) {
            if (op[i].status > 0)
                abort();                                /* XSA-316: never a positive status */
            if (op[i].status == 0)
                last_handle[v->domain->id] = op[i].handle;
        }
    }
}

static void op_unmap(struct vcpu *v, struct input *in)
{
    struct gnttab_unmap_grant_ref op[4] = { 0 };
    const unsigned n = 1 + byte(in) % 4;

    for (unsigned i = 0; i < n; i++) {
        const unsigned b = byte(in);
        op[i] = (struct gnttab_unmap_grant_ref){ .host_addr = any_host_addr(in), .status = 99,
                                                 .handle = b < 64 ? last_handle[v->domain->id] : b < 240 ? b % 16 : b << 24 };
        if (byte(in) % 2)
            op[i].dev_bus_addr = any_frame(in).n << PAGE_SHIFT;
    }
    (void)call(v, in, GNTTABOP_unmap_grant_ref, op, sizeof(op), n);
}

static void op_copy(struct vcpu *v, struct input *in)
{
    struct gnttab_copy op[4] = { 0 };
    const unsigned n = 1 + byte(in) % 4;

    for (unsigned i = 0; i < n; i++) {
        op[i].flags = (uint16_t)(byte(in) % 4);
        struct gnttab_copy_ptr *const p[2] = { &op[i].source, &op[i].dest };
        for (unsigned k = 0; k < 2; k++) {
            if (op[i].flags & (1u << k))
                p[k]->u.ref = any_ref(in);
            else
                p[k]->u.gmfn = any_frame(in).n;
            p[k]->domid = byte(in) % 4 ? any_domid(in) : DOMID_SELF;
            p[k]->offset = (uint16_t)(byte(in) << 5);
        }
        op[i].len = (uint16_t)(byte(in) << 5);
    }
    (void)call(v, in, GNTTABOP_copy, op, sizeof(op), n);
}

static void op_table(struct vcpu *v, struct input *in)
{
    struct { struct gnttab_setup_table op; uint64_t list[4]; } s = { .op = { .dom = any_domid(in) } };
    struct gnttab_swap_grant_ref w = { any_ref(in), any_ref(in), 99 };
    struct gnttab_query_size q = { .dom = any_domid(in) };

    switch (byte(in) % 3) {
    case 0:
        s.op.nr_frames = byte(in) % 5;
        set_xen_guest_handle(s.op.frame_list, s.list);
        (void)call(v, in, GNTTABOP_setup_table, &s, sizeof(s), 1);
        break;
    case 1:
        (void)call(v, in, GNTTABOP_swap_grant_ref, &w, sizeof(w), 1);
        break;
    default:
        (void)call(v, in, GNTTABOP_query_size, &q, sizeof(q), 1);
        break;
    }
}

/* The guest's own stores to its grant frames. */
static void op_entry(unsigned who, struct input *in)
{
    struct grant_table *gt = domain_of(who)->grants;

    if (gt->sealed)
        return;
    struct grant_entry_v1 *e = grant_shared_of(gt, any_ref(in) % REFS);
    switch (byte(in) % 4) {
    case 0:
        e->flags = (uint16_t)(byte(in) | byte(in) << 8);
        break;
    case 1:
        e->domid = any_domid(in);
        break;
    case 2:
        e->frame = (uint32_t)any_frame(in).n;
        break;
    default:
        *e = (struct grant_entry_v1){ GTF_permit_access, (domid_t)(byte(in) % 3), (uint32_t)any_frame(in).n };
        break;
    }
}

/* The guest changes its own tables under the mappings. */
static void op_tables(struct vcpu *v, struct input *in)
{
    const mfn_t *f = v->domain == &x.a ? x.fa : x.fb;

    if (v->domain == &x.dom0)
        return;
    (void)fx_update(v, f[3], 16 + byte(in) % 24, byte(in) % 2 ? 0 : PT(any_frame(in), byte(in) % 2 ? RO : RW));
}

static void relinquish(struct domain *d, struct input *in)
{
    fake_preempt_at(1 + byte(in) % 4, 1 + byte(in) % 4);
    while (grant_domain_relinquish(d) == -ERESTART)
        check();
    fake_preempt_at(0, 0);
    check();
}

static void setup(void)
{
    fx_init(&x);
    memset(last_handle, 0, sizeof(last_handle));
    for (unsigned i = 0; i < 3; i++)
        if (grant_domain_create(domain_of(i), 2, 1))
            abort();
    fx_build(x.fa, NR_MAPPED);
    fx_build(x.fb, NR_MAPPED);
    struct vcpu *const v[2] = { &x.va, &x.vb };
    for (unsigned i = 0; i < 2; i++) {
        const mfn_t root = i ? x.fb[0] : x.fa[0];
        fake_set_current(v[i]);
        if (fx_pin(v[i], 4, root) || pt_set_kernel_root(v[i], root))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, data + size };

    if (size > 4096)
        return 0;
    setup();
    while (in.p < in.end) {
        const unsigned op = byte(&in), who = byte(&in) % 3;
        struct vcpu *v = who == 0 ? &x.v0 : who == 1 ? &x.va : &x.vb;
        if (domain_of(who)->grants->sealed)
            continue;                                   /* dead */
        fake_set_current(v);
        fake_preempt_at(op & 0x80 ? 1 + byte(&in) % 4 : 0, 1 + byte(&in) % 4);
        switch (op % 10) {
        case 0: case 1: case 2: op_map(v, &in); break;
        case 3: case 4: op_unmap(v, &in); break;
        case 5: op_copy(v, &in); break;
        case 6: op_table(v, &in); break;
        case 7: op_tables(v, &in); break;
        default: op_entry(who, &in); break;
        }
        fake_preempt_at(0, 0);
        if (op == 0x7f && byte(&in) % 4 == 0)
            relinquish(domain_of(who), &in);
        check();
    }
    for (unsigned i = 0; i < 3; i++)
        relinquish(domain_of(i), &in);
    for (unsigned i = 0; i < 3; i++)
        grant_domain_destroy(domain_of(i));
    fx_end(&x);
    return 0;
}
