/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.h - a domain's configuration: xl.cfg text in, one struct out
 *
 * The text is xl's language, parsed by libxlutil (xl.cfg(5), xl-disk-configuration(5),
 * xl-network-configuration(5)). Parsing knows no hypercall and no XenStore: it works on any machine.
 * The text itself, with what was given on the command line appended, is the record of a domain: a
 * restart parses it again.
 *
 * Every key that is not acted upon is named in a warning; nothing is ignored in silence.
 */
#ifndef VANE_CONFIG_H
#define VANE_CONFIG_H

#include <stdint.h>

#include "../lib/vane.h"

#define VANE_MAX_VCPUS 64
#define VANE_MAX_CPUS 1024
#define VANE_NAME_MAX 200

enum vane_event { ON_POWEROFF, ON_REBOOT, ON_CRASH, ON_WATCHDOG, ON_SOFT_RESET, VANE_EVENTS };

enum vane_action {
    ACT_DESTROY, ACT_RESTART, ACT_RENAME_RESTART, ACT_PRESERVE, ACT_COREDUMP_DESTROY,
    ACT_COREDUMP_RESTART, ACT_SOFT_RESET, VANE_ACTIONS
};

struct vane_disk {
    char *target;           /* file or block device in Dom0; never empty */
    char *vdev;             /* "xvda" */
    char *script;           /* NULL: set up by us */
    const char *format;     /* "qcow2", "vhd", ...: served by qemu-nbd; NULL: raw */
    uint32_t number;        /* the frontend's device number, from vdev */
    bool writable, removable, direct_io_safe, discard, trusted;
};

struct vane_nic {
    uint8_t mac[6];
    bool has_mac;
    char *bridge, *ifname, *script, *ip, *gatewaydev;   /* each may be NULL */
    uint64_t rate_bytes;    /* per interval; 0: unlimited */
    uint32_t rate_usecs;
    int devid;              /* -1: the next free one */
    unsigned mtu;           /* 0: the bridge's */
    bool trusted;
};

struct vane_cpus {
    bool given;
    uint64_t map[VANE_MAX_CPUS / 64];
};

/*
 * What cpuid= changes in one leaf: 32 characters a register, bit 31 first. '0' and '1' force a bit, 'k'
 * takes the host's, 'x' leaves the default.
 */
#define VANE_NO_SUBLEAF 0xffffffffu

struct vane_cpuid {
    uint32_t leaf, subleaf;
    char reg[4][33];                    /* eax, ebx, ecx, edx */
};

struct vane_cpuids {
    struct vane_cpuid *list;
    unsigned n;
};

struct vane_config {
    char *text;             /* what this was parsed from */
    char *name;
    struct vane_uuid uuid;
    bool has_uuid;
    char *kernel, *ramdisk, *cmdline;
    char *pool;
    uint64_t mem_kb, max_kb;
    unsigned vcpus, max_vcpus;
    struct vane_cpus hard[VANE_MAX_VCPUS], soft[VANE_MAX_VCPUS];
    unsigned weight, cap;
    bool has_weight, has_cap;
    int max_grant_frames, max_maptrack_frames;          /* -1: the hypervisor's default */
    unsigned grant_version;                             /* 0: the newest the host has */
    unsigned max_event_port;
    unsigned tsc_mode;
    int32_t time_offset;
    bool localtime, nomigrate;
    struct vane_cpuids cpuid;
    enum vane_action on[VANE_EVENTS];
    struct vane_disk *disks;
    unsigned n_disks;
    struct vane_nic *nics;
    unsigned n_nics;
};

/*
 * Parse @text (@origin names it in messages). *@out is to be freed with vane_config_free(). Warnings
 * go to the log. -EINVAL with the line or key named; -EOPNOTSUPP for what this toolstack refuses.
 */
int vane_config_parse(struct vane *v, const char *origin, const char *text, size_t len,
                      struct vane_config **out) MUST_CHECK;
void vane_config_free(struct vane_config *c);
/* Another name for it. False: out of memory, and nothing is changed. */
bool vane_config_rename(struct vane_config *c, const char *name) MUST_CHECK;

/* One disk or one vif, as hot-plug takes them. */
int vane_config_parse_disk(struct vane *v, unsigned n, const char *const *specs,
                           struct vane_disk *out) MUST_CHECK;
int vane_config_parse_nic(struct vane *v, const char *spec, struct vane_nic *out) MUST_CHECK;
void vane_disk_free(struct vane_disk *d);
void vane_nic_free(struct vane_nic *n);

/* "0-3,^1" or "all" into a map. False when it is no CPU list. */
bool vane_cpus_parse(const char *s, struct vane_cpus *out);
bool vane_cpus_has(const struct vane_cpus *c, unsigned cpu);
/* xvda -> 51712 and so on; false when it is no disk name. */
bool vane_vdev_number(const char *vdev, uint32_t *number);
/* 51712 -> "xvda" */
void vane_vdev_name(uint32_t number, char *out, size_t len);

/* tsc_mode= by number, as the hypervisor has it. */
#define VANE_TSC_MODES 4
extern const char *const vane_tsc_modes[VANE_TSC_MODES];
const char *vane_action_name(enum vane_action a);
const char *vane_event_key(enum vane_event e);

/* What `list -l` prints and what libxl keeps about a domain: its JSON. malloc'ed. */
char *vane_config_json(const struct vane_config *c, const char *uuid);

/* config_from_json.c: that JSON as configuration text. malloc'ed, NULL if it is none. */
char *config_text_from_json(const char *json);

/*
 * host_conf.c: the host's defaults, in the language of xl.conf(5), for what the configuration leaves
 * open; its CPU mask limits what it does not. 0 when there is no such file.
 */
#define VANE_HOST_CONF "/etc/xen/xl.conf"
int vane_host_conf(struct vane *v, const char *path, struct vane_config *c) MUST_CHECK;
int vane_host_conf_nic(struct vane *v, const char *path, struct vane_nic *n) MUST_CHECK;

/* config_keys.c: name every key of @text that we do not act upon. */
int vane_config_check_keys(struct vane *v, const char *origin, const char *text, size_t len);

#endif
