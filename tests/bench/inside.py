# SPDX-License-Identifier: GPL-2.0-or-later
"""What ordinary operations cost in instructions (QEMU -icount, one CPU; see pvbench.c): on the bare kernel,
on Xen and on Paravane. What counts is the overhead over the bare kernel, as a share of Xen's."""
import re

import figures
import qemu
import guests

ROWS = {                        # name in pvbench: (what it is, aim for our DomU)
    "getppid": ("getppid()", 700),
    "read": ("read() of 1 byte", 1050),
    "signal": ("signal to self", 6000),
    "fork": ("fork + exit + wait", 450000),
    "exec": ("vfork + exec", 850000),
    "touch": ("first touch of an anonymous page", 10500),
    "mprotect": ("mprotect of 64 pages, there and back", 60000),
    "pipe": ("pipe round trip between two processes", 18000),
    "fork-write": ("fork, child writes 256 pages", 4600000),
    "boot": ("power-on to this program", None),
}
SHARE = 0.5
BENCH = "/usr/bin/pvbench"


def parse(text):
    rows = {m.group(1): int(m.group(2)) for m in re.finditer(r"bench ([\w-]+) (\d+)", text)}
    missing = set(ROWS) - set(rows)
    if missing:
        raise qemu.Trouble(f"pvbench printed no {', '.join(sorted(missing))}")
    return rows


def in_dom0(rig, hv):
    """pvbench as Dom0's (or the bare kernel's) only work."""
    machine = rig.machine(hv=hv, icount=True, mem="1G", hv_args="dom0_mem=512M",
                          dom0_args=f"quiet pvfast pvtest={BENCH}").start()
    machine.expect(r"bench end", 600)
    text = machine.console()
    machine.stop()
    return parse(text)


def in_guest(rig, hv):
    """pvbench in a guest made by xl."""
    dom0 = rig.boot_with_guests(hv=hv, icount=True, timeout=600)
    dom0.check("xl create " + guests.write_config(dom0, "bench", memory=256,
                                                       extra=f"quiet pvfast pvtest={BENCH}"), 600)
    guests.guest_says(dom0, "bench", "bench end", 300)
    rows = parse(dom0.check(f"grep -ahs ^bench {guests.console_logs('bench')}; true"))
    dom0.stop()
    return rows


def table(name, where, bare, xen, ours, absolute):
    """@absolute: whether the aims for our guests are held against the rows too."""
    out = figures.Table(name, f"instructions inside a {where} (-icount, 1 CPU)",
                        ["", "bare kernel", "Xen 4.17", "Paravane", "aim for it", "its verdict", "overhead / Xen's"])
    for row, (what, aim) in ROWS.items():
        if row == "boot" and absolute:
            continue                            # a guest counts from the host's power-on, the rig's pauses included
        b, x, p = bare[row], xen[row], ours[row]
        share = (p - b) / (x - b) if x > b else None
        counted = row != "boot"
        out.add([what, figures.show(b), figures.show(x), figures.show(p)] + figures.verdict(p, aim if absolute else None) +
                [figures.show(share)], figures.verdict(share, SHARE if counted else None))
    return out


def measure(rig, _rounds):
    return [table("inside", "Dom0", *(in_dom0(rig, hv) for hv in ("none", "xen", "paravane")), absolute=False)]


def measure_guest(rig, _rounds):
    bare = in_dom0(rig, "none")
    return [table("guest", "DomU", bare, *(in_guest(rig, hv) for hv in ("xen", "paravane")), absolute=True)]
