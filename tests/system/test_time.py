# SPDX-License-Identifier: GPL-2.0-or-later
"""Dom0's clocks run at the host's rate."""
import time

from scenario import healthy, slow


def clocks(machine):
    """(host, wall clock, monotonic) in seconds. The host is read on both sides, the middle taken: a
    console round trip costs milliseconds."""
    before = time.time()
    wall, uptime = machine.check("/bin/date +%s.%N; cat /proc/uptime").split()[:2]
    return (before + time.time()) / 2, float(wall), float(uptime)


def drift(rig, seconds, smp):
    machine = rig.boot(smp=smp)
    machine.check("/bin/date +%N >/dev/null")
    host0, wall0, up0 = clocks(machine)
    assert abs(wall0 - host0) < 5, f"the date is wrong by {wall0 - host0:.1f} s"
    time.sleep(seconds)
    host1, wall1, up1 = clocks(machine)
    passed = host1 - host0
    for name, guest in (("wall clock", wall1 - wall0), ("monotonic clock", up1 - up0)):
        assert abs(guest - passed) < 0.1 + passed * 0.002, f"{name}: {guest:.3f} s passed in {passed:.3f} s"
    healthy(machine)


def test_short(rig):
    drift(rig, 15, 2)


@slow
def test_minutes(rig):
    drift(rig, 300, 2)


def test_sleep_is_exact(rig):
    """A timer neither fires early nor much late."""
    machine = rig.boot()
    for want in (0.01, 0.1, 1):
        start, end = machine.check(f"read a _ </proc/uptime; sleep {want}; read b _ </proc/uptime; echo $a $b").split()
        slept = float(end) - float(start)
        assert want - 0.011 <= slept < want + 1, f"sleep {want} took {slept} s"


def test_clocksource(rig):
    """Two vCPUs agree on the time: a process that hops between them never sees it go back."""
    machine = rig.boot(smp=2)
    source = machine.check("cat /sys/devices/system/clocksource/clocksource0/current_clocksource").strip()
    assert source in ("xen", "tsc"), source
    machine.check("""p=0; i=0; while [ $i -lt 400 ]; do taskset -p $((i % 2 + 1)) $$ >/dev/null
        read a _ </proc/uptime; a=${a%.*}${a#*.}; [ $a -ge $p ] || exit 1; p=$a; i=$((i+1)); done""", 120)
    healthy(machine)
