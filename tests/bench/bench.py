#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make bench`: the same work on the bare kernel, on Debian's Xen and on Paravane, in one run.

Two kinds of figures:
  inside   what ordinary operations cost in instructions (QEMU -icount, one CPU; see pvbench.c)
  whole    wall time of whole operations, as ratios: the host's speed cancels out, runs alternate

Results go to build/bench/results.txt and results.json. Design aims stand in the tables.
"""
import argparse
import json
import os
import re
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../rig"), os.path.join(HERE, "../system")]
import qemu                                                             # noqa: E402
import scenario                                                         # noqa: E402
import test_guests                                                      # noqa: E402

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
BENCH = "/usr/bin/pvbench"


def parse(text):
    rows = {m.group(1): int(m.group(2)) for m in re.finditer(r"bench ([\w-]+) (\d+)", text)}
    missing = set(ROWS) - set(rows)
    if missing:
        raise qemu.Trouble(f"pvbench printed no {', '.join(sorted(missing))}")
    return rows


def inside(rig, hv):
    """pvbench as Dom0's (or the bare kernel's) only work."""
    machine = rig.machine(hv=hv, icount=True, mem="1G", hv_args="dom0_mem=512M",
                          dom0_args=f"quiet pvfast pvtest={BENCH}").start()
    machine.expect(r"bench end", 600)
    return parse(machine.console())


def inside_guest(rig, hv):
    """pvbench in a guest made by xl."""
    dom0 = rig.boot_with_guests(hv=hv, icount=True, timeout=600)
    dom0.check("xl create " + test_guests.write_config(dom0, "bench", memory=256,
                                                       extra=f"quiet pvfast pvtest={BENCH}"), 600)
    test_guests.guest_says(dom0, "bench", "bench end", 300)
    rows = parse(dom0.check(f"grep -ahs ^bench {test_guests.console_logs('bench')}; true"))
    dom0.stop()
    return rows


def boot_time(rig, hv):
    """(wall seconds to Dom0's first process, wall seconds to the shell)."""
    machine = rig.machine(hv=hv, mem="1G", smp=1, hv_args="dom0_mem=512M", dom0_args="quiet").start()
    machine.expect(rb"paravane: first process", 300)
    first = time.monotonic() - machine.started
    machine.expect(rb"paravane: \w+ ready", 300)
    ready = time.monotonic() - machine.started
    machine.stop()
    return first, ready


def timed(machine, command, timeout=300):
    begin = time.monotonic()
    machine.check(command, timeout)
    return time.monotonic() - begin


def tools(machine):
    """Which toolstacks the image has."""
    status, _ = machine.run("command -v vane")
    return ["xl"] + (["vane"] if status == 0 else [])


def life(rig, hv, rounds):
    """Seconds of create, destroy, save and restore: {tool: {operation: median}}."""
    dom0 = rig.boot_with_guests(hv=hv, smp=1, mem="2G", hv_args="dom0_mem=1G")
    config = test_guests.write_config(dom0, "life")
    result = {}
    for tool in tools(dom0):
        samples = {"create first": [], "create": [], "destroy": [], "save": [], "restore": []}
        for turn in range(rounds + 1):
            samples["create" if turn else "create first"].append(timed(dom0, f"{tool} create {config}"))
            test_guests.guest_says(dom0, "life", "guest ready", 120)
            try:
                if turn:
                    samples["save"].append(timed(dom0, f"{tool} save life /tmp/life.save"))
                    samples["restore"].append(timed(dom0, f"{tool} restore /tmp/life.save"))
            except qemu.Trouble as trouble:
                print(f"  {tool} on {hv}: {str(trouble).splitlines()[0]}", flush=True)
            samples["destroy"].append(timed(dom0, f"{tool} destroy life"))
            test_guests.gone(dom0, "life")
            dom0.check(f"rm -f {test_guests.console_logs('life')} /tmp/life.save; "
                       "kill -HUP $(cat /run/xen/xenconsoled.pid)")
        result[tool] = {name: statistics.median(values) for name, values in samples.items() if values}
    dom0.stop()
    return result


def attempt(report, name, function, *args):
    """Measure one thing; a failure is a line in the report, not the end of the run."""
    rig = scenario.Rig("paravane", f"bench.{name.replace(' ', '-')}")
    print(f"{name} ...", flush=True)
    begin = time.monotonic()
    try:
        report[name] = function(rig, *args)
        print(f"  done in {time.monotonic() - begin:.0f} s", flush=True)
    except (qemu.Trouble, AssertionError) as error:
        report.setdefault("failed", {})[name] = str(error)
        print(f"  FAILED: {error}", flush=True)
    finally:
        rig.close()


def ratio(ours, theirs):
    return f"{ours / theirs:.2f}" if ours is not None and theirs else "-"


def table(header, rows):
    widths = [max(len(str(row[i])) for row in [header] + rows) for i in range(len(header))]
    lines = []
    for row in [header] + rows:
        cells = [str(cell).ljust(w) if i == 0 else str(cell).rjust(w)
                 for i, (cell, w) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells))
    return "\n".join(lines)


def number(rows, name):
    return rows.get(name) if rows else None


def show(value):
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.2f}"


def inside_table(report, where, aims):
    bare, xen, ours = (report.get(k) for k in ("bare kernel", f"xen {where}", f"paravane {where}"))
    rows = []
    for name, (what, aim) in ROWS.items():
        b, x, p = (number(r, name) for r in (bare, xen, ours))
        over = ratio(p - b, x - b) if None not in (b, x, p) and x > b else "-"
        row = [what, show(b), show(x), show(p), over]
        rows.append(row + ([show(aim)] if aims else []))
    header = ["instructions", "bare kernel", f"Xen {where}", f"Paravane {where}", "overhead / Xen's"]
    return table(header + (["aim"] if aims else []), rows)


def whole_table(report):
    rows = []
    boots = report.get("boot")
    if boots:
        for index, what in enumerate(("power-on to Dom0's first process", "power-on to Dom0's shell")):
            x, p = (statistics.median(run[index] for run in boots[hv]) for hv in ("xen", "paravane"))
            rows.append([what, f"{x:.2f} s", f"{p:.2f} s", ratio(p, x), "0.80" if index == 0 else ""])
    xen = report.get("life on xen", {}).get("xl", {})
    aims = {"vane": {"create first": "0.90", "create": "0.15", "destroy": "0.30", "save": "0.40", "restore": "0.40"}}
    for tool, figures in report.get("life on paravane", {}).items():
        for name, value in figures.items():
            base = xen.get(name)
            rows.append([f"{tool} {name}", f"{base:.3f} s" if base else "-", f"{value:.3f} s",
                         ratio(value, base), aims.get(tool, {}).get(name, "")])
    return table(["wall time", "Xen with xl", "Paravane", "ratio", "aim"], rows) if rows else ""


def alternate_boots(rig, rounds):
    boots = {"xen": [], "paravane": []}
    for _ in range(rounds):
        for hv, runs in boots.items():
            runs.append(boot_time(rig, hv))
    return boots


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="repetitions of wall-time figures")
    parser.add_argument("--only", action="append", default=[], help="inside, guest, boot, life")
    options = parser.parse_args()
    parts = options.only or ["inside", "guest", "boot", "life"]
    report = {"when": time.strftime("%Y-%m-%d %H:%M:%S"), "kernel": os.path.basename(qemu.kernel())}

    if "inside" in parts:
        attempt(report, "bare kernel", inside, "none")
        attempt(report, "xen Dom0", inside, "xen")
        attempt(report, "paravane Dom0", inside, "paravane")
    if "guest" in parts:
        attempt(report, "xen DomU", inside_guest, "xen")
        attempt(report, "paravane DomU", inside_guest, "paravane")
    if "boot" in parts:
        attempt(report, "boot", alternate_boots, options.rounds)
    if "life" in parts:
        for hv in ("xen", "paravane"):
            attempt(report, f"life on {hv}", life, hv, options.rounds)

    texts = [inside_table(report, "Dom0", False)] if "inside" in parts else []
    texts += [inside_table(report, "DomU", True)] if "guest" in parts else []
    texts += [whole_table(report)]
    text = "\n\n".join(t for t in texts if t)
    if report.get("failed"):
        text += "\n\nnot measured: " + ", ".join(report["failed"])
    print("\n" + text)
    os.makedirs(os.path.join(qemu.BUILD, "bench"), exist_ok=True)
    with open(os.path.join(qemu.BUILD, "bench/results.txt"), "w", encoding="utf-8") as out:
        out.write(text + "\n")
    with open(os.path.join(qemu.BUILD, "bench/results.json"), "w", encoding="utf-8") as out:
        json.dump(report, out, indent=1)
    return 1 if report.get("failed") else 0


if __name__ == "__main__":
    sys.exit(main())
