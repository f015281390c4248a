# SPDX-License-Identifier: GPL-2.0-or-later
"""100 tiny guests on a host of 4 GiB: does the 100th take longer to create than the first?"""
import re

import figures
import life
import pair

GUESTS = 100
ENDS = 5                        # how many at either end make a median
AIM = 1.3


def create_all(host, count):
    """Seconds of each create, in order."""
    name = "density"
    host.dom0.check(f"cat >/tmp/{name}.cfg <<'END'\n{life.TINY % name}END")
    host.timed(f"{host.tool} create /tmp/{name}.cfg")           # programs, kernel, daemon: once for all
    host.destroy(name)
    output = host.dom0.check(f"i=0; while [ $((i=i+1)) -le {count} ]; do "
                             f"pvtime {host.tool} create /tmp/{name}.cfg name=\\\"d$i\\\" | grep ^pvtime || exit 1; done", 600)
    return [int(us) / 1e6 for us in re.findall(r"^pvtime (\d+)", output, re.M)]


def measure(rig, _rounds):
    host = pair.Host(rig, "paravane", overlays=["tiny.img"], mem="4G", hv_args="dom0_mem=1G")
    host.dom0.wait_ready(180)
    took = create_all(host, GUESTS)
    running = int(host.dom0.check("vane list | grep -c '^d[0-9]'"))
    assert running == GUESTS and len(took) == GUESTS, f"{running} guests run, {len(took)} were made"
    begin, end = figures.median(took[:ENDS]), figures.median(took[-ENDS:])
    table = figures.Table("density", f"{GUESTS} tiny guests on a host of 4 GiB (1 CPU)",
                          ["create", "first ones", "last ones", "ratio"])
    table.add([f"medians of {ENDS}", figures.show(begin, "s"), figures.show(end, "s"), figures.show(end / begin)],
              figures.verdict(end / begin, AIM))
    return [table]
