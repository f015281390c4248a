# SPDX-License-Identifier: GPL-2.0-or-later
"""Live migration between two hosts, watched from outside: under load, under faults, again and again."""
import json
import time

import qemu
from faults import PATIENCE, Cell, RECEIVER, SENDER, attempt, learn, matrix
from guests import until
from hosts import Hosts
from scenario import healthy, only_on, slow, soak
from test_fronts import NIC, start, verdict
from witness import SLACK, Caller, missing, states, turns

TINY = ["guests.img", "tiny.img"]


def there_and_back(rig, vcpus=1, moves=2, **load):
    hosts = Hosts(rig, b={"mem": "2G"})         # its frames have numbers there that the first host does not know
    ping_pong(rig, hosts, hosts.guest(vcpus=vcpus, **load).create(), moves)


def ping_pong(rig, hosts, guest, moves):
    caller = Caller(guest.heart)
    rig.servers.append(caller)
    for _ in range(moves):
        guest.renew()
        begin = time.monotonic()
        guest.migrate()
        guest.runs(30)
        asked, answered = waited(guest, caller, begin)
        assert asked < 5 or answered > asked * 3 // 4, "what came for the guest was lost"
    guest.verdict()
    end(hosts, guest)


def tiny_ping_pong(rig, moves):
    """Of our own guest, whose resume holds nothing up: every heartbeat arrives."""
    hosts = Hosts(rig, overlays=TINY)
    guest = hosts.tiny(rate=1000).create()
    ping_pong(rig, hosts, guest, moves)
    lost = missing(guest.heart)
    assert not lost, f"heartbeats {lost[:10]} ({len(lost)}) never came"


def waited(guest, caller, begin):
    """(asked, answered): the calls that came between its suspend at the source and its first sign of life at the target."""
    history = states(guest.hosts.log, guest.uuid, begin)
    start = max(n for n, (_, now) in enumerate(history) if "run" not in now.values()) + 1
    still = start
    while still > 0 and "run" not in history[still - 1][1].values():
        still -= 1
    alive = min(beat.at for beat in guest.heart.beats(since=history[start][0]))
    asked, answered = caller.between(history[still][0] + SLACK, alive)
    print(f"  while it stood still and was not connected {asked} calls came, {answered} were answered", flush=True)
    return asked, answered


def end(hosts, guest):
    guest.destroy()
    hosts.nothing_leaked()
    for host in (hosts.a, hosts.b):
        healthy(host.machine)


@only_on("paravane")
def test_there_and_back(rig):
    there_and_back(rig)


@only_on("paravane")
def test_tiny_there_and_back(rig):
    tiny_ping_pong(rig, moves=4)


@only_on("paravane")
def test_faults(rig):
    """One of each kind: before the commit the guest stays, after it the two ends agree by themselves."""
    hosts = Hosts(rig)
    guest = hosts.guest().create()
    for cell in (
            Cell("S2", "cut", "to", 9 << 20, expect="source"),
            Cell("S2", "corrupt", "to", 5 << 20, 3, expect="source"),
            Cell("S2", "run", "to", 1 << 20, script=f"kill -9 {RECEIVER}", expect="source"),
            Cell("S5", "cut", "from", 5, count_from="S5"),
            Cell("S6", "hold", "to", 0, count_from="S5", hold=("source", f"kill -9 {SENDER}")),
            Cell("S8", "cut", "from", 5, count_from="S6", expect="target")):
        outcome = attempt(guest, cell)
        assert outcome.struck, f"{cell}: the fault did not happen\n{outcome.text}"
    guest.verdict()
    end(hosts, guest)


@slow
@only_on("paravane")
def test_filters_are_not_bypassed(rig):
    """Where the target's bridge decides by more than addresses nothing is kept, and the guest arrives all the same."""
    hosts = Hosts(rig)
    guest = hosts.guest().create()
    caller = Caller(guest.heart)
    rig.servers.append(caller)
    hosts.b.machine.check("echo 1 >/sys/class/net/xenbr0/bridge/vlan_filtering")
    begin = time.monotonic()
    guest.migrate()
    guest.runs(30)
    asked, answered = waited(guest, caller, begin)
    assert asked < 5 or answered < asked // 4, "frames went round the filter"
    guest.verdict()
    end(hosts, guest)


@slow
@only_on("paravane")
def test_writes_under_way(rig):
    """A write that takes longer than the rest of the migration: the target does not write before it is done."""
    hosts = Hosts(rig)
    guest = hosts.guest().create()
    for _ in range(2):
        source, target = guest.host, hosts.other(guest.host)
        hosts.disk.slow = {source.name: 3.0}
        begin = time.monotonic()
        guest.migrate("--stall-timeout 60")
        guest.runs(30)
        time.sleep(4)
        hosts.disk.slow = {}
        late = turns(hosts.log, begin)
        assert [t[2] for t in late] == [target.name], f"I7: writers took turns: {late}"
    guest.verdict()
    end(hosts, guest)


@slow
@only_on("paravane")
def test_target_loses_power(rig):
    """While memory is copied: the guest goes on where it is; the target comes back clean and is used again."""
    hosts = Hosts(rig)
    guest = hosts.guest().create()
    for _ in range(2):
        source, target = guest.host, hosts.other(guest.host)
        source.machine.check("( " + guest.migrate_command(target, PATIENCE) + " >/tmp/out 2>&1; echo $? >/tmp/status ) </dev/null & true")
        time.sleep(3)
        target.lose_power()
        source.machine.check("i=0; until [ -s /tmp/status ]; do [ $((i=i+1)) -lt 300 ] || exit 1; usleep 200000; done; "
                             "[ $(cat /tmp/status) != 0 ]; rm /tmp/status", 200)
        guest.runs(5)
        guest.verdict()
        target.start()
        target.wait_ready()
        guest.migrate()
        guest.runs(30)
    guest.verdict()
    end(hosts, guest)


@slow
@only_on("paravane")
def test_cable_pulled(rig):
    """The cable itself: short of the patience nobody notices, beyond it the guest stays; then it works again."""
    hosts = Hosts(rig)
    guest = hosts.guest().create()
    learn(guest)
    for seconds, moves in ((1, True), (60, False)):
        source, target = guest.host, hosts.other(guest.host)
        hosts.log("migrate", guest=guest.name, source=source.name, target=target.name)
        source.machine.check("rm -f /tmp/status; ( " + guest.migrate_command(target, f"--stall-timeout {int(10 * qemu.SCALE)}") +
                             " >/tmp/out 2>&1; echo $? >/tmp/status ) </dev/null & true")
        time.sleep(1)
        target.plug(False)
        time.sleep(seconds * qemu.SCALE)
        target.plug(True)
        status = source.machine.check("i=0; until [ -s /tmp/status ]; do [ $((i=i+1)) -lt 600 ] || exit 1; usleep 200000; done; "
                                      "cat /tmp/status", 300).strip()
        assert (status == "0") == moves, source.machine.check("cat /tmp/out")
        guest.host = target if moves else source
        guest.runs(30)
    guest.verdict()
    end(hosts, guest)


def fault_matrix(hosts, guest, seeds, offsets):
    matrix(guest, seeds, offsets)
    guest.verdict()
    end(hosts, guest)


@slow
@only_on("paravane")
def test_fault_matrix(rig):
    """Every cell at 5 places: 205 faults. RIG_SOAK=0.2 takes one place of each."""
    hosts = Hosts(rig)
    fault_matrix(hosts, hosts.guest().create(), seeds=(1,), offsets=soak(5))


@slow
@only_on("paravane")
def test_tiny_fault_matrix(rig):
    """The same with a guest that moves in a few seconds, at 17 places for 3 seeds: 2,091 faults."""
    hosts = Hosts(rig, overlays=TINY, watch_ms=10)
    fault_matrix(hosts, hosts.tiny().create(), seeds=(1, 2, 3), offsets=soak(17))


@slow
@only_on("paravane")
def test_four_vcpus(rig):
    there_and_back(rig, vcpus=4, mib=16, rate=2000)


@slow
@only_on("paravane")
def test_throttle(rig):
    """It writes faster than the link carries: as it is, the promised downtime cannot be kept; slowed down, it can."""
    hosts = Hosts(rig)
    guest = hosts.guest(rate=100000, disk=False).create()
    # 8 MiB are written all the time, half of which the link is allowed to carry in what is promised.
    promise = f"--strict --max-downtime 400 --bandwidth 10 --stall-timeout {int(10 * qemu.SCALE)}"
    status, text = guest.host.machine.run(guest.migrate_command(hosts.other(guest.host), promise), 300)
    assert status != 0 and "faster than the link carries" in text, text
    guest.runs(30)
    cap = guest.host.machine.check("vane sched-credit2 -d guest").split()[-1]
    lines = []
    guest.migrate(promise + " --throttle --progress=json", progress=lines.append)
    guest.runs(30)
    taken = [json.loads(line).get("throttle", 0) for line in lines if line.startswith("{")]
    assert max(taken) > 0, "it was not slowed down\n" + "\n".join(lines)
    assert guest.host.machine.check("vane sched-credit2 -d guest").split()[-1] == cap, "it stays slowed down"
    guest.verdict()
    end(hosts, guest)


@slow
@only_on("paravane")
def test_ping_pong(rig):
    """200 clean migrations."""
    there_and_back(rig, moves=2 * soak(100), rate=1000)


@slow
@only_on("paravane")
def test_tiny_ping_pong(rig):
    """1,000 clean migrations of one and the same guest."""
    tiny_ping_pong(rig, moves=2 * soak(500))


@slow
@only_on("paravane")
def test_tiny_guests(rig):
    """Our own front ends from host to host: memory at work, a disk's hash chains, an interface that a neighbour asks."""
    hosts = Hosts(rig, disk_mib=32, overlays=TINY)
    here, there = hosts.a, hosts.b
    here.machine.check("ip addr add 10.0.0.1/24 dev xenbr0")
    start(here.machine, "worker", "seconds=3600 rate=500 pages=600")
    start(here.machine, "net", "queues=1", more=NIC)
    start(here.machine, "disk", "rounds=1000000 mib=8", memory=24, more="disk = ['phy:/dev/nbd0,xvda,w']")
    until(here.machine, "grep -q '^disk 51712' /var/log/vane/disk.console && grep -q '^net: 1 queues' /var/log/vane/net.console")
    for source, target in (here, there), (there, here):
        for elf in ("worker", "net", "disk"):
            source.machine.check(f"vane migrate --stall-timeout {int(10 * qemu.SCALE)} -s rexec {elf} {target.address}", 300)
            until(target.machine, f"grep -qs 'resumed: 0' /var/log/vane/{elf}*.console")
        assert " 0% packet loss" in here.machine.check("ping -c 5 -i 0.1 -W 5 10.0.0.2", 60)
        until(there.machine, "[ $(vane list | wc -l) = %d ]" % (5 if target is there else 2))
    for elf in ("worker", "net", "disk"):
        here.machine.check(f"vane shutdown {elf}", 60)
        verdict(here.machine, elf)
    hosts.nothing_leaked()
    for host in (here, there):
        healthy(host.machine)
