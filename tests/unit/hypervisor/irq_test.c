/* SPDX-License-Identifier: GPL-2.0-or-later */
/* irq_test.c - lines, vectors, MSI and pirqs against a remembered IO-APIC and PCI device; physdev_op's permissions */
#include "../unit.h"

#include <string.h>

#include "domain/io_caps.h"
#include "event/event.h"
#include "hv_errno.h"
#include "hypercall/hypercall.h"
#include "irq/chip.h"
#include "irq/line.h"
#include "irq_fake.h"
#include "machine_fake.h"

static struct domain d0, d1;
static struct vcpu v0, v1;
static struct shared_info shared;

static void clear_lines(void)
{
    for (unsigned i = 0; i < NR_LINES; i++) {
        if (irq_lines[i].vector)
            vector_free(irq_lines[i].cpu, irq_lines[i].vector, 1);
        memset(&irq_lines[i], 0, sizeof(irq_lines[i]));
    }
}

static void setup(void)
{
    fake_machine_init(64);
    fake_guest_reset();
    fake_domain_init(&d0, 0);
    fake_domain_init(&d1, 1);
    fake_vcpu_init(&v0, &d0, 0);
    fake_vcpu_init(&v1, &d1, 0);
    d0.shared_info = &shared;
    CU_ASSERT_EQUAL(evtchn_domain_create(&d0, MAX_EVTCHNS - 1), 0);
    CU_ASSERT_EQUAL(io_caps_create(&d0), 0);
    CU_ASSERT_EQUAL(io_caps_create(&d1), 0);
    clear_lines();
    irq_init();
    memset(fake_pci_config, 0, sizeof(fake_pci_config));
    fake_pci_address = 0x0300;                  /* 00:00.3 */
    fake_pci_config[0] = 0x86;
    fake_pci_config[4] = 2;                     /* memory decoding */
    fake_pci_config[6] = 0x10;                  /* has capabilities */
    fake_pci_config[0x34] = 0x40;
    fake_pci_config[0x12] = 0x00;
    fake_pci_config[0x13] = 0xfe;               /* BAR 0 at 0xfe000000 */
    fake_pci_config[0x40] = 0x05;               /* MSI: 64 bit, maskable, up to 8 vectors */
    fake_pci_config[0x41] = 0x60;
    fake_pci_config[0x42] = 0x80 | 3 << 1;
    fake_pci_config[0x43] = 0x01;
    fake_pci_config[0x60] = 0x11;               /* MSI-X: 4 entries at BAR 0 + 0x2000 */
    fake_pci_config[0x62] = 3;
    fake_pci_config[0x65] = 0x20;
}

static void teardown(void)
{
    irq_audit();
    pirq_domain_relinquish(&d0);
    evtchn_domain_destroy(&d0);
    io_caps_destroy(&d0);
    io_caps_destroy(&d1);
}

/* What the hardware would do with RTE @gsi: deliver, if it is not masked. */
static bool raise(unsigned gsi)
{
    if (fake_rte[gsi] & RTE_MASKED)
        return false;
    fake_cpu = (unsigned)(fake_rte[gsi] >> RTE_DEST_SHIFT);
    irq_handle_vector((uint8_t)fake_rte[gsi]);
    return true;
}

static void test_level_line_waits_for_eoi(void)
{
    bool needs;

    setup();
    CU_ASSERT_EQUAL(irq_setup_gsi(16, true, true), 0);
    CU_ASSERT_EQUAL(pirq_map_gsi(&d0, 16), 0);
    CU_ASSERT_TRUE(fake_rte[16] & RTE_MASKED);
    CU_ASSERT_EQUAL(pirq_bind(&d0, 16, 5, true), 0);
    CU_ASSERT_EQUAL(fake_rte[16] & (RTE_LEVEL | RTE_LOW | RTE_MASKED), RTE_LEVEL | RTE_LOW);
    CU_ASSERT_EQUAL(pirq_needs_eoi(&d0, 16, &needs), 0);
    CU_ASSERT_TRUE(needs);

    CU_ASSERT_TRUE(raise(16));
    CU_ASSERT_EQUAL(irq_lines[16].count, 1);
    CU_ASSERT_EQUAL(fake_eois, 1);
    irq_audit();
    CU_ASSERT_FALSE(raise(16));                 /* silent until the guest says so */
    CU_ASSERT_EQUAL(pirq_eoi(&d0, 16), 0);
    CU_ASSERT_TRUE(raise(16));
    CU_ASSERT_EQUAL(irq_lines[16].count, 2);

    pirq_unbind(&d0, 16);
    CU_ASSERT_FALSE(raise(16));
    CU_ASSERT_EQUAL(pirq_eoi(&d0, 16), 0);      /* late, and without effect */
    CU_ASSERT_FALSE(raise(16));
    CU_ASSERT_EQUAL(pirq_unmap(&d0, 16), 0);
    CU_ASSERT_EQUAL(pirq_eoi(&d0, 16), -EINVAL);
    teardown();
}

static void test_edge_line(void)
{
    bool needs;

    setup();
    CU_ASSERT_EQUAL(pirq_map_gsi(&d0, 1), 0);
    CU_ASSERT_EQUAL(pirq_bind(&d0, 1, 7, false), 0);
    CU_ASSERT_EQUAL(pirq_bind(&d0, 1, 8, false), -EEXIST);
    CU_ASSERT_EQUAL(pirq_needs_eoi(&d0, 1, &needs), 0);
    CU_ASSERT_FALSE(needs);
    CU_ASSERT_TRUE(raise(1));
    CU_ASSERT_TRUE(raise(1));
    CU_ASSERT_EQUAL(irq_lines[1].count, 2);
    CU_ASSERT_EQUAL(pirq_unmap(&d0, 1), -EBUSY);
    CU_ASSERT_EQUAL(irq_setup_gsi(1, true, true), -EEXIST);
    CU_ASSERT_EQUAL(irq_setup_gsi(1, false, false), 0);
    pirq_unbind(&d0, 1);
    CU_ASSERT_EQUAL(irq_setup_gsi(1, true, true), 0);
    teardown();
}

static unsigned handled;
static void handler(void *data) { handled += *(unsigned *)data; }

static void test_own_line(void)
{
    static unsigned one = 1;

    setup();
    CU_ASSERT_EQUAL(irq_request_gsi(4, handler, &one), 0);
    CU_ASSERT_EQUAL(irq_request_gsi(4, handler, &one), -EBUSY);
    CU_ASSERT_EQUAL(irq_request_gsi(FAKE_GSIS, handler, &one), -EINVAL);
    CU_ASSERT_TRUE(raise(4));
    CU_ASSERT_EQUAL(handled, 1);
    CU_ASSERT_EQUAL(pirq_map_gsi(&d0, 4), -EPERM);
    CU_ASSERT_EQUAL(irq_setup_gsi(4, true, true), -EPERM);
    irq_audit();
    irq_lines[4].handler = NULL;
    irq_lines[4].enabled = false;
    teardown();
}

static void test_stray_vectors(void)
{
    setup();
    for (unsigned v = 0; v < 256; v++)
        irq_handle_vector((uint8_t)v);
    CU_ASSERT_EQUAL(fake_eois, 256);
    CU_ASSERT_EQUAL(pirq_map_gsi(&d0, 17), 0);
    CU_ASSERT_EQUAL(pirq_bind(&d0, 17, 3, false), 0);
    const uint64_t rte = fake_rte[17];
    pirq_unbind(&d0, 17);
    fake_cpu = (unsigned)(rte >> RTE_DEST_SHIFT);
    irq_handle_vector((uint8_t)rte);            /* was on its way */
    CU_ASSERT_EQUAL(irq_lines[17].stray, 1);
    CU_ASSERT_EQUAL(irq_lines[17].count, 0);
    teardown();
}

static int map_msi(bool msix, unsigned entry, unsigned count, int want, int *got)
{
    const struct msi_request r = { .bus = 0, .devfn = 3, .msix = msix, .entry = entry, .count = count };

    *got = want;
    return pirq_map_msi(&d0, &r, got);
}

static void test_msi(void)
{
    uint32_t address;
    int p;

    setup();
    CU_ASSERT_EQUAL(map_msi(false, 0, 1, -1, &p), 0);
    CU_ASSERT_EQUAL(p, MAX_GSI);
    memcpy(&address, fake_pci_config + 0x44, 4);
    CU_ASSERT_EQUAL(address & 0xfff00fff, 0xfee00000);
    CU_ASSERT_EQUAL(fake_pci_config[0x4c], irq_lines[p].vector);
    CU_ASSERT_EQUAL(fake_pci_config[0x50], 1);  /* masked until somebody listens */
    CU_ASSERT_EQUAL(pirq_bind(&d0, (unsigned)p, 9, false), 0);
    CU_ASSERT_EQUAL(fake_pci_config[0x50], 0);
    fake_cpu = (address >> 12) & 0xff;
    irq_handle_vector(fake_pci_config[0x4c]);
    CU_ASSERT_EQUAL(irq_lines[p].count, 1);
    int again;
    CU_ASSERT_EQUAL(map_msi(false, 0, 1, -1, &again), -EBUSY);
    CU_ASSERT_EQUAL(map_msi(true, 0, 1, -1, &again), -EBUSY);  /* PCI: never both at once */
    CU_ASSERT_EQUAL(pirq_unmap(&d0, (unsigned)p), -EBUSY);
    pirq_unbind(&d0, (unsigned)p);
    fake_pci_config[0x42] |= 1;                 /* Dom0 turned it on */
    CU_ASSERT_EQUAL(pirq_unmap(&d0, (unsigned)p), 0);
    CU_ASSERT_EQUAL(fake_pci_config[0x42] & 1, 0);
    CU_ASSERT_EQUAL(pirq_unmap(&d0, (unsigned)p), -EINVAL);
    teardown();
}

static void test_multi_msi(void)
{
    int p;

    setup();
    CU_ASSERT_EQUAL(map_msi(false, 0, 3, -1, &p), -EINVAL);
    CU_ASSERT_EQUAL(map_msi(false, 0, 16, -1, &p), -EINVAL);   /* the device has 8 */
    CU_ASSERT_EQUAL(map_msi(false, 0, 0, -1, &p), -EINVAL);
    CU_ASSERT_EQUAL(map_msi(false, 0, 8, -1, &p), 0);
    CU_ASSERT_EQUAL((fake_pci_config[0x42] >> 4) & 7, 3);
    for (int i = 0; i < 8; i++) {
        CU_ASSERT_EQUAL(irq_lines[p + i].vector, irq_lines[p].vector + i);
        CU_ASSERT_EQUAL(irq_lines[p + i].cpu, irq_lines[p].cpu);
    }
    CU_ASSERT_EQUAL(irq_lines[p].vector % 8, 0);
    CU_ASSERT_EQUAL(pirq_bind(&d0, (unsigned)p + 5, 4, false), 0);
    CU_ASSERT_EQUAL(fake_pci_config[0x50], 0xff & ~(1 << 5));
    CU_ASSERT_EQUAL(pirq_unmap(&d0, (unsigned)p), -EBUSY);
    pirq_unbind(&d0, (unsigned)p + 5);
    CU_ASSERT_EQUAL(pirq_unmap(&d0, (unsigned)p + 2), 0);      /* any of the block takes all away */
    for (int i = 0; i < 8; i++)
        CU_ASSERT_EQUAL(irq_lines[p + i].kind, LINE_ABSENT);
    teardown();
}

static void test_msix(void)
{
    int p, q;

    setup();
    CU_ASSERT_EQUAL(map_msi(true, 4, 1, -1, &p), -EINVAL);
    CU_ASSERT_EQUAL(map_msi(true, 2, 1, -1, &p), 0);
    CU_ASSERT_EQUAL(fake_msix.entry, 0xfe002000 + 2 * 16);
    CU_ASSERT_TRUE(fake_msix.masked);
    CU_ASSERT_EQUAL(fake_msix.data, irq_lines[p].vector);
    CU_ASSERT_EQUAL(map_msi(true, 2, 1, -1, &q), -EBUSY);
    CU_ASSERT_EQUAL(map_msi(true, 3, 1, 300, &q), 0);
    CU_ASSERT_EQUAL(q, 300);
    CU_ASSERT_EQUAL(map_msi(true, 1, 1, 300, &q), -EBUSY);
    CU_ASSERT_EQUAL(map_msi(true, 1, 1, 5, &q), -EBUSY);       /* a GSI's number */
    CU_ASSERT_EQUAL(map_msi(true, 1, 1, MAX_PIRQS, &q), -EBUSY);
    CU_ASSERT_EQUAL(pirq_bind(&d0, (unsigned)p, 9, false), 0);
    CU_ASSERT_FALSE(fake_msix.masked);
    const unsigned writes = fake_msix.writes;
    CU_ASSERT_EQUAL(pirq_restore_msi(0, 3), 0);
    CU_ASSERT_TRUE(fake_msix.writes >= writes + 2);
    CU_ASSERT_EQUAL(pirq_restore_msi(0, 4), -ESRCH);
    pirq_unbind(&d0, (unsigned)p);
    teardown();
}

/* I1 of msi.c: a BAR that Dom0 pointed at RAM must not make us write there. */
static void test_msix_table_in_ram(void)
{
    int p;

    setup();
    memset(fake_pci_config + 0x10, 0, 4);
    fake_pci_config[0x11] = 0x10;               /* BAR 0 at 0x1000: RAM of the fake machine */
    CU_ASSERT_EQUAL(map_msi(true, 0, 1, -1, &p), -ENXIO);
    CU_ASSERT_EQUAL(fake_msix.writes, 0);
    fake_pci_config[0x10] = 1;                  /* I/O BAR */
    CU_ASSERT_EQUAL(map_msi(true, 0, 1, -1, &p), -ENXIO);
    fake_pci_config[4] = 0;
    CU_ASSERT_EQUAL(map_msi(true, 0, 1, -1, &p), -ENXIO);
    teardown();
}

static void test_capability_loop(void)
{
    int p;

    setup();
    fake_pci_config[0x41] = 0x40;               /* next: itself */
    CU_ASSERT_EQUAL(map_msi(true, 0, 1, -1, &p), -ENODEV);
    fake_pci_address = 0x990000;
    CU_ASSERT_EQUAL(map_msi(false, 0, 1, -1, &p), -ENODEV);
    teardown();
}

/* Vectors run out with an error, and come back. */
static void test_exhaustion(void)
{
    unsigned n = 0;
    int p;

    setup();
    fake_online = cpumask_of(0);
    fake_pci_config[0x62] = 0xff;
    fake_pci_config[0x63] = 7;                  /* 2048 entries */
    while (n < 2048 && map_msi(true, n, 1, -1, &p) == 0)
        n++;
    CU_ASSERT_TRUE(n >= 150 && n <= 208);
    irq_audit();
    pirq_domain_relinquish(&d0);
    for (unsigned i = 0; i < n; i++)
        CU_ASSERT_EQUAL(map_msi(true, i, 1, -1, &p), 0);
    CU_ASSERT_EQUAL(map_msi(true, n, 1, -1, &p), -ENOSPC);
    fake_online = (cpumask_t){ 15 };
    teardown();
}

static void test_unreachable_cpus(void)
{
    int p;

    setup();
    fake_cpu_dest[0] = fake_cpu_dest[1] = fake_cpu_dest[2] = 0x100;
    CU_ASSERT_EQUAL(map_msi(false, 0, 1, -1, &p), 0);
    CU_ASSERT_EQUAL(irq_lines[p].cpu, 3);
    teardown();
}

/* ---- physdev_op ---- */

static long physdev(struct vcpu *v, unsigned cmd, void *arg)
{
    struct hcall h = { .arg = { cmd, (uintptr_t)arg } };

    return do_physdev_op(v, &h);
}

/* H98: permission before argument and lock: a bad pointer makes no difference. */
static void test_h98_domu(void)
{
    setup();
    for (unsigned cmd = 0; cmd < 64; cmd++) {
        const long rc = physdev(&v1, cmd, (void *)8);
        if (cmd == PHYSDEVOP_set_iopl || cmd == PHYSDEVOP_set_iobitmap)
            CU_ASSERT_EQUAL(rc, -EFAULT)
        else
            CU_ASSERT_TRUE(rc == -EPERM || rc == -ENOSYS);
    }
    teardown();
}

static void test_physdev_faults(void)
{
    setup();
    for (unsigned cmd = 0; cmd < 64; cmd++) {
        const long rc = physdev(&v0, cmd, (void *)8);
        CU_ASSERT_TRUE(rc == -EFAULT || rc == -ENOSYS || cmd == PHYSDEVOP_apic_write ||
                       cmd == PHYSDEVOP_free_irq_vector || cmd == PHYSDEVOP_pci_mmcfg_reserved);
    }
    teardown();
}

static void test_physdev_map(void)
{
    struct physdev_map_pirq m = { .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = 9, .pirq = 9 };
    struct physdev_irq_status_query q = { .irq = 9 };
    struct physdev_apic a = { .apic_physbase = FAKE_IOAPIC, .reg = 1 };

    setup();
    fake_guest_share(&m, sizeof(m));
    fake_guest_share(&q, sizeof(q));
    fake_guest_share(&a, sizeof(a));
    CU_ASSERT_EQUAL(physdev(&v0, PHYSDEVOP_irq_status_query, &q), -EINVAL);
    CU_ASSERT_EQUAL(physdev(&v0, PHYSDEVOP_map_pirq, &m), 0);
    CU_ASSERT_EQUAL(m.pirq, 9);
    CU_ASSERT_EQUAL(physdev(&v0, PHYSDEVOP_irq_status_query, &q), 0);
    m.index = -1;
    CU_ASSERT_EQUAL(physdev(&v0, PHYSDEVOP_map_pirq, &m), -EINVAL);
    m = (struct physdev_map_pirq){ .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_MSI_SEG, .pirq = -1, .bus = 0, .devfn = 3 };
    CU_ASSERT_EQUAL(physdev(&v0, PHYSDEVOP_map_pirq, &m), 0);
    CU_ASSERT_EQUAL(m.pirq, MAX_GSI);
    m.bus = 1 << 16;
    CU_ASSERT_EQUAL(physdev(&v0, PHYSDEVOP_map_pirq, &m), -EINVAL);
    m.bus = 0;
    m.domid = 1;
    CU_ASSERT_EQUAL(physdev(&v0, PHYSDEVOP_map_pirq, &m), -EOPNOTSUPP);
    CU_ASSERT_EQUAL(physdev(&v0, PHYSDEVOP_apic_read, &a), 0);
    CU_ASSERT_EQUAL(a.value, 0x00170020);
    teardown();
}

static void test_physdev_iopl(void)
{
    struct physdev_set_iopl i = { .iopl = 4 };
    struct physdev_set_iobitmap b = { .nr_ports = 65537 };

    setup();
    fake_guest_share(&i, sizeof(i));
    fake_guest_share(&b, sizeof(b));
    CU_ASSERT_EQUAL(physdev(&v1, PHYSDEVOP_set_iopl, &i), -EINVAL);
    i.iopl = 3;
    CU_ASSERT_EQUAL(physdev(&v1, PHYSDEVOP_set_iopl, &i), 0);
    CU_ASSERT_EQUAL(v1.cpu.iopl, 3);
    CU_ASSERT_EQUAL(physdev(&v1, PHYSDEVOP_set_iobitmap, &b), -EINVAL);
    b.nr_ports = 65536;
    b.bitmap.p = (void *)0xffff800000000000;
    CU_ASSERT_EQUAL(physdev(&v1, PHYSDEVOP_set_iobitmap, &b), -EINVAL);
    b.bitmap.p = (void *)0x1000;
    CU_ASSERT_EQUAL(physdev(&v1, PHYSDEVOP_set_iobitmap, &b), 0);
    teardown();
}

/* ---- io_caps ---- */

static void test_io_caps(void)
{
    setup();
    CU_ASSERT_FALSE(io_caps_any(&d1));
    CU_ASSERT_TRUE(io_caps_any(&d0));
    CU_ASSERT_EQUAL(io_caps_port_set(&d1, 0x300, 0x30f, true), 0);
    CU_ASSERT_TRUE(io_caps_port_ok(&d1, 0x300, 0x30f));
    CU_ASSERT_FALSE(io_caps_port_ok(&d1, 0x30f, 0x310));
    CU_ASSERT_FALSE(io_caps_port_ok(&d1, 0x30f, 0x300));
    CU_ASSERT_FALSE(io_caps_port_ok(&d0, 0xffff, 0x10002));
    CU_ASSERT_EQUAL(io_caps_mem_set(&d1, 5, 4, true), -EINVAL);
    CU_ASSERT_EQUAL(io_caps_mem_set(&d1, 0, ~0UL, true), -EINVAL);
    CU_ASSERT_EQUAL(io_caps_mem_set(&d1, 0xfd000, 0xfd0ff, true), 0);
    CU_ASSERT_TRUE(io_caps_any(&d1));
    io_caps_deny_all_mem(0xfd080, 0xfd080);     /* the host list wins, also over a grant made before */
    CU_ASSERT_TRUE(io_caps_mem_ok(&d1, 0xfd000, 0xfd07f));
    CU_ASSERT_FALSE(io_caps_mem_ok(&d1, 0xfd000, 0xfd0ff));
    CU_ASSERT_FALSE(io_caps_mem_ok(&d0, 0xfd080, 0xfd080));
    CU_ASSERT_EQUAL(io_caps_mem_set(&d1, 0xfd080, 0xfd080, true), -EPERM);
    CU_ASSERT_EQUAL(io_caps_mem_set(&d0, 1, 1, false), -EPERM);
    CU_ASSERT_FALSE(io_caps_irq_ok(&d1, 3));
    CU_ASSERT_EQUAL(io_caps_irq_set(&d1, 3, true), 0);
    CU_ASSERT_TRUE(io_caps_irq_ok(&d1, 3));
    CU_ASSERT_FALSE(io_caps_irq_ok(&d1, MAX_PIRQS));
    io_caps_deny_all_irq(3);
    CU_ASSERT_FALSE(io_caps_irq_ok(&d1, 3));
    CU_ASSERT_FALSE(io_caps_irq_ok(&d0, 3));
    CU_ASSERT_EQUAL(pirq_bind(&d0, 3, 1, false), -EPERM);
    teardown();
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_level_line_waits_for_eoi), UNIT(test_edge_line),      UNIT(test_own_line),
        UNIT(test_stray_vectors),            UNIT(test_msi),            UNIT(test_multi_msi),
        UNIT(test_msix),                     UNIT(test_msix_table_in_ram), UNIT(test_capability_loop),
        UNIT(test_exhaustion),               UNIT(test_unreachable_cpus), UNIT(test_h98_domu),
        UNIT(test_physdev_faults),           UNIT(test_physdev_map),    UNIT(test_physdev_iopl),
        UNIT(test_io_caps),                  { 0 },
    };
    return unit_main("irq", cases);
}
