/* SPDX-License-Identifier: GPL-2.0-or-later */
/* acpi_test.c - tables as firmware writes them, and as broken firmware writes them */
#include "../unit.h"

#include <string.h>

#include "boot/acpi.h"
#include "boot_fake.h"
#include "machine_fake.h"

#define BASE 0x7ffe0000UL
#define RSDP_AT 0xf5a0U         /* inside the ROM scan, 16-byte aligned */

static uint8_t rom[0x20000], memory[0x8000], bda[16];
static size_t used;

static void put(uint8_t *at, uint64_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}

static void fix_checksum(uint8_t *p, size_t n, size_t where)
{
    uint8_t sum = 0;

    p[where] = 0;
    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + p[i]);
    p[where] = (uint8_t)-sum;
}

/* A table with @body bytes after the header; returns its bytes. */
static uint8_t *add_table(const char *signature, size_t body, uint64_t *address)
{
    uint8_t *t = memory + used;

    *address = BASE + used;
    memcpy(t, signature, 4);
    put(t + 4, 36 + body, 4);
    used += (36 + body + 15) & ~15UL;
    return t;
}

static void seal(uint8_t *t)
{
    uint32_t n;

    memcpy(&n, t + 4, 4);
    fix_checksum(t, n, 9);
}

static uint64_t madt_at, fadt_at, hpet_at, mcfg_at, xsdt_at, rsdt_at;
static uint8_t *madt, *fadt, *hpet, *mcfg, *xsdt, *rsdt;

static void write_rsdp(unsigned revision)
{
    uint8_t *r = rom + RSDP_AT;

    memcpy(r, "RSD PTR ", 8);
    r[15] = (uint8_t)revision;
    put(r + 16, rsdt_at, 4);
    put(r + 20, 36, 4);
    put(r + 24, xsdt_at, 8);
    fix_checksum(r, 20, 8);
    fix_checksum(r, 36, 32);
}

/* Two CPUs (one listed twice, one disabled), one IO-APIC, IRQ 0 on GSI 2, IRQ 9 level and low. */
static void write_madt(void)
{
    static const uint8_t entries[] = {
        0, 8, 0, 0, 1, 0, 0, 0,
        0, 8, 1, 1, 1, 0, 0, 0,
        0, 8, 2, 2, 0, 0, 0, 0,
        9, 16, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0,
        1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,
        2, 10, 0, 0, 2, 0, 0, 0, 0, 0,
        2, 10, 0, 9, 9, 0, 0, 0, 0x0f, 0,
    };
    madt = add_table("APIC", 8 + sizeof(entries), &madt_at);
    put(madt + 36, 0xfee00000, 4);
    memcpy(madt + 44, entries, sizeof(entries));
    seal(madt);
}

static void write_fadt(void)
{
    fadt = add_table("FACP", 276 - 36, &fadt_at);
    put(fadt + 46, 9, 2);
    put(fadt + 56, 0x600, 4);
    put(fadt + 64, 0x604, 4);
    put(fadt + 76, 0x608, 4);
    put(fadt + 112, 1u << 8 | 1u << 10, 4);
    fadt[116] = 1;
    put(fadt + 120, 0xcf9, 8);
    fadt[128] = 0x0f;
    fadt[208] = 1;
    put(fadt + 212, 0x608, 8);
    seal(fadt);
}

static void setup(unsigned revision)
{
    const uint64_t *const all[] = { &madt_at, &fadt_at, &hpet_at, &mcfg_at };

    memset(rom, 0, sizeof(rom));
    memset(memory, 0, sizeof(memory));
    used = 0;
    fake_phys_reset();
    fake_phys_map(0xe0000, rom, sizeof(rom));
    fake_phys_map(BASE, memory, sizeof(memory));
    fake_phys_map(0x400, bda, sizeof(bda));
    write_madt();
    write_fadt();
    hpet = add_table("HPET", 20, &hpet_at);
    put(hpet + 44, 0xfed00000, 8);
    seal(hpet);
    mcfg = add_table("MCFG", 8 + 16, &mcfg_at);
    put(mcfg + 44, 0xb0000000, 8);
    mcfg[44 + 11] = 255;
    seal(mcfg);
    xsdt = add_table("XSDT", 4 * 8, &xsdt_at);
    rsdt = add_table("RSDT", 4 * 4, &rsdt_at);
    for (unsigned i = 0; i < 4; i++) {
        put(xsdt + 36 + 8 * i, *all[i], 8);
        put(rsdt + 36 + 4 * i, *all[i], 4);
    }
    seal(xsdt);
    seal(rsdt);
    write_rsdp(revision);
}

static void expect_all(void)
{
    CU_ASSERT_TRUE(acpi_info.valid);
    CU_ASSERT_EQUAL(acpi_info.nr_cpus, 2);
    CU_ASSERT_EQUAL(acpi_info.cpu[1].apic_id, 1);
    CU_ASSERT_EQUAL(acpi_info.nr_ioapics, 1);
    CU_ASSERT_EQUAL(acpi_info.ioapic[0].address, 0xfec00000);
    CU_ASSERT_EQUAL(acpi_info.pm1a_cnt, 0x604);
    CU_ASSERT_EQUAL(acpi_info.pm_timer_port, 0x608);
    CU_ASSERT_TRUE(acpi_info.pm_timer_32bit);
    CU_ASSERT_TRUE(acpi_info.reset.valid);
    CU_ASSERT_EQUAL(acpi_info.reset.address, 0xcf9);
    CU_ASSERT_EQUAL(acpi_info.hpet_address, 0xfed00000);
    CU_ASSERT_EQUAL(acpi_info.nr_mcfg, 1);
    CU_ASSERT_EQUAL(acpi_isa_gsi(0), 2);
    CU_ASSERT_EQUAL(acpi_isa_gsi(4), 4);
}

static void test_good_tables(void)
{
    bool level, low;

    setup(2);
    CU_ASSERT_TRUE(acpi_init(0));
    expect_all();
    acpi_gsi_mode(9, &level, &low);
    CU_ASSERT_TRUE(level && low);
    acpi_gsi_mode(4, &level, &low);
    CU_ASSERT_TRUE(!level && !low);
    acpi_gsi_mode(16, &level, &low);
    CU_ASSERT_TRUE(level && low);
}

static void test_revision_0_uses_rsdt(void)
{
    setup(0);
    put(rom + RSDP_AT + 24, 0xdead, 8);         /* not there in revision 0 */
    CU_ASSERT_TRUE(acpi_init(0));
    expect_all();
}

static void test_broken_xsdt_falls_back(void)
{
    setup(2);
    xsdt[40]++;
    CU_ASSERT_TRUE(acpi_init(0));
    expect_all();
}

static void test_loader_gives_rsdp(void)
{
    setup(2);
    CU_ASSERT_TRUE(acpi_init(0xe0000 + RSDP_AT));
    expect_all();
    CU_ASSERT_FALSE(acpi_init(BASE));           /* a table, but no RSDP */
    CU_ASSERT_FALSE(acpi_init(~0UL));
}

static void test_no_rsdp(void)
{
    setup(2);
    rom[RSDP_AT + 8]++;
    CU_ASSERT_FALSE(acpi_init(0));
    CU_ASSERT_FALSE(acpi_info.valid);
}

static void test_broken_madt_is_fatal(void)
{
    setup(2);
    madt[50]++;
    CU_ASSERT_FALSE(acpi_init(0));
}

/* An entry of length 0 would loop for ever, one of length 255 leave the table: the rest is ignored. */
static void test_madt_bad_entry_lengths(void)
{
    static const uint8_t lengths[] = { 0, 1, 255 };

    for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
        setup(2);
        madt[44 + 24 + 1] = lengths[i];         /* the x2APIC entry, after three CPUs */
        seal(madt);
        CU_ASSERT_FALSE(acpi_init(0));          /* the IO-APIC comes after it */
        CU_ASSERT_EQUAL(acpi_info.nr_cpus, 2);
        CU_ASSERT_EQUAL(acpi_info.nr_ioapics, 0);
    }
}

static void test_table_lengths(void)
{
    static const uint32_t lengths[] = { 0, 35, 0x7fffffff, 0xffffffff };

    for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
        setup(2);
        put(fadt + 4, lengths[i], 4);
        CU_ASSERT_TRUE(acpi_init(0));
        CU_ASSERT_EQUAL(acpi_info.pm1a_cnt, 0);
    }
}

/* Every length a FADT can claim: no read past it (the sanitizer watches), no fields from beyond. */
static void test_short_fadt(void)
{
    for (uint32_t n = 36; n < 276; n++) {
        setup(2);
        put(fadt + 4, n, 4);
        seal(fadt);
        CU_ASSERT_TRUE(acpi_init(0));
        CU_ASSERT_TRUE(n >= 129 || !acpi_info.reset.valid);
        CU_ASSERT_TRUE(n >= 116 || acpi_info.pm1a_cnt == 0);
    }
}

static void test_too_many_cpus(void)
{
    setup(2);
    used = 0x4000;
    madt = add_table("APIC", 8 + 100 * 8 + 12, &madt_at);
    for (unsigned i = 0; i < 100; i++) {
        const uint8_t e[8] = { 0, 8, (uint8_t)i, (uint8_t)i, 1 };
        memcpy(madt + 44 + 8 * i, e, 8);
    }
    madt[44 + 800] = 1;
    madt[44 + 801] = 12;
    put(madt + 44 + 804, 0xfec00000, 4);
    seal(madt);
    put(xsdt + 36, madt_at, 8);
    seal(xsdt);
    CU_ASSERT_TRUE(acpi_init(0));
    CU_ASSERT_EQUAL(acpi_info.nr_cpus, MAX_CPUS);
}

static void test_nonsense_addresses(void)
{
    setup(2);
    put(hpet + 44, 0xfed00001, 8);              /* not aligned */
    seal(hpet);
    mcfg[44 + 10] = 255;
    mcfg[44 + 11] = 0;                          /* ends before it starts */
    seal(mcfg);
    put(fadt + 120, 0x12345678, 8);             /* a reset "port" beyond 64 KiB */
    seal(fadt);
    CU_ASSERT_TRUE(acpi_init(0));
    CU_ASSERT_EQUAL(acpi_info.hpet_address, 0);
    CU_ASSERT_EQUAL(acpi_info.nr_mcfg, 0);
    CU_ASSERT_FALSE(acpi_info.reset.valid);
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_good_tables),       UNIT(test_revision_0_uses_rsdt), UNIT(test_broken_xsdt_falls_back),
        UNIT(test_loader_gives_rsdp), UNIT(test_no_rsdp),              UNIT(test_broken_madt_is_fatal),
        UNIT(test_madt_bad_entry_lengths), UNIT(test_table_lengths),   UNIT(test_short_fadt),
        UNIT(test_too_many_cpus),     UNIT(test_nonsense_addresses),   { 0 },
    };
    return unit_main("acpi", cases);
}
