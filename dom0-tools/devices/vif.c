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

#include <xenstore.h>

#include "../lib/paths.h"
#include "device.h"

#define DEFAULT_BRIDGE "xenbr0"     /* as in xl.conf(5) */
#define DEFAULT_MTU 1500u
#define SCRIPTS "/etc/xen/scripts/"

/* 00:16:3e is Xen's prefix; the rest follows from the domain, so a restart keeps its address. */
static void mac_of(const struct vane_nic *n, const struct vane_uuid *uuid, uint8_t mac[6])
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

static void vif_name(char out[32], uint32_t domid, const struct vane_nic *n)
{
    snprintf(out, 32, "vif%u.%d", domid, n->devid);
}

static const char *bridge_of(const struct vane_nic *n)
{
    return n->bridge && *n->bridge ? n->bridge : DEFAULT_BRIDGE;
}

static void put_backend(struct nodes *b, const struct vane_nic *n, uint32_t domid, const char *mac)
{
    nodes_put(b, "frontend", PATH_FRONTEND, domid, "vif", (uint32_t)n->devid);
    nodes_put(b, "frontend-id", "%u", domid);
    nodes_put(b, "online", "1");
    nodes_put(b, "state", "1");
    if (n->ifname)
        nodes_put(b, "vifname", "%s", n->ifname);
    nodes_put(b, "mac", "%s", mac);
    if (n->ip)
        nodes_put(b, "ip", "%s", n->ip);
    if (n->gatewaydev)
        nodes_put(b, "gatewaydev", "%s", n->gatewaydev);
    if (n->rate_bytes)
        nodes_put(b, "rate", "%llu,%u", (unsigned long long)n->rate_bytes, n->rate_usecs);
    nodes_put(b, "bridge", "%s", bridge_of(n));
    nodes_put(b, "handle", "%d", n->devid);
    nodes_put(b, "type", "vif");
}

/* A name that another vif already has would take that guest's network away. */
static int check_ifname(struct vane *v, const struct vane_nic *n)
{
    if (n->ifname && net_exists(n->ifname))
        return vane_fail(v, -EEXIST, "choose another vifname", "vif: an interface %s exists already",
                         n->ifname);
    return 0;
}

/* The one key of the front end that the guest may read but not write. */
static void put_mtu(struct nodes *w, const struct vane_nic *n)
{
    char path[64], mtu[16];

    snprintf(path, sizeof(path), PATH_FRONTEND "/mtu", w->domid, "vif", (uint32_t)n->devid);
    snprintf(mtu, sizeof(mtu), "%u", n->mtu ? n->mtu : DEFAULT_MTU);
    if (w->rc >= 0)
        w->rc = store_put(w->v, w->t, STORE_GUEST_READS, w->domid, path, mtu);
}

int vif_store(struct vane *v, xs_transaction_t t, uint32_t domid, const struct vane_nic *n,
              const struct vane_uuid *uuid)
{
    struct nodes w = { .v = v, .t = t, .domid = domid };
    struct dev self = { domid, "vif", (uint32_t)n->devid };
    uint8_t m[6];
    char mac[18];
    int rc = check_ifname(v, n);

    if (rc < 0)
        return rc;
    if (!n->script && !net_exists(bridge_of(n)))
        return vane_fail(v, -ENODEV, "ip link add NAME type bridge; ip link set NAME up",
                         "vif: there is no bridge %s", bridge_of(n));
    if (dev_exists(v, t, &self))
        return vane_fail(v, -EEXIST, NULL, "domain %u already has a vif %d", domid, n->devid);
    mac_of(n, uuid, m);
    snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);

    nodes_dir(&w, STORE_DOM0, PATH_LIBXL_DEV, domid, "vif", self.number);
    nodes_put(&w, "backend", PATH_BACKEND, 0u, "vif", domid, self.number);
    put_backend(&w, n, domid, mac);
    if (n->script)
        nodes_put(&w, "script", "%s%s", n->script[0] == '/' ? "" : SCRIPTS, n->script);

    nodes_dir(&w, STORE_GUEST_OWNS, PATH_FRONTEND, domid, "vif", self.number);
    nodes_put(&w, "backend", PATH_BACKEND, 0u, "vif", domid, self.number);
    nodes_put(&w, "backend-id", "0");
    nodes_put(&w, "state", "1");
    nodes_put(&w, "handle", "%d", n->devid);
    nodes_put(&w, "mac", "%s", mac);
    nodes_put(&w, "trusted", "%d", n->trusted);
    put_mtu(&w, n);

    nodes_dir(&w, STORE_GUEST_READS, PATH_BACKEND, 0u, "vif", domid, self.number);
    put_backend(&w, n, domid, mac);
    /* netback's probe insists on the node; the script is run only when /libxl has it too */
    nodes_put(&w, "script", "%s%s", n->script && n->script[0] == '/' ? "" : SCRIPTS,
              n->script ? n->script : "vif-bridge");
    nodes_put(&w, "hotplug-status", "%s", "");
    return w.rc;
}

/* netback says InitWait just before it makes the interface. */
static int wait_interface(struct vane *v, const char *name)
{
    int64_t deadline = vane_now_ms() + DEV_INIT_MS;

    while (!net_exists(name)) {
        if (vane_now_ms() > deadline)
            return vane_fail(v, -ETIMEDOUT, "dmesg in Dom0 says why", "netback did not make %s", name);
        usleep(1000);
    }
    return 0;
}

int vif_finish(struct vane *v, uint32_t domid, const struct vane_nic *n)
{
    static const char *const args[] = { "online", "type_if=vif", NULL };
    struct dev d = { domid, "vif", (uint32_t)n->devid };
    char name[32], path[256];
    int rc = dev_wait_backend(v, &d);

    if (rc < 0)
        return rc;
    vif_name(name, domid, n);
    rc = wait_interface(v, name);
    if (rc < 0)
        return rc;
    if (n->script)
        return hotplug_run(v, &d, n->script, name, args);
    rc = net_setup(v, name, n->ifname ? n->ifname : name, n->mtu, bridge_of(n));
    if (rc < 0)
        return rc;
    snprintf(path, sizeof(path), PATH_BACKEND "/hotplug-status", 0u, "vif", domid, d.number);
    return store_write(v, XBT_NULL, path, "connected");                                     /* I1 */
}
