/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sample.c - a domain as a toolstack writes it, through the schema's functions only
 *
 * One transaction, values as they stand once the guest has connected. What lint says about it must
 * be nothing.
 */
#include <stdio.h>

#include "store_host.h"

#define N(x) store_n(x)
#define PROTECT(io, id, ...) \
    store_xs_protect(io, id, (const struct store_arg[]){ __VA_ARGS__ }, \
                     sizeof((const struct store_arg[]){ __VA_ARGS__ }) / sizeof(struct store_arg), \
                     *domid, 0)

#define VBD 51712U

static int home(struct store_io *io, const uint32_t *domid, const char *uuid)
{
    uint32_t d = *domid;
    char name[32], vm[STORE_PATH_MAX];

    snprintf(name, sizeof(name), "guest%u", d);
    store_path_vm(vm, sizeof(vm), uuid);
    return store_put_dom(io, d) || PROTECT(io, STORE_DOM, N(d)) || store_put_vm(io, uuid) ||
           PROTECT(io, STORE_VM, store_s(uuid)) || store_put_vm_uuid(io, uuid, uuid) ||
           store_put_vm_name(io, uuid, name) || store_put_dom_vm(io, d, vm) ||
           store_put_dom_name(io, d, name) || store_put_dom_domid(io, d, d) ||
           store_put_dom_cpu(io, d) || store_put_dom_cpu_vcpu(io, d, 0) ||
           store_put_dom_cpu_availability(io, d, 0, STORE_AVAIL_ONLINE) ||
           store_put_dom_memory(io, d) || store_put_dom_memory_static_max(io, d, 163840) ||
           store_put_dom_memory_target(io, d, 131072) || store_put_dom_store(io, d) ||
           store_put_dom_store_port(io, d, 1) || store_put_dom_store_ring_ref(io, d, 123456);
}

static int control(struct store_io *io, const uint32_t *domid)
{
    uint32_t d = *domid;

    return store_put_dom_control(io, d) || store_clear_dom_control_shutdown(io, d) ||
           PROTECT(io, STORE_DOM_CONTROL_SHUTDOWN, N(d)) ||
           store_put_dom_control_feature_poweroff(io, d, true) ||
           PROTECT(io, STORE_DOM_CONTROL_FEATURE_POWEROFF, N(d)) ||
           store_put_dom_control_feature_reboot(io, d, true) ||
           PROTECT(io, STORE_DOM_CONTROL_FEATURE_REBOOT, N(d)) ||
           store_put_dom_control_feature_suspend(io, d, true) ||
           PROTECT(io, STORE_DOM_CONTROL_FEATURE_SUSPEND, N(d)) ||
           store_put_dom_control_platform_feature_multiprocessor_suspend(io, d, true) ||
           store_put_dom_control_platform_feature_xs_reset_watches(io, d, true) ||
           store_put_dom_device(io, d) || store_put_dom_device_suspend(io, d) ||
           store_clear_dom_device_suspend_event_channel(io, d) ||
           PROTECT(io, STORE_DOM_DEVICE_SUSPEND_EVENT_CHANNEL, N(d)) ||
           store_put_dom_data(io, d) || PROTECT(io, STORE_DOM_DATA, N(d)) ||
           store_put_dom_drivers(io, d) || PROTECT(io, STORE_DOM_DRIVERS, N(d)) ||
           store_put_dom_feature(io, d) || PROTECT(io, STORE_DOM_FEATURE, N(d)) ||
           store_put_dom_attr(io, d) || PROTECT(io, STORE_DOM_ATTR, N(d)) ||
           store_put_dom_error(io, d) || PROTECT(io, STORE_DOM_ERROR, N(d));
}

static int disk(struct store_io *io, const uint32_t *domid)
{
    uint32_t d = *domid;
    char fe[STORE_PATH_MAX], be[STORE_PATH_MAX];

    store_path_vbd_fe(fe, sizeof(fe), d, VBD);
    store_path_vbd_be(be, sizeof(be), 0, d, VBD);
    return store_put_libxl_device_vbd(io, d) || store_put_libxl_vbd(io, d, VBD) ||
           store_put_libxl_vbd_frontend(io, d, VBD, fe) ||
           store_put_libxl_vbd_backend(io, d, VBD, be) || store_put_vbds(io, d) ||
           store_put_vbd_fe(io, d, VBD) || PROTECT(io, STORE_VBD_FE, N(d), N(VBD)) ||
           store_put_vbd_fe_backend(io, d, VBD, be) || store_put_vbd_fe_backend_id(io, d, VBD, 0) ||
           store_put_vbd_fe_state(io, d, VBD, 4) ||
           store_put_vbd_fe_virtual_device(io, d, VBD, VBD) ||
           store_put_vbd_fe_device_type(io, d, VBD, STORE_VBDDEV_DISK) ||
           store_put_vbd_fe_ring_ref(io, d, VBD, 8) ||
           store_put_vbd_fe_event_channel(io, d, VBD, 8) || store_put_vbd_bes(io, 0) ||
           store_put_vbd_bes_domid(io, 0, d) ||
           store_put_vbd_be(io, 0, d, VBD) || PROTECT(io, STORE_VBD_BE, N(0), N(d), N(VBD)) ||
           store_put_vbd_be_frontend(io, 0, d, VBD, fe) ||
           store_put_vbd_be_frontend_id(io, 0, d, VBD, d) ||
           store_put_vbd_be_online(io, 0, d, VBD, true) || store_put_vbd_be_state(io, 0, d, VBD, 4) ||
           store_put_vbd_be_params(io, 0, d, VBD, "/dev/loop0") ||
           store_put_vbd_be_type(io, 0, d, VBD, STORE_VBDTYPE_PHY) ||
           store_put_vbd_be_mode(io, 0, d, VBD, STORE_VBDMODE_W) ||
           store_put_vbd_be_dev(io, 0, d, VBD, "xvda") ||
           store_put_vbd_be_device_type(io, 0, d, VBD, STORE_VBDDEV_DISK) ||
           store_put_vbd_be_physical_device(io, 0, d, VBD, "7:0") ||
           store_put_vbd_be_sectors(io, 0, d, VBD, 2097152) ||
           store_put_vbd_be_sector_size(io, 0, d, VBD, 512) ||
           store_put_vbd_be_info(io, 0, d, VBD, 0);
}

static int network(struct store_io *io, const uint32_t *domid)
{
    uint32_t d = *domid;
    char fe[STORE_PATH_MAX], be[STORE_PATH_MAX];

    store_path_vif_fe(fe, sizeof(fe), d, 0);
    store_path_vif_be(be, sizeof(be), 0, d, 0);
    return store_put_libxl_device_vif(io, d) || store_put_libxl_vif(io, d, 0) ||
           store_put_libxl_vif_frontend(io, d, 0, fe) ||
           store_put_libxl_vif_backend(io, d, 0, be) || store_put_vifs(io, d) ||
           store_put_vif_fe(io, d, 0) || PROTECT(io, STORE_VIF_FE, N(d), N(0)) ||
           store_put_vif_fe_backend(io, d, 0, be) || store_put_vif_fe_backend_id(io, d, 0, 0) ||
           store_put_vif_fe_state(io, d, 0, 4) || store_put_vif_fe_handle(io, d, 0, 0) ||
           store_put_vif_fe_mac(io, d, 0, "00:16:3e:00:00:01") || store_put_vif_bes(io, 0) ||
           store_put_vif_bes_domid(io, 0, d) ||
           store_put_vif_be(io, 0, d, 0) || PROTECT(io, STORE_VIF_BE, N(0), N(d), N(0)) ||
           store_put_vif_be_frontend(io, 0, d, 0, fe) ||
           store_put_vif_be_frontend_id(io, 0, d, 0, d) ||
           store_put_vif_be_online(io, 0, d, 0, true) || store_put_vif_be_state(io, 0, d, 0, 4) ||
           store_put_vif_be_handle(io, 0, d, 0, 0) ||
           store_put_vif_be_mac(io, 0, d, 0, "00:16:3e:00:00:01") ||
           store_put_vif_be_bridge(io, 0, d, 0, "xenbr0") ||
           store_put_vif_be_hotplug_status(io, 0, d, 0, STORE_HOTPLUG_CONNECTED);
}

static int console(struct store_io *io, const uint32_t *domid)
{
    uint32_t d = *domid;
    char be[STORE_PATH_MAX], fe[STORE_PATH_MAX];

    store_path_con(fe, sizeof(fe), d);
    store_path_con_be(be, sizeof(be), 0, d, 0);
    return store_put_con(io, d) || store_put_con_backend(io, d, be) ||
           store_put_con_backend_id(io, d, 0) || PROTECT(io, STORE_CON_BACKEND_ID, N(d)) ||
           store_put_con_limit(io, d, 1048576) ||
           store_put_con_type(io, d, STORE_CONTYPE_XENCONSOLED) ||
           store_put_con_output(io, d, "pty") || store_put_con_tty(io, d, "/dev/pts/1") ||
           store_put_con_port(io, d, 2) || store_put_con_ring_ref(io, d, 123457) ||
           store_put_con_bes(io, 0) || store_put_con_bes_domid(io, 0, d) ||
           store_put_con_be(io, 0, d, 0) ||
           PROTECT(io, STORE_CON_BE, N(0), N(d), N(0)) ||
           store_put_con_be_frontend(io, 0, d, 0, fe) ||
           store_put_con_be_frontend_id(io, 0, d, 0, d) ||
           store_put_con_be_online(io, 0, d, 0, true) || store_put_con_be_state(io, 0, d, 0, 1) ||
           store_put_con_be_protocol(io, 0, d, 0, STORE_CONPROTO_VT100);
}

static int whole(struct store_io *io, void *arg)
{
    const uint32_t *domid = arg;
    char uuid[40];

    snprintf(uuid, sizeof(uuid), "8f2c1d3e-0a1b-4c5d-9e8f-%012x", *domid);
    return home(io, domid, uuid) || control(io, domid) || store_put_libxl(io, *domid) ||
           PROTECT(io, STORE_LIBXL, N(*domid)) ||
           store_put_libxl_type(io, *domid, STORE_DOMTYPE_PV) ||
           store_put_libxl_device(io, *domid) || disk(io, domid) || network(io, domid) ||
           console(io, domid) ? -1 : 0;
}

int sample_domain(struct store_io *io, uint32_t domid)
{
    return store_xs_transaction(io, whole, &domid);
}
