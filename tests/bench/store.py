# SPDX-License-Identifier: GPL-2.0-or-later
"""XenStore: what a create asks of it, counted by the daemon's own trace; a lint of 100 domains and a rule's latency
on this machine (store_bench.c, with Debian's daemons)."""
import os
import re
import subprocess

import figures
import guest_io
import pair
import qemu
import test_store

AIMS = {"create": 1 / 3, "destroy": None}
WORDS = {"lint-100-domains": "lint of 100 domains", "dump-100-domains": "dump of 100 domains",
         "watch-to-command-effect": "change of a node to the effect of a rule's command",
         "watch-to-command-effect-worst": "the same, worst of 50"}


def count(host):
    """(requests of a create, of the destroy) of a guest with a disk, a network card and two vCPUs. vane in a process of its
    own: its worker's connection is not a new one, by which requests are known."""
    host.dom0.check("truncate -s 16M /tmp/disk")
    config = pair.write_config(host.dom0, "req", vcpus=2, extra="pvnet=none", more=guest_io.MORE)
    counts = []
    for _ in range(2):                              # the first time daemons start
        counts = [sum(test_store.requests(host.dom0, f"VANE_DIRECT=1 {host.tool} {command}").values())
                  for command in (f"create -p {config}", "destroy req")]
        pair.gone(host.dom0, "req")
    return counts


def measure(rig, _rounds):
    two = pair.both(rig, overlays=["guests.img"], mem="2G", hv_args="dom0_mem=1G")
    table = figures.against_xen("store", "XenStore")
    theirs, ours = count(two["xen"]), count(two["paravane"])
    for index, (what, aim) in enumerate(AIMS.items()):
        table.compare(f"requests of a {what}: disk, network card, 2 vCPUs", theirs[index], ours[index], "", aim)
    output = subprocess.run([os.path.join(qemu.BUILD, "bench/store_bench")], cwd=qemu.TOP, check=True, timeout=120,
                            stdout=subprocess.PIPE, text=True).stdout
    host = figures.Table("store-host", "XenStore on this machine (Debian's daemons)", ["", "xenstored", "oxenstored"])
    values = {name: int(value) for name, value in re.findall(r"^store\.(\S+) (\d+) us", output, re.M)}
    for name, what in WORDS.items():
        cells = [values.get(f"{daemon}.{name}") for daemon in ("xenstored", "oxenstored")]
        host.add([what] + [figures.show(us / 1000 if us is not None else None, "ms") for us in cells])
    return [table, host]
