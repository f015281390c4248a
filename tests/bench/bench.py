#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make bench`: all figures, each taken beside Debian's Xen 4.17 with xl in the same run.

Instructions are counted (QEMU -icount) and repeat to the last digit. Wall times are ratios: Xen and Paravane
work in turns, so the host's speed cancels out; the machine should be idle nevertheless. A group is a
module beside this one. Tables go to build/bench/<group>.txt, all of them to results.txt and results.json.
"""
import argparse
import json
import os
import platform
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../rig"), os.path.join(HERE, "../system")]
import boot                                                             # noqa: E402
import density                                                          # noqa: E402
import fronts                                                           # noqa: E402
import guest_io                                                         # noqa: E402
import inside                                                           # noqa: E402
import life                                                             # noqa: E402
import migrate                                                          # noqa: E402
import qemu                                                             # noqa: E402
import scenario                                                         # noqa: E402
import store                                                            # noqa: E402

GROUPS = {
    "inside": inside.measure, "guest": inside.measure_guest, "boot": boot.measure, "life": life.measure,
    "density": density.measure, "io": guest_io.measure, "fronts": fronts.measure, "store": store.measure,
    "migrate": migrate.measure,
}
OUT = os.path.join(qemu.BUILD, "bench")


def machine():
    """What the figures were taken on."""
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        models = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
    return (f"{len(models)} x {models[0] if models else 'unknown CPU'}, Linux {platform.release()}, "
            f"QEMU TCG, guest kernel {os.path.basename(qemu.kernel())}, load {os.getloadavg()[0]:.1f}")


def attempt(name, rounds):
    """The group's tables, or why there are none: a failure does not end the run."""
    rig = scenario.Rig("paravane", f"bench.{name}")
    begin = time.monotonic()
    try:
        return GROUPS[name](rig, rounds), None, time.monotonic() - begin
    except (qemu.Trouble, AssertionError, OSError) as error:
        return [], f"{type(error).__name__}: {error}", time.monotonic() - begin
    finally:
        rig.close()


def write(file, text):
    with open(os.path.join(OUT, file), "w", encoding="utf-8") as out:
        out.write(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="repetitions of wall-time figures")
    parser.add_argument("--only", action="append", default=[], choices=list(GROUPS))
    options = parser.parse_args()
    os.makedirs(OUT, exist_ok=True)
    head = f"{time.strftime('%Y-%m-%d %H:%M')}, {machine()}"
    report = {"when": head, "tables": {}, "failed": {}}
    texts = [head]
    print(head, flush=True)
    for name in options.only or GROUPS:
        tables, failed, seconds = attempt(name, options.rounds)
        text = "\n\n".join(table.text() for table in tables) if tables else f"{name}: not measured: {failed}"
        print(f"\n{text}\n({seconds:.0f} s)", flush=True)
        write(f"{name}.txt", f"{head}\n\n{text}\n")
        texts.append(text)
        report["tables"].update({table.name: table.plain() for table in tables})
        if failed:
            report["failed"][name] = failed
    write("results.txt", "\n\n".join(texts) + "\n")
    write("results.json", json.dumps(report, indent=1) + "\n")
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
