/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netlink.c - the Dom0 side of a vif: name, mtu, bridge, up; what its bridge knows
 *
 * One RTM_SETLINK a step, each acknowledged; nothing is read from the guest.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>

#include "device.h"

bool net_exists(const char *name)
{
    return if_nametoindex(name) != 0;
}

/* Send one request and have @each see the answers, to the last one or the acknowledgement: 0 or -errno. */
static int ask(int bus, struct nlmsghdr *h, mnl_cb_t each, void *arg)
{
    char buf[8192];
    struct mnl_socket *s = mnl_socket_open2(bus, SOCK_CLOEXEC);
    ssize_t n;
    int rc = MNL_CB_OK;

    if (!s)
        return -errno;
    h->nlmsg_seq = (uint32_t)time(NULL);
    if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(s, h, h->nlmsg_len) < 0)
        rc = MNL_CB_ERROR;
    while (rc > MNL_CB_STOP) {
        n = mnl_socket_recvfrom(s, buf, sizeof(buf));
        rc = n < 0 ? MNL_CB_ERROR : mnl_cb_run(buf, (size_t)n, h->nlmsg_seq, mnl_socket_get_portid(s), each, arg);
    }
    if (rc == MNL_CB_ERROR)
        rc = errno ? -errno : -EIO;
    mnl_socket_close(s);
    return rc;
}

static int talk(struct nlmsghdr *h, unsigned flags)
{
    h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    return ask(NETLINK_ROUTE, h, NULL, NULL);
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
    rc = talk(h, 0);
    if (rc < 0)
        return vane_fail(v, rc, NULL, "cannot set %s up on bridge %s: %s", name,
                         bridge ? bridge : "(none)", strerror(-rc));
    i = request(buf, index, &h);
    i->ifi_flags = IFF_UP;
    i->ifi_change = IFF_UP;
    rc = talk(h, 0);
    return rc < 0 ? vane_fail(v, rc, NULL, "cannot set %s up: %s", name, strerror(-rc)) : 0;
}

int net_port_has(const char *port, const uint8_t mac[6])
{
    char buf[256];
    struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
    struct ndmsg *n = mnl_nlmsg_put_extra_header(h, sizeof(*n));

    h->nlmsg_type = RTM_NEWNEIGH;
    n->ndm_family = PF_BRIDGE;
    n->ndm_ifindex = (int)if_nametoindex(port);
    n->ndm_state = NUD_REACHABLE;
    n->ndm_flags = NTF_MASTER;
    mnl_attr_put(h, NDA_LLADDR, 6, mac);
    return talk(h, NLM_F_CREATE | NLM_F_REPLACE);
}

static int count_one(const struct nlmsghdr *h, void *arg)
{
    (void)h;
    ++*(unsigned *)arg;
    return MNL_CB_OK;
}

bool net_bridged_is_filtered(void)
{
    char buf[256];
    struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
    struct nfgenmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
    unsigned tables = 0;

    if (access("/sys/module/br_netfilter", F_OK) == 0 || access("/sys/module/ebtables", F_OK) == 0)
        return true;
    if (access("/sys/module/nf_tables", F_OK) < 0)      /* asking would load it */
        return false;
    h->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE;
    h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    m->nfgen_family = NFPROTO_BRIDGE;
    m->version = NFNETLINK_V0;
    return ask(NETLINK_NETFILTER, h, count_one, &tables) < 0 || tables > 0;
}
