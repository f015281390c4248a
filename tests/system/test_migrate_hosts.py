# SPDX-License-Identifier: GPL-2.0-or-later
"""Migration between two hosts of which one loses its power, its xenstored, its memory; and a guest that does not listen."""
import time

import power
import qemu
from faults import LONG, Cell, attempt, copies, hold, start
from guests import until
from hosts import Hosts
from scenario import equal, only_on, slow
from test_migrate import end
from witness import one_runner

XENSTORED = "kill -9 $(pidof xenstored)"


@slow
@only_on("paravane")
def test_power_loss(rig):
    """Each host, before, during and after the commit; records lie on disks."""
    hosts = Hosts(rig, durable=True)
    guest = hosts.guest().create()
    for cell in power.CELLS:
        print(f"  {cell}: {power.run_cell(guest, cell)}", flush=True)
        if guest.host:
            guest.runs(10)
        else:
            guest.host = hosts.a
            guest.create()
    guest.verdict()
    end(hosts, guest)


@slow
@only_on("paravane")
def test_full_disk(rig):
    """A record that cannot be written is a reason to give up, at either side, and the guest goes on."""
    hosts = Hosts(rig, durable=True)
    guest = hosts.guest().create()
    # What ext4 has set aside for data not yet written comes free when it is: until nothing does.
    fill = "for i in 1 2 3; do dd if=/dev/zero of=/var/lib/vane/fill.$i bs=1k 2>/dev/null; sync; done; true"
    free = "rm /var/lib/vane/fill.*"
    for who in ("target", "source"):
        outcome = attempt(guest, Cell("S2", "hold", "to", 9 << 20, hold=(who, fill), mend=(who, free), options=LONG, expect="source"))
        assert outcome.struck and "No space left" in outcome.text, outcome.text
    attempt(guest, Cell("clean", "none", at=1 << 62, expect="target"))
    guest.verdict()
    end(hosts, guest)


@slow
@only_on("paravane")
def test_guest_ignores_suspend(rig):
    """The request is withdrawn, the guest runs on and is moved when it listens again."""
    hosts = Hosts(rig)
    guest = hosts.guest(launch="checker rt 50 ").create()
    # Nothing of lower priority gets a turn: neither the shell nor the kernel's thread that hears of requests. It starts no
    # process meanwhile: what those leave would never be freed.
    deaf = int(60 * qemu.SCALE)
    guest.type("echo -1 >/proc/sys/kernel/sched_rt_runtime_us; (sleep 2; exec checker rt 40 sh -c "
               f'"read x y </proc/uptime; e=\\$((\\${{x%.*}}+{deaf})); '
               'until [ \\${x%.*} -ge \\$e ]; do read x y </proc/uptime; done") &')
    time.sleep(5)
    source, target, begin = guest.host, hosts.other(guest.host), time.monotonic()
    status, text = source.machine.run(guest.migrate_command(target) + " 2>&1", deaf)
    assert status != 0 and "does not answer the request to suspend" in text, text
    # What starves its kernel's threads may starve its network too: that it runs on is the hypervisor's word. The target
    # removes what it had when the link is gone.
    alone, limit = [((source.name, source.domid(guest.name)), "run")], time.monotonic() + 10 * qemu.SCALE
    while list(copies(hosts.log, guest.uuid).items()) != alone and time.monotonic() < limit:
        time.sleep(0.2)
    equal(list(copies(hosts.log, guest.uuid).items()), alone, "copies of the guest")
    time.sleep(max(0, begin + deaf - time.monotonic()))
    guest.runs(60, 50)                          # it hears now, and must not suspend
    guest.migrate()
    guest.runs(30)
    guest.verdict()
    end(hosts, guest)


def without_xenstored(guest, who, cell):
    """xenstored of one side dies while the byte waits. Where the guest runs then, once; a copy that a host without xenstored
    cannot remove stands still there."""
    hosts, source, target = guest.hosts, guest.host, guest.hosts.other(guest.host)
    begin = time.monotonic()
    cell.hold = (who, XENSTORED)
    start(guest, cell)
    hold(hosts, cell, source, target, begin)
    assert [e.wrong for e in hosts.log.of("held", since=begin)] == [""], f"{cell}, {who}: xenstored was not killed"
    until(source.machine, "[ -s /tmp/status ]", 120)
    stuck = source if who == "source" else target
    limit = time.monotonic() + 60 * qemu.SCALE
    while True:
        now = copies(hosts.log, guest.uuid)
        left = [name for (name, _), state in now.items() if state != "run"]
        if len(now) - len(left) == 1 and left in ([], [stuck.name]):
            break
        assert time.monotonic() < limit, f"{cell}, {who}: {now}\n{hosts.log.text(begin)}"
        time.sleep(0.2)
    assert not one_runner(hosts.log, guest.uuid, begin), hosts.log.text(begin)
    name, = (name for (name, _), state in now.items() if state == "run")
    return "source" if name == source.name else "target"


@slow
@only_on("paravane")
def test_xenstored_gone(rig):
    """A host without its xenstored can make no devices until it is started anew: the guest must not end up there."""
    hosts = Hosts(rig)
    guest = hosts.guest().create()
    for who, cell in (("target", Cell("S2", "hold", "to", 9 << 20, options=LONG)),
                      ("target", Cell("S6", "hold", "to", 0, count_from="S5", options=LONG)),
                      ("source", Cell("S2", "hold", "to", 9 << 20, options=LONG))):
        where = without_xenstored(guest, who, cell)
        assert where == "source", f"{cell}: the guest is at the {where}"
        guest.runs(10)
        if who == "target":
            target = hosts.other(guest.host)
            target.lose_power()
            target.come_back()
            until(guest.host.machine, "vane migrate --recover >/dev/null 2>&1; ! ls /var/lib/vane/migrations | grep .")
            guest.migrate()
            guest.runs(30)
    guest.verdict()
