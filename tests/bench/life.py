# SPDX-License-Identifier: GPL-2.0-or-later
"""Create, save, restore and destroy: a guest with Debian's kernel, and a tiny one without devices."""
import re

import figures
import pair

AIMS = {"create first": 0.9, "create": 0.15, "save": 0.4, "restore": 0.4, "destroy": 0.3,
        "tiny create": 0.1, "tiny destroy": 0.3}
WORDS = {"create first": "create, Debian's kernel, first time", "create": "create, Debian's kernel, seen before",
         "save": "save, 128 MiB, tmpfs", "restore": "restore, 128 MiB, tmpfs", "destroy": "destroy",
         "tiny create": "create a tiny guest", "tiny destroy": "destroy a tiny guest"}
MEMORY_AIM_KIB = 32 << 10       # for vane itself, beside the kernel it loads

TINY = """name = "%s"
type = "pv"
kernel = "/tiny/worker.elf"
extra = "seconds=100000 rate=0 pages=16 interval=60000"
memory = 4
"""


def worker_kib(host):
    """What vaned's worker, which runs short commands, ever had resident."""
    said = host.dom0.check("cat /proc/$(pidof vane-full)/status 2>/dev/null; true")
    found = re.search(r"VmHWM:\s+(\d+) kB", said)
    return int(found.group(1)) if found else 0


def one_life(host, turn):
    kib = host.create("life", "create first" if turn == 0 else "create", memory=128)
    host.sample("save", f"{host.tool} save life /tmp/life.save")
    host.sample("restore", f"{host.tool} restore /tmp/life.save")
    host.dom0.check("rm -f /tmp/life.save")
    host.destroy("life")
    return kib + worker_kib(host)


def tiny_life(host, turn):
    name = f"tiny{turn}"
    host.dom0.check(f"cat >/tmp/{name}.cfg <<'END'\n{TINY % name}END")
    host.sample("tiny create", f"{host.tool} create /tmp/{name}.cfg")
    host.destroy(name, "tiny destroy")


def measure(rig, rounds):
    two = pair.both(rig, overlays=["guests.img", "tiny.img"], mem="2G", hv_args="dom0_mem=1G")
    xen, ours = two["xen"], two["paravane"]
    kib = 0
    for turn in range(rounds + 1):
        one_life(xen, turn)
        kib = max(kib, one_life(ours, turn))
    for turn in range(2 * rounds):
        tiny_life(xen, turn)
        tiny_life(ours, turn)
    table = figures.against_xen("life", "life of a guest (wall time in Dom0, 1 CPU, medians)")
    for name, aim in AIMS.items():
        table.compare(WORDS[name], figures.median(xen.samples[name]), figures.median(ours.samples[name]), "s", aim)
    kernel_kib = int(ours.dom0.check("du -k /var/cache/vane | tail -n 1").split()[0])
    table.value(f"vane's memory while creating, beside the kernel's {kernel_kib >> 10} MiB", max(0, kib - kernel_kib), "KiB",
                MEMORY_AIM_KIB)
    return [table]
