/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vif_move.c - a network card that changes hosts
 *
 * While its guest stands still, and until its front end has connected at the target, what comes for it is lost, and the
 * senders find out by time-outs, which are longer than the rest of the move (a second for a TCP connection that begins). So
 * a packet socket on the bridge keeps these frames: the source's, until the network has been told to look elsewhere, and it
 * sends them after the guest; the target's, until the bridge has the vif as a port, then all go out through it. The socket's
 * receive buffer is the store: bounded, and gone with the process.
 *
 *   I1  the card is given only what the bridge would have given it: nothing is kept where more than addresses decides,
 *       which is with VLAN filtering or a firewall for bridged frames. The announcement is sent all the same.
 *
 * ABI: packet(7); headers of virtio_net.h carry what offloads have left to do from one socket to the other.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "device.h"

#define KEEP_BYTES (1 << 20)            /* with the kernel's overhead some 700 full frames */
#define SILENT_MS 200
#define RARP_REQUEST 3
#define PORT_FORWARDS '3'               /* BR_STATE_FORWARDING */

/* First character of a file of the interface, 0 if there is none. */
static char net_attribute(const char *interface, const char *file)
{
    char path[128], c = 0;
    int fd;

    snprintf(path, sizeof(path), "/sys/class/net/%s/%s", interface, file);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, &c, 1) != 1)
        c = 0;
    if (fd >= 0)
        close(fd);
    return c;
}

/* The bridge that the interface is a port of. */
static unsigned bridge_index(const char *port, char name[IFNAMSIZ])
{
    char path[128], to[512];
    const char *last;
    ssize_t n;

    snprintf(path, sizeof(path), "/sys/class/net/%s/brport/bridge", port);
    n = readlink(path, to, sizeof(to) - 1);
    to[n > 0 ? n : 0] = '\0';
    last = strrchr(to, '/');
    snprintf(name, IFNAMSIZ, "%.*s", IFNAMSIZ - 1, last ? last + 1 : to);
    return *name ? if_nametoindex(name) : 0;
}

/* Frames to the card itself, and those by which others look for it: ARP, IPv6's neighbour discovery. No tagged ones (I1). */
static bool keep_only(int fd, const uint8_t mac[6])
{
    uint32_t high = (uint32_t)mac[0] << 24 | (uint32_t)mac[1] << 16 | (uint32_t)mac[2] << 8 | mac[3];
    uint32_t low = (uint32_t)mac[4] << 8 | mac[5];
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 10),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),                          /* destination */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, 2),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, low, 5, 6),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xffffffffu, 0, 2),         /* broadcast */
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),                         /* type */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 2, 3),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xffffff00u),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x3333ff00u, 0, 1),         /* solicited-node multicast */
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

/* What comes from now on the bridge delivers itself: what is there is all there is. */
static bool keep_no_more(int fd)
{
    struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = { 1, &none };

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

static int packet_socket(unsigned index, int protocol)
{
    struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)protocol), .sll_ifindex = (int)index };
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

    if (fd >= 0 && (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0 ||
                    bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Have the bridge hand up frames that are not for this host. The filter comes first. */
static bool listen_for(int fd, unsigned index, const uint8_t mac[6])
{
    struct packet_mreq all = { .mr_ifindex = (int)index, .mr_type = PACKET_MR_PROMISC };
    struct sockaddr_ll from = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)index };
    int size = KEEP_BYTES;

    return keep_only(fd, mac) && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) == 0 &&
           setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) == 0 &&
           bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0;
}

bool vif_hold(uint32_t domid, const struct vane_nic *n, const struct vane_uuid *uuid, struct vif_hold *h)
{
    char bridge[IFNAMSIZ];

    *h = (struct vif_hold){ .bridge = -1, .card = -1 };
    vif_mac(n, uuid, h->mac);
    vif_name(h->name, domid, n);
    h->index = bridge_index(h->name, bridge);
    if (h->index)
        h->bridge = packet_socket(h->index, 0);
    if (h->bridge >= 0)
        h->card = packet_socket(if_nametoindex(h->name), 0);
    if (h->card < 0) {
        vif_hold_end(h);
        return false;
    }
    h->may_keep = net_attribute(bridge, "bridge/vlan_filtering") == '0' && !net_bridged_is_filtered();      /* I1 */
    return true;
}

void vif_keep(struct vif_hold *h)
{
    h->keeps = h->may_keep && listen_for(h->bridge, h->index, h->mac);
}

void vif_announce(const struct vif_hold *h)
{
    struct {
        struct virtio_net_hdr offload;
        struct ether_header eth;
        struct ether_arp arp;
        uint8_t pad[ETH_ZLEN - sizeof(struct ether_header) - sizeof(struct ether_arp)];
    } __attribute__((packed)) f = {
        .eth = { .ether_type = htons(ETH_P_RARP) },
        .arp.ea_hdr = { htons(ARPHRD_ETHER), htons(ETH_P_IP), ETH_ALEN, 4, htons(RARP_REQUEST) },
    };

    memset(f.eth.ether_dhost, 0xff, ETH_ALEN);
    memcpy(f.eth.ether_shost, h->mac, ETH_ALEN);
    memcpy(f.arp.arp_sha, h->mac, ETH_ALEN);
    memcpy(f.arp.arp_tha, h->mac, ETH_ALEN);
    (void)!send(h->bridge, &f, sizeof(f), 0);           /* as good as the guest's own, which follows */
}

/*
 * The back end is connected before the guest's kernel sends through its own: answers would be lost. So its first frame is
 * waited for, a moment; it also tells the bridge, which has seen the address elsewhere, where the guest is now. For one that
 * says nothing we tell it.
 */
bool vif_is_awake(struct vif_hold *h)
{
    if (net_attribute(h->name, "brport/state") != PORT_FORWARDS)
        return false;
    if (h->connected == 0)
        h->connected = vane_now_ms();
    if (net_attribute(h->name, "statistics/rx_packets") != '0')
        return true;
    if (vane_now_ms() - h->connected <= SILENT_MS)
        return false;
    vif_is_here(h);
    return true;
}

void vif_is_here(const struct vif_hold *h)
{
    (void)!net_port_has(h->name, h->mac);
}

/* The next frame that was kept, in a buffer of this thread's, with what is left to do for it in front; 0: that was all. */
static size_t next_kept(struct vif_hold *h, const uint8_t **out)
{
    static __thread uint8_t frame[sizeof(struct virtio_net_hdr) + ETH_HLEN + 65536];
    ssize_t n = 0;

    *out = frame;
    while (h->keeps && (n = recv(h->bridge, frame, sizeof(frame), MSG_TRUNC)) > (ssize_t)sizeof(frame))
        ;
    return n > 0 ? (size_t)n : 0;
}

void vif_deliver(struct vif_hold *h)
{
    const uint8_t *frame;
    size_t n;

    h->keeps = h->keeps && keep_no_more(h->bridge);
    while ((n = next_kept(h, &frame)) > 0)
        vif_give(h, frame, n);
}

void vif_give(struct vif_hold *h, const uint8_t *frame, size_t n)
{
    (void)!send(h->card, frame, n, 0);                  /* what a full queue drops, it drops */
}

size_t vif_kept(struct vif_hold *h, uint8_t *to, size_t room)
{
    const uint8_t *frame;
    size_t n, used = 0;

    h->keeps = h->keeps && keep_no_more(h->bridge);
    while ((n = next_kept(h, &frame)) > 0) {
        struct vif_frame f = { .length = htole16((uint16_t)n) };

        if (n > UINT16_MAX || n > room - used || sizeof(f) > room - used - n)
            continue;
        memcpy(f.mac, h->mac, sizeof(f.mac));
        memcpy(to + used, &f, sizeof(f));
        memcpy(to + used + sizeof(f), frame, n);
        used += sizeof(f) + n;
    }
    return used;
}

void vif_hold_end(struct vif_hold *h)
{
    if (h->bridge >= 0)
        close(h->bridge);
    if (h->card >= 0)
        close(h->card);
    h->bridge = h->card = -1;
}
