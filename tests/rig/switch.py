# SPDX-License-Identifier: GPL-2.0-or-later
"""The networks between the machines of one test, and from there to this host.

A Switch is etherswitch.c, which learns where addresses are, and on one of its ports a QEMU without a machine that has
nothing but QEMU's user network. So hosts and guests share one Ethernet, 10.0.2.0/24, on which this host is 10.0.2.2 (the
third party); ports of this host lead in through forward(). No root, no bridge, no tap.

The user network takes every packet it sees for its own, whoever it is addressed to. Therefore hosts
talk to each other over a cable() of their own, which is also faster.
"""
import os
import socket
import subprocess

import qemu

GATEWAY = "10.0.2.2"
OUTSIDE = "outside"


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Switch(qemu.Machine):
    def __init__(self, ports, log=None):
        super().__init__("none", name="switch", log=log)
        self.ports = [*ports, OUTSIDE]
        self.forwards = []
        self.ether = None

    def start(self):
        self.ether = subprocess.Popen([os.path.join(qemu.BUILD, "rig/etherswitch"), self.dir, *self.ports],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, preexec_fn=qemu.die_with_parent)
        if not self.ether.stdout.readline():
            raise qemu.Trouble("the switch between the hosts does not start")
        return super().start()

    def stop(self):
        if self.ether:
            self.ether.kill()
            self.ether.wait()
            self.ether.stdout.close()
        super().stop()

    def forward(self, address, port, kind="tcp"):
        """A port of this host that leads to @address:@port; to be asked for before start()."""
        here = free_port(socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
        self.forwards.append(f"hostfwd={kind}:127.0.0.1:{here}-{address}:{port}")
        return here

    def path(self, port, end):
        return os.path.join(self.dir, f"{port}.{end}")

    def nic(self, port, mac):
        """The card at the other end of @port's cable."""
        return qemu.Nic("virtio-net-pci", f"dgram,local.type=unix,local.path={self.path(port, 'host')},"
                        f"remote.type=unix,remote.path={self.path(port, 'switch')}", mac)

    def arguments(self):
        return ["qemu-system-x86_64", "-M", "none", "-nodefaults", "-display", "none",
                "-qmp", f"unix:{self.dir}/qmp,server=on,wait=off",
                "-netdev", ",".join(["user,id=outside"] + self.forwards),
                "-netdev", "hubport,hubid=0,id=hub-outside,netdev=outside",
                "-netdev", f"dgram,id=cable,local.type=unix,local.path={self.path(OUTSIDE, 'host')},"
                f"remote.type=unix,remote.path={self.path(OUTSIDE, 'switch')}",
                "-netdev", "hubport,hubid=0,id=hub-cable,netdev=cable"]


def cable(folder, ends, macs):
    """Cards for the two ends of a cable between two machines. Machine.plug() pulls it out."""
    paths = [os.path.join(folder, f"cable-{end}") for end in ends]
    return [qemu.Nic("virtio-net-pci", f"dgram,local.type=unix,local.path={here},remote.type=unix,remote.path={there}", mac)
            for here, there, mac in zip(paths, reversed(paths), macs)]
