/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io_port.h - per-domain state of the few ports that are emulated
 *
 * Written by the domain's vCPUs without a lock: each word is independent, and a guest that races with itself gets
 * one of the values it wrote. All zero at creation.
 */
#ifndef PARAVANE_IO_PORT_H
#define PARAVANE_IO_PORT_H

#include "types.h"

struct io_latches {
    _Atomic uint32_t pci_address;       /* 0xCF8 */
    _Atomic uint32_t cmos_index;        /* 0x70 */
    /* timer 2 of the PIT, for calibration loops: */
    _Atomic uint64_t pit_start_ns;      /* when its count was loaded; 0: gate off */
    _Atomic uint32_t pit_count;         /* reload value 1..65536 */
    _Atomic uint32_t pit_bytes;         /* bits 7:0 low byte written, 8: high byte is next, 9: read high next */
    _Atomic uint32_t pit_latched;       /* count latched by 0x43 | 1 << 16 */
    _Atomic uint32_t port61;            /* bits 0 gate, 1 speaker */
};

#endif
