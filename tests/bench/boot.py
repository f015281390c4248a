# SPDX-License-Identifier: GPL-2.0-or-later
"""Wall time from power-on to Dom0's first process and to its shell; runs alternate."""
import time

import figures

ROWS = {"power-on to Dom0's first process": 0.8, "power-on to Dom0's shell": None}


def once(rig, hv):
    machine = rig.machine(hv=hv, mem="1G", smp=1, hv_args="dom0_mem=512M", dom0_args="quiet").start()
    times = []
    for line in (rb"paravane: first process", rb"paravane: \w+ ready"):
        machine.expect(line, 300)
        times.append(time.monotonic() - machine.started)
    machine.stop()
    return times


def measure(rig, rounds):
    runs = {"xen": [], "paravane": []}
    for _ in range(rounds):
        for hv, results in runs.items():
            results.append(once(rig, hv))
    table = figures.Table("boot", "boot (wall time, 1 CPU, medians)", ["", "Xen 4.17", "Paravane", "ratio"])
    for index, (what, aim) in enumerate(ROWS.items()):
        xen, ours = (figures.median([run[index] for run in runs[hv]]) for hv in ("xen", "paravane"))
        table.compare(what, xen, ours, "s", aim)
    return [table]
