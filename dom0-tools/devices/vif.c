/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vif.c - network interfaces: the nodes of netback, and the Dom0 side on a bridge
 *
 *   I1  the back end connects only after hotplug-status says so, and that is written after the
 *       interface has its name and its bridge.
 *
 * ABI: netif.h; rate is "bytes,microseconds".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xen/io/xenbus.h>

#include "device.h"

#define DEFAULT_BRIDGE "xenbr0"     /* as in xl.conf(5) */
#define SCRIPTS "/etc/xen/scripts/"

/* 00:16:3e is Xen's prefix; the rest follows from the domain, so a restart keeps its address. */
void vif_mac(const struct vane_nic *n, const struct vane_uuid *uuid, uint8_t mac[6])
{
    uint32_t h = 2166136261u;

    if (n->has_mac) {
        memcpy(mac, n->mac, 6);
        return;
    }
    for (unsigned i = 0; i < sizeof(uuid->b); i++)
        h = (h ^ uuid->b[i]) * 16777619u;
    h = (h ^ (uint32_t)n->devid) * 16777619u;
    mac[0] = 0x00;
    mac[1] = 0x16;
    mac[2] = 0x3e;
    mac[3] = (uint8_t)(h >> 16 & 0x7f);
    mac[4] = (uint8_t)(h >> 8);
    mac[5] = (uint8_t)h;
}

/* The name that netback gives it. */
static void first_name(char out[32], uint32_t domid, const struct vane_nic *n)
{
    snprintf(out, 32, "vif%u.%d", domid, n->devid);
}

void vif_name(char out[32], uint32_t domid, const struct vane_nic *n)
{
    if (n->ifname)
        snprintf(out, 32, "%s", n->ifname);
    else
        first_name(out, domid, n);
}

static const char *bridge_of(const struct vane_nic *n)
{
    return n->bridge && *n->bridge ? n->bridge : DEFAULT_BRIDGE;
}

/* A name that another vif already has would take that guest's network away. */
static int check_ifname(struct vane *v, const struct vane_nic *n)
{
    if (n->ifname && net_exists(n->ifname))
        return vane_fail(v, -EEXIST, "choose another vifname", "vif: an interface %s exists already",
                         n->ifname);
    return 0;
}

static void script_path(char *out, size_t size, const struct vane_nic *n)
{
    const char *script = n->script ? n->script : "vif-bridge";

    snprintf(out, size, "%s%s", script[0] == '/' ? "" : SCRIPTS, script);
}

static bool format_rate(char *out, size_t size, const struct vane_nic *n)
{
    snprintf(out, size, "%llu,%u", (unsigned long long)n->rate_bytes, n->rate_usecs);
    return n->rate_bytes != 0;
}

/* What names the card, once for each of its directories. */
struct card {
    uint32_t domid, devid;
    char fe[STORE_PATH_MAX], be[STORE_PATH_MAX], mac[18];
};

/* Toolstack truth: what network-list and network-detach go by, in vane and in xl. */
static void put_truth(struct store_io *io, const struct card *c, const struct vane_nic *n)
{
    char text[1024];

    store_put_libxl_vif_frontend(io, c->domid, c->devid, c->fe);
    store_put_libxl_vif_backend(io, c->domid, c->devid, c->be);
    store_put_libxl_vif_mac(io, c->domid, c->devid, c->mac);
    store_put_libxl_vif_bridge(io, c->domid, c->devid, bridge_of(n));
    if (n->ifname)
        store_put_libxl_vif_vifname(io, c->domid, c->devid, n->ifname);
    if (n->ip)
        store_put_libxl_vif_ip(io, c->domid, c->devid, n->ip);
    if (n->gatewaydev)
        store_put_libxl_vif_gatewaydev(io, c->domid, c->devid, n->gatewaydev);
    if (format_rate(text, sizeof(text), n))
        store_put_libxl_vif_rate(io, c->domid, c->devid, text);
    if (n->mtu)
        store_put_libxl_vif_mtu(io, c->domid, c->devid, n->mtu);
    if (n->script) {
        script_path(text, sizeof(text), n);
        store_put_libxl_vif_script(io, c->domid, c->devid, text);
    }
}

/* For netfront: trusted is 1 where absent; mtu is the one key it may read but not write. */
static void put_front(struct store_io *io, const struct card *c, const struct vane_nic *n)
{
    store_put_vif_fe(io, c->domid, c->devid);
    STORE_PROTECT(io, VIF_FE, c->domid, store_n(c->domid), store_n(c->devid));
    store_put_vif_fe_backend(io, c->domid, c->devid, c->be);
    store_put_vif_fe_backend_id(io, c->domid, c->devid, 0);
    store_put_vif_fe_state(io, c->domid, c->devid, XenbusStateInitialising);
    store_put_vif_fe_handle(io, c->domid, c->devid, c->devid);
    store_put_vif_fe_mac(io, c->domid, c->devid, c->mac);
    if (!n->trusted)
        store_put_vif_fe_trusted(io, c->domid, c->devid, false);
    if (n->mtu) {
        store_put_vif_fe_mtu(io, c->domid, c->devid, n->mtu);
        STORE_PROTECT(io, VIF_FE_MTU, c->domid, store_n(c->domid), store_n(c->devid));
    }
}

/* For netback, and for the hotplug scripts, which xl runs for our cards too. */
static void put_back(struct store_io *io, const struct card *c, const struct vane_nic *n)
{
    char text[1024];

    store_put_vif_be(io, 0, c->domid, c->devid);
    STORE_PROTECT(io, VIF_BE, c->domid, store_n(0), store_n(c->domid), store_n(c->devid));
    store_put_vif_be_frontend(io, 0, c->domid, c->devid, c->fe);
    store_put_vif_be_frontend_id(io, 0, c->domid, c->devid, c->domid);
    store_put_vif_be_online(io, 0, c->domid, c->devid, true);
    store_put_vif_be_state(io, 0, c->domid, c->devid, XenbusStateInitialising);
    store_put_vif_be_handle(io, 0, c->domid, c->devid, c->devid);
    store_put_vif_be_mac(io, 0, c->domid, c->devid, c->mac);
    store_put_vif_be_bridge(io, 0, c->domid, c->devid, bridge_of(n));
    store_put_vif_be_type(io, 0, c->domid, c->devid, STORE_VIFTYPE_VIF);
    /* netback's probe insists on the node; we run the script only when /libxl has it too */
    script_path(text, sizeof(text), n);
    store_put_vif_be_script(io, 0, c->domid, c->devid, text);
    if (n->ifname)
        store_put_vif_be_vifname(io, 0, c->domid, c->devid, n->ifname);
    if (n->ip)
        store_put_vif_be_ip(io, 0, c->domid, c->devid, n->ip);
    if (n->gatewaydev)
        store_put_vif_be_gatewaydev(io, 0, c->domid, c->devid, n->gatewaydev);
    if (format_rate(text, sizeof(text), n))
        store_put_vif_be_rate(io, 0, c->domid, c->devid, text);
}

int vif_store(struct vane *v, struct store_io *io, uint32_t domid, const struct vane_nic *n,
              const struct vane_uuid *uuid)
{
    struct card c = { .domid = domid, .devid = (uint32_t)n->devid };
    uint8_t m[6];
    int rc = check_ifname(v, n);

    if (rc < 0)
        return rc;
    if (!n->script && !net_exists(bridge_of(n)))
        return vane_fail(v, -ENODEV, "ip link add NAME type bridge; ip link set NAME up",
                         "vif: there is no bridge %s", bridge_of(n));
    vif_mac(n, uuid, m);
    snprintf(c.mac, sizeof(c.mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
    store_path_vif_fe(c.fe, sizeof(c.fe), domid, c.devid);
    store_path_vif_be(c.be, sizeof(c.be), 0, domid, c.devid);
    put_truth(io, &c, n);
    put_front(io, &c, n);
    put_back(io, &c, n);
    return 0;
}

/* netback says InitWait just before it makes the interface. */
static bool has_interface(const struct dev *d, const char *name)
{
    (void)d;
    return net_exists(name);
}

int vif_finish(struct vane *v, uint32_t domid, const struct vane_nic *n)
{
    static const char *const args[] = { "online", "type_if=vif", NULL };
    struct dev d = { domid, "vif", (uint32_t)n->devid };
    struct store_io *io = vane_store(v);
    char name[32];
    int rc;

    first_name(name, domid, n);
    rc = dev_wait_kernel(v, &d, has_interface, name, "make its interface");
    if (rc < 0)
        return rc;
    if (n->script) {
        rc = dev_wait_backend(v, &d);
        return rc < 0 ? rc : hotplug_run(v, &d, n->script, name, args);
    }
    rc = net_setup(v, name, n->ifname ? n->ifname : name, n->mtu, bridge_of(n));
    if (rc < 0)
        return rc;
    store_put_vif_be_hotplug_status(io, 0, domid, d.number, STORE_HOTPLUG_CONNECTED);         /* I1 */
    return store_result(v, io);
}
