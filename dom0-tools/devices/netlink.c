/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netlink.c - the Dom0 side of a vif: name, mtu, bridge, up
 *
 * One RTM_SETLINK a step, each acknowledged; nothing is read from the guest.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "device.h"

bool net_exists(const char *name)
{
    return if_nametoindex(name) != 0;
}

/* Send one request and wait for its acknowledgement: 0 or -errno. */
static int talk(struct nlmsghdr *h)
{
    char buf[8192];
    struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    ssize_t n;
    int rc = 0;

    if (!s)
        return -errno;
    h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    h->nlmsg_seq = (uint32_t)time(NULL);
    if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(s, h, h->nlmsg_len) < 0 ||
        (n = mnl_socket_recvfrom(s, buf, sizeof(buf))) < 0 ||
        mnl_cb_run(buf, (size_t)n, h->nlmsg_seq, mnl_socket_get_portid(s), NULL, NULL) < 0)
        rc = errno ? -errno : -EIO;
    mnl_socket_close(s);
    return rc;
}

static struct ifinfomsg *request(char *buf, unsigned index, struct nlmsghdr **h)
{
    struct ifinfomsg *i;

    *h = mnl_nlmsg_put_header(buf);
    (*h)->nlmsg_type = RTM_SETLINK;
    i = mnl_nlmsg_put_extra_header(*h, sizeof(*i));
    i->ifi_family = AF_UNSPEC;
    i->ifi_index = (int)index;
    return i;
}

int net_setup(struct vane *v, const char *old, const char *name, unsigned mtu, const char *bridge)
{
    char buf[512];
    unsigned index = if_nametoindex(old), master = bridge ? if_nametoindex(bridge) : 0;
    struct ifinfomsg *i;
    struct nlmsghdr *h;
    int rc;

    if (!index)
        return vane_fail(v, -ENODEV, "modprobe xen-netback", "there is no interface %s", old);
    if (bridge && !master)
        return vane_fail(v, -ENODEV, "ip link add NAME type bridge; ip link set NAME up",
                         "there is no bridge %s", bridge);
    request(buf, index, &h);
    if (strcmp(old, name) != 0)
        mnl_attr_put_strz(h, IFLA_IFNAME, name);
    if (mtu)
        mnl_attr_put_u32(h, IFLA_MTU, mtu);
    if (master)
        mnl_attr_put_u32(h, IFLA_MASTER, master);
    rc = talk(h);
    if (rc < 0)
        return vane_fail(v, rc, NULL, "cannot set %s up on bridge %s: %s", name,
                         bridge ? bridge : "(none)", strerror(-rc));
    i = request(buf, index, &h);
    i->ifi_flags = IFF_UP;
    i->ifi_change = IFF_UP;
    rc = talk(h);
    return rc < 0 ? vane_fail(v, rc, NULL, "cannot set %s up: %s", name, strerror(-rc)) : 0;
}
