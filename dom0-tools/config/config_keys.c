/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_keys.c - which keys a configuration uses, and what becomes of each
 *
 * libxlutil answers "what is the value of key K" but cannot say which keys there are, so the text is
 * scanned for them here: an identifier at the start of a statement, outside brackets, strings and
 * comments, followed by = or +=. The scanner only names keys; values are libxlutil's.
 *
 *   I1  it never reads past @len and always moves forward.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config.h"

enum fate {
    ACTED,              /* honoured */
    HVM,                /* means something for HVM guests only */
    IGNORED,            /* a PV key that we do not act upon */
    REFUSED,            /* would be unsafe or wrong to leave out */
};

static const struct { const char *key; enum fate fate; const char *why; } keys[] = {
    { "name", ACTED, NULL }, { "uuid", ACTED, NULL }, { "type", ACTED, NULL },
    { "builder", ACTED, NULL }, { "kernel", ACTED, NULL }, { "ramdisk", ACTED, NULL },
    { "cmdline", ACTED, NULL }, { "root", ACTED, NULL }, { "extra", ACTED, NULL },
    { "vcpus", ACTED, NULL }, { "maxvcpus", ACTED, NULL }, { "cpus", ACTED, NULL },
    { "cpus_soft", ACTED, NULL }, { "cpu_weight", ACTED, NULL }, { "cap", ACTED, NULL },
    { "pool", ACTED, NULL }, { "memory", ACTED, NULL }, { "maxmem", ACTED, NULL },
    { "max_grant_frames", ACTED, NULL }, { "max_maptrack_frames", ACTED, NULL },
    { "max_grant_version", ACTED, NULL }, { "max_event_channels", ACTED, NULL },
    { "tsc_mode", ACTED, NULL }, { "localtime", ACTED, NULL }, { "rtc_timeoffset", ACTED, NULL },
    { "nomigrate", ACTED, NULL }, { "on_poweroff", ACTED, NULL }, { "on_reboot", ACTED, NULL },
    { "on_crash", ACTED, NULL }, { "on_watchdog", ACTED, NULL },
    { "on_soft_reset", ACTED, NULL }, { "cpuid", ACTED, NULL }, { "disk", ACTED, NULL }, { "vif", ACTED, NULL },
    { "bootloader", ACTED, NULL }, { "firmware", ACTED, NULL },

    { "bootloader_args", IGNORED, "no boot loader reads guest disks in Dom0" },
    { "bootargs", IGNORED, "no boot loader reads guest disks in Dom0" },
    { "seclabel", IGNORED, "there are no security labels" },
    { "init_seclabel", IGNORED, "there are no security labels" },
    { "device_model_stubdomain_seclabel", IGNORED, "there are no security labels" },
    { "driver_domain", IGNORED, "back ends run in Dom0" },
    { "vnuma", IGNORED, "guests see one node" }, { "vpmu", IGNORED, "there is no virtual PMU" },
    { "e820_host", IGNORED, "there is no passthrough" },
    { "claim_mode", IGNORED, "memory is always claimed" },
    { "exclude_cpupool", IGNORED, NULL }, { "passthrough", IGNORED, "there is no passthrough" },
    { "channel", IGNORED, NULL }, { "vfb", IGNORED, NULL }, { "p9", IGNORED, NULL },
    { "pvcalls", IGNORED, NULL }, { "vtpm", IGNORED, NULL }, { "usbctrl", IGNORED, NULL },
    { "usbdev", IGNORED, NULL }, { "vkb", IGNORED, NULL }, { "vdispl", IGNORED, NULL },
    { "vsnd", IGNORED, NULL }, { "virtio", IGNORED, NULL },
    { "vuart", IGNORED, NULL }, { "gic_version", IGNORED, NULL },

    { "pci", REFUSED, "there is no device passthrough" },
    { "ioports", REFUSED, "there is no device passthrough" },
    { "iomem", REFUSED, "there is no device passthrough" },
    { "irqs", REFUSED, "there is no device passthrough" },
    { "dtdev", REFUSED, "there is no device passthrough" },

    { "boot", HVM, NULL }, { "hap", HVM, NULL }, { "pae", HVM, NULL }, { "acpi", HVM, NULL },
    { "apic", HVM, NULL }, { "nx", HVM, NULL }, { "hpet", HVM, NULL }, { "vpt_align", HVM, NULL },
    { "viridian", HVM, NULL }, { "nestedhvm", HVM, NULL }, { "altp2m", HVM, NULL },
    { "shadow_memory", HVM, NULL }, { "timer_mode", HVM, NULL }, { "bios", HVM, NULL },
    { "device_model_version", HVM, NULL }, { "device_model_override", HVM, NULL },
    { "device_model_args", HVM, NULL }, { "device_model_args_hvm", HVM, NULL },
    { "vga", HVM, NULL }, { "videoram", HVM, NULL }, { "vnc", HVM, NULL },
    { "vnclisten", HVM, NULL }, { "vncpasswd", HVM, NULL }, { "vncdisplay", HVM, NULL },
    { "vncunused", HVM, NULL }, { "sdl", HVM, NULL }, { "opengl", HVM, NULL },
    { "keymap", HVM, NULL }, { "stdvga", HVM, NULL }, { "nographic", HVM, NULL },
    { "spice", HVM, NULL }, { "gfx_passthru", HVM, NULL }, { "serial", HVM, NULL },
    { "usb", HVM, NULL }, { "usbdevice", HVM, NULL }, { "soundhw", HVM, NULL },
    { "xen_platform_pci", HVM, NULL }, { "mmio_hole", HVM, NULL }, { "rdm", HVM, NULL },
    { "smbios_firmware", HVM, NULL }, { "acpi_firmware", HVM, NULL }, { "monitor", HVM, NULL },
    { "pvh", HVM, NULL }, { "pvshim", HVM, NULL }, { "hdtype", HVM, NULL }, { "cdrom", HVM, NULL },
};

static int judge_key(struct vane *v, const char *origin, const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const char *why = keys[i].why ? keys[i].why : "not supported here";

        if (strcmp(keys[i].key, key) != 0)
            continue;
        if (keys[i].fate == REFUSED)
            return vane_fail(v, -EOPNOTSUPP, "remove the key", "%s: %s: %s", origin, key, why);
        if (keys[i].fate == HVM)
            vane_log(v, VANE_WARN, "%s: %s is for HVM guests and has no effect", origin, key);
        else if (keys[i].fate == IGNORED)
            vane_log(v, VANE_WARN, "%s: %s is not acted upon (%s)", origin, key, why);
        return 0;
    }
    vane_log(v, VANE_WARN, "%s: unknown key %s is not acted upon", origin, key);
    return 0;
}

/* Past the string that starts at @p. */
static const char *skip_string(const char *p, const char *end)
{
    char quote = *p++;

    while (p < end && *p != quote && *p != '\n') {
        if (*p == '\\' && p + 1 < end)
            p++;
        p++;
    }
    return p < end ? p + 1 : end;
}

int vane_config_check_keys(struct vane *v, const char *origin, const char *text, size_t len)
{
    const char *p = text, *end = text + len;
    unsigned depth = 0;
    bool start = true;                  /* at the start of a statement */

    while (p < end) {
        if (*p == '#') {
            while (p < end && *p != '\n')
                p++;
        } else if (*p == '"' || *p == '\'') {
            p = skip_string(p, end);
            start = false;
        } else if (start && depth == 0 && (isalpha((unsigned char)*p) || *p == '_')) {
            char key[64];
            size_t n = 0;

            for (; p < end && (isalnum((unsigned char)*p) || *p == '_'); p++) {
                if (n + 1 < sizeof(key))
                    key[n++] = *p;
            }
            key[n] = '\0';
            while (p < end && (*p == ' ' || *p == '\t'))
                p++;
            if (p < end && (*p == '=' || *p == '+')) {
                int rc = judge_key(v, origin, key);

                if (rc < 0)
                    return rc;
            }
            start = false;
        } else {
            if (*p == '[')
                depth++;
            else if (*p == ']' && depth)
                depth--;
            start = *p == '\n' || *p == ';' || (start && isspace((unsigned char)*p));
            p++;
        }
    }
    return 0;
}
