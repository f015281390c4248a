/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * limits.h - every fixed limit, once
 */
#ifndef PARAVANE_LIMITS_H
#define PARAVANE_LIMITS_H

#define MAX_CPUS 64           /* physical CPUs used; a cpumask is one word */
#define MAX_VCPUS 128         /* per domain (ABI: vcpu_info beyond 31 must be registered) */
#define MAX_DOMID 0x7FF0      /* first reserved domid (ABI: DOMID_FIRST_RESERVED) */
#define MAX_PHYS_BITS 46      /* machine addresses accepted in page tables; fits the M2P window of 256 GiB / 8 */
#define MAX_MODULES 8
#define MAX_E820 128
#define MAX_IOAPICS 8
#define MAX_EVTCHNS 131072    /* FIFO ABI: 17 bits; the 2-level ABI reaches 4096 of them */
#define MAX_GSI 256
#define MAX_PIRQS 512         /* GSIs first, then MSI */
#define GUEST_CMDLINE 1024    /* ABI: MAX_GUEST_CMDLINE */
#define GRANT_FRAMES_DEFAULT 64
#define MAPTRACK_FRAMES_DEFAULT 1024
#define GDT_FRAMES 14         /* ABI: guest GDT frames; frame 14 is ours */
#define MAX_LDT_ENTRIES 8192

#define STACK_SIZE 32768UL    /* per CPU, aligned to its size; struct cpu_info sits at the top */

#endif
