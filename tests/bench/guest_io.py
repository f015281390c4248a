# SPDX-License-Identifier: GPL-2.0-or-later
"""Throughput of a Debian guest's disk and network, on Xen and on Paravane.

The disk is an image in Dom0's memory behind loop and blkback; the network goes through netback and a
bridge to Dom0. All front and back ends are Linux's.
"""
import re

import figures
import pair

DISK_MIB, NET_MIB = 192, 192
AIM = 1.2
DOM0, GUEST = "192.168.9.1", "192.168.9.2"
ROWS = {"disk-read": "disk, read", "disk-write": "disk, write", "to-dom0": "TCP, guest to Dom0", "to-guest": "TCP, Dom0 to guest",
        "echo": "UDP round trips, one at a time"}
UNITS = {"echo": "/s"}
MORE = f"""disk = ['file:/tmp/disk,xvda,w']
vif = ['bridge=xenbr0,mac=00:16:3e:00:00:01']"""


def rate(text):
    """Units a second, from pvio's line: MiB for data, replies otherwise."""
    verb, units, us = re.search(r"^pvio ([\w-]+) (\d+) (\d+)$", text, re.M).groups()
    return int(units) / (1 if verb == "flood" else 1024) / (int(us) / 1e6)


def prepare(host, name="io"):
    host.dom0.check(f"ip addr replace {DOM0}/24 dev xenbr0; truncate -s {DISK_MIB}M /tmp/disk; "
                    f"dd if=/dev/zero of=/tmp/disk bs=1M count={DISK_MIB} conv=notrunc 2>/dev/null", 120)
    host.create(name, extra=f"pvnet={GUEST}/24", more=MORE, memory=256)
    host.dom0.check(f"ping -c 3 {GUEST}")


def one_round(host, name="io"):
    """{row: units a second}"""
    def guest(command):
        return rate(host.in_guest(name, command, r"^pvio [\w-]+ \d+ \d+$").group(0))

    def add(row, value):
        host.samples.setdefault(row, []).append(value)

    for verb in ("disk-write", "disk-read"):
        add(verb, guest(f"pvio {verb} /dev/xvda {DISK_MIB}"))
    host.dom0.check("pvio sink 9000 >/dev/null &")
    add("to-dom0", guest(f"sleep 1; pvio source {DOM0} 9000 {NET_MIB}"))
    pair.guest_does(host.dom0, name, "pvio sink 9000 >/dev/null &")
    add("to-guest", rate(host.dom0.check(f"sleep 1; pvio source {GUEST} 9000 {NET_MIB}", 300)))
    pair.guest_does(host.dom0, name, "pvio echo 7 & p=$!")
    add("echo", rate(host.dom0.check(f"sleep 1; pvio flood {GUEST} 7 4 100 1")))
    pair.guest_does(host.dom0, name, "kill $p")


def measure(rig, rounds):
    table = figures.against_xen("io", "throughput of a Debian guest's devices")
    for smp in (1, 2):
        two = pair.both(rig, overlays=["guests.img"], mem="2G", smp=smp, hv_args="dom0_mem=1G")
        for host in two.values():
            prepare(host)
        for _ in range(rounds):
            for host in two.values():
                one_round(host)
        for row, what in ROWS.items():
            xen, ours = (figures.median(two[hv].samples[row]) for hv in ("xen", "paravane"))
            table.compare(f"{what}, {smp} CPU" + "s" * (smp > 1), xen, ours, UNITS.get(row, "MiB/s"), AIM, more=True)
        for host in two.values():
            host.dom0.stop()
    return [table]
