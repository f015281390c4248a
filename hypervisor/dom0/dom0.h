/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dom0.h - build the first domain from boot modules
 */
#ifndef PARAVANE_DOM0_H
#define PARAVANE_DOM0_H

#include "types.h"

struct boot_module {
    maddr_t start;
    uint64_t size;
    const char *cmdline;        /* our own copy */
};

struct dom0_params {
    const char *dom0_mem;       /* "1024M", "min:..,max:..", NULL */
    unsigned max_vcpus;
    const struct boot_module *kernel, *initrd;      /* initrd may be NULL */
    const char *extra_cmdline;  /* from " -- " */
    uint64_t rsdp;              /* 0, or where the loader said the RSDP is (UEFI): appended as acpi_rsdp= */
    const void *video;          /* struct dom0_vga_console_info, or NULL */
    size_t video_size;
};

/* Build it, ready to be unpaused. On failure prints what and why and returns -errno. */
int dom0_build(const struct dom0_params *p);

#endif
