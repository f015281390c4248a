/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * start_info.c - the page that tells Dom0's kernel what it was given (abi-map 1.6)
 */
#include <string.h>

#include "dom0/builder.h"
#include "lib/lib.h"
#include "print.h"

/* Module's text, " " + extra, " acpi_rsdp=0x..": in the 1024 bytes the ABI has. */
static void write_cmdline(char *dst, const struct dom0_params *p)
{
    size_t n = 0;
    bool fits = str_copy(dst, MAX_GUEST_CMDLINE, p->kernel->cmdline ? p->kernel->cmdline : "");

    n = strlen(dst);
    if (fits && p->extra_cmdline && *p->extra_cmdline)
        fits = (size_t)hv_snprintf(dst + n, MAX_GUEST_CMDLINE - n, "%s%s", n ? " " : "", p->extra_cmdline) <
               MAX_GUEST_CMDLINE - n;
    n = strlen(dst);
    /* The administrator's own acpi_rsdp= stands. */
    if (fits && p->rsdp && !strstr(dst, "acpi_rsdp="))
        fits = (size_t)hv_snprintf(dst + n, MAX_GUEST_CMDLINE - n, "%sacpi_rsdp=0x%lx", n ? " " : "", p->rsdp) <
               MAX_GUEST_CMDLINE - n;
    if (!fits)
        pr_warn("dom0: command line cut at %u bytes\n", MAX_GUEST_CMDLINE - 1);
}

void start_info_write(struct builder *b)
{
    const struct dom0_layout *l = &b->l;
    const struct dom0_params *p = b->params;
    uint8_t *page = memory_ptr(b, builder_pfn(b, l->v_start_info));
    struct start_info *si = (struct start_info *)(void *)page;

    str_copy(si->magic, sizeof(si->magic), "xen-3.0-x86_64p");
    si->nr_pages = l->nr_pages;
    si->shared_info = mfn_to_maddr(b->d->shared_info_mfn).n;
    si->flags = SIF_PRIVILEGED | SIF_INITDOMAIN;
    si->pt_base = l->v_tables;
    si->nr_pt_frames = l->nr_tables;
    si->mfn_list = l->v_p2m;
    if (l->nr_initrd) {
        si->flags |= l->v_initrd ? 0 : SIF_MOD_START_PFN;
        si->mod_start = l->v_initrd ? l->v_initrd : l->initrd_pfn;
        si->mod_len = p->initrd->size;
    }
    if (l->nr_p2m_tables) {
        si->first_p2m_pfn = l->p2m_pfn;
        si->nr_p2m_frames = l->nr_p2m + l->nr_p2m_tables;
    }
    if (p->video && p->video_size <= sizeof(dom0_vga_console_info_t)) {
        si->console.dom0.info_off = sizeof(*si);
        si->console.dom0.info_size = (uint32_t)p->video_size;
        memcpy(page + sizeof(*si), p->video, p->video_size);
    }
    write_cmdline((char *)si->cmd_line, p);
}
