/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pku.c - protection keys for user pages, on only while a vCPU of a logged domain runs (mm/dirty_log.c)
 */
#include "cpu/cpu.h"
#include "cpu/pku.h"
#include "machine.h"
#include "mm/dirty_log.h"

static void wrpkru(uint32_t v) { asm volatile("wrpkru" : : "a"(v), "c"(0), "d"(0) : "memory"); }

static uint32_t rdpkru(void)
{
    uint32_t v, d;

    asm volatile("rdpkru" : "=a"(v), "=d"(d) : "c"(0));
    return v;
}

bool machine_has_pku(void) { return cpu_features.pku; }

uint64_t pku_cr4(const struct vcpu *v)
{
    uint32_t pkru;

    return dirty_log_pkru(v->domain, &pkru) ? CR4_PKE : 0;
}

void pku_load(const struct vcpu *v)
{
    uint32_t pkru;

    if (dirty_log_pkru(v->domain, &pkru))
        wrpkru(pkru);
}

bool machine_restore_pkru(struct vcpu *v)
{
    uint32_t want;

    if (!(read_cr4() & CR4_PKE) || !dirty_log_pkru(v->domain, &want) || rdpkru() == want)
        return false;
    wrpkru(want);
    return true;
}

mfn_t machine_current_root(const struct vcpu *v)
{
    (void)v;
    return mfn((read_cr3() & 0x000ffffffffff000UL) >> PAGE_SHIFT);
}
