/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * layout.h - the hypervisor's part of every address space: L4 slots 256..271
 *
 *   256  0xffff8000_00000000  M2P, read-only, user-accessible, NX (ABI: HYPERVISOR_VIRT_START, machphys_mapping)
 *   257  0xffff8080_00000000  M2P again, writable, ours
 *   258  0xffff8100_00000000  frame table
 *   259  0xffff8180_00000000  device mappings (APIC, IO-APIC, HPET, ACPI tables)
 *   260  0xffff8200_00000000  per-CPU: stacks with guard pages, GDT and LDT windows
 *   261  0xffff8280_00000000  the image: text r-x, rodata r--, data rw-
 *   264..271 0xffff8400_00000000  direct map of all RAM, rw-, NX, 4 TiB
 *
 * The sixteen L4 entries are identical in every address space and never change after boot, so a new guest L4 gets
 * them by one copy, and nothing has to be synchronised later. What belongs to a vCPU (its GDT, LDT) is mapped
 * into a window of the physical CPU it runs on.
 */
#ifndef PARAVANE_LAYOUT_H
#define PARAVANE_LAYOUT_H

#define HV_L4_FIRST 256
#define HV_L4_LAST 271

#define HV_START          0xffff800000000000
#define HV_END            0xffff880000000000    /* first byte after */
#define M2P_RO_START      0xffff800000000000
#define M2P_RO_END        0xffff804000000000    /* ABI: 256 GiB window */
#define M2P_RW_START      0xffff808000000000
#define FRAME_TABLE_START 0xffff810000000000
#define IOREMAP_START     0xffff818000000000
#define IOREMAP_END       0xffff81c000000000
#define PERCPU_START      0xffff820000000000
#define IMAGE_START       0xffff828000000000
#define DIRECTMAP_START   0xffff840000000000

#endif
