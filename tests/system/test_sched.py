# SPDX-License-Identifier: GPL-2.0-or-later
"""Weights, caps and affinity as Debian's xl sets them, measured by the CPU time the guests get."""
import os
import sys
import time

from scenario import healthy, slow

sys.path.insert(0, os.path.dirname(__file__))
from test_guests import gone, guest_does, guest_says, write_config

HOG = "while :; do :; done &"


def cpu_seconds(dom0, names):
    """Column Time(s) of xl list, read at one moment."""
    rows = {row[0]: row for row in (line.split() for line in dom0.check("xl list").splitlines()) if row}
    return {name: float(rows[name][5]) for name in names}


def used_during(dom0, names, seconds):
    before, start = cpu_seconds(dom0, names), float(dom0.check("cut -d' ' -f1 /proc/uptime"))
    time.sleep(seconds)
    after, end = cpu_seconds(dom0, names), float(dom0.check("cut -d' ' -f1 /proc/uptime"))
    return {name: (after[name] - before[name]) / (end - start) for name in names}


def start_hogs(dom0, names, cpu):
    for name in names:
        dom0.check("xl create " + write_config(dom0, name, memory=96, more=f"cpus = '{cpu}'"), 120)
    for name in names:
        guest_says(dom0, name, "guest ready")
        guest_does(dom0, name, HOG)


@slow
def test_weight_cap_and_affinity(rig):
    """Two guests that never rest share CPU 1 by weight; a cap holds; one that is moved away has a CPU to itself."""
    dom0 = rig.boot_with_guests(smp=2)
    names = ("light", "heavy")
    dom0.check("xl vcpu-pin Domain-0 all 0")
    start_hogs(dom0, names, 1)
    dom0.check("xl sched-credit2 -d heavy -w 768 && xl sched-credit2 -d heavy | grep 768")
    share = used_during(dom0, names, 10)
    assert 0.7 < sum(share.values()) <= 1.1, f"one CPU for both: {share}"
    assert 2.3 <= share["heavy"] / share["light"] <= 3.8, f"weights 1:3, shares {share}"

    dom0.check("xl sched-credit2 -d heavy -c 20")
    share = used_during(dom0, names, 10)
    assert share["heavy"] <= 0.25, f"a cap of 20 %, share {share}"
    assert share["light"] >= 0.5, f"what the cap leaves belongs to the other: {share}"

    dom0.check("xl sched-credit2 -d heavy -c 0 && xl vcpu-pin heavy all 0")
    share = used_during(dom0, names, 10)
    assert share["heavy"] > 0.4, f"alone with an idle Dom0: {share}"
    dom0.check("xl list -v | awk '$1 == \"heavy\" && $4 == 0' | grep -q heavy || xl vcpu-list heavy")
    for name in names:
        dom0.check(f"xl destroy {name}")
        gone(dom0, name)
    healthy(dom0)
