# SPDX-License-Identifier: GPL-2.0-or-later
"""Live migration between two hosts: what a client notices, what a round costs, how much of the link is used.

The dirty rate is set against the link: the rate that the idle guest's migration reached is what the link carries.
Heartbeats come every 20 ms; the gap is the longest silence that their receiver saw.
"""
import json
import time

import figures
from hosts import CPU, Hosts
from witness import gaps

PAGE = 4096
ROUND_SIZES = (96, 4096)                        # MiB; Debian's kernel does not fit into 64


def move(guest, options=""):
    """Migrate; (seconds, longest silence, heartbeats lost, lines of progress)."""
    lines = []
    begin = time.monotonic()
    time.sleep(1)
    guest.migrate("--progress=json " + options, progress=lines.append)
    seconds = time.monotonic() - begin - 1
    guest.runs(30, 25)
    beats = guest.heart.beats(since=begin)
    lost = beats[-1].seq - beats[0].seq + 1 - len(beats)
    return seconds, max(gaps([e.at for e in beats])), lost, [json.loads(line) for line in lines if line.startswith("{")]


def link_rate(lines):
    """Bytes a second of the first round: all of memory, at full speed."""
    first = [line for line in lines if line.get("round") == 1 and line.get("pages")]
    return first[0]["link_rate"]


def service_gap(rig, rounds, table):
    """What a client notices: of Linux, and of our own guest, whose resume takes the emulator less time."""
    hosts = Hosts(rig, overlays=["guests.img", "tiny.img"], watch_ms=20)       # a witness that does not hold up what it sees
    for what, make in (("Linux", hosts.guest), ("tiny guest", hosts.tiny)):
        guest = make(memory=192, rate=0, mib=32, disk=False).create()
        idle = [move(guest) for _ in range(rounds + 1)]
        rate = link_rate(idle[-1][3])
        busy_pages = rate // 2 // PAGE
        guest.heart.send(f"rate {busy_pages}")
        time.sleep(1)
        busy = [move(guest) for _ in range(rounds + 1)]
        guest.verdict()
        guest.destroy()
        table.value(f"service gap, idle, {what}", 1000 * figures.median([m[1] for m in idle]), "ms")
        table.value(f"heartbeats lost, idle, {what} (most of all moves)", max(m[2] for m in idle), "", 0)
        table.value(f"what the link carries, {what}", rate / 2**20, "MiB/s")
        table.value(f"service gap, {busy_pages:,} pages/s dirtied (half the link), {what}",
                    1000 * figures.median([m[1] for m in busy]), "ms", 300)
        table.value(f"heartbeats lost, half the link, {what}", max(m[2] for m in busy), "")


def close(rig):
    """End the machines of one measurement; the rig lives on."""
    for machine in rig.machines:
        machine.stop()
    rig.machines.clear()


def round_start(rig, table):
    """What starting a round takes in guests of two sizes, on one host, in instructions (a nanosecond each)."""
    dom0 = rig.boot_with_guests(cpu=CPU, mem="6G", hv_args="dom0_mem=768M", icount=True)
    took = []
    for mib in ROUND_SIZES:
        dom0.check(f"cat >/tmp/size.cfg <<'END'\nname = \"size{mib}\"\ntype = \"pv\"\nkernel = \"/guests/vmlinuz\"\n"
                   f"ramdisk = \"/guests/domu.img\"\nextra = \"console=hvc0\"\nmemory = {mib}\nEND")
        dom0.check("vane create /tmp/size.cfg", 180)
        dom0.check(f"i=0; until grep -qs 'guest ready' /var/log/vane/size{mib}.console; do [ $((i=i+1)) -lt 120 ] || exit 1; sleep 1; done", 300)
        took.append([int(n) for n in dom0.check(f"logcost $(vane domid size{mib})", 300).split()[-2:]])
        dom0.check(f"vane destroy size{mib}", 60)
    for what, (small, large), aim in zip(("start of a round: vCPUs stand still", "start and fetching the map"), zip(*took), (1.1, None)):
        table.add([f"{what}, {ROUND_SIZES[0]} MiB against {ROUND_SIZES[1]} MiB", f"{small:,} instr", f"{large:,} instr",
                   figures.show(large / small)], figures.verdict(large / small, aim))


def netcat(hosts, size):
    """Bytes a second that nc moves over the cable; all of them must arrive."""
    a, b = hosts.a.machine, hosts.b.machine
    # An input that never ends: at the end of its own, busybox's nc ends the other. dd, because head and wc go byte by byte.
    b.check("rm -f /tmp/got /tmp/never; mkfifo /tmp/never; "
            "( nc -l -p 9000 <>/tmp/never | dd of=/dev/null bs=64k iflag=fullblock 2>/tmp/got ) & true")
    time.sleep(2)
    begin = time.monotonic()
    a.check(f"dd if=/dev/zero bs=64k count={size >> 16} 2>/dev/null | nc {hosts.b.address} 9000", 300)
    seconds = time.monotonic() - begin
    got = b.check("i=0; until grep 'records in' /tmp/got; do [ $((i=i+1)) -lt 60 ] || exit 1; sleep 1; done", 90)
    assert got.startswith(f"{size >> 16}+0 "), f"nc moved {got} of {size >> 16} pieces"
    return size / seconds


def against_nc(rig, table):
    """A guest of 1 GiB whose memory is full and at rest, beside nc over the same cable."""
    hosts = Hosts(rig, mem="2G")
    guest = hosts.guest(memory=1024, rate=0, cold=900, disk=False).create()
    nc = netcat(hosts, 256 << 20)
    seconds, _, _, lines = move(guest)
    moved = max(line.get("bytes", 0) for line in lines) / seconds
    table.add(["1 GiB guest at rest, memory full", f"nc {nc / 2**20:.1f} MiB/s", figures.show(moved / 2**20, "MiB/s"),
               figures.show(moved / nc)], figures.verdict(moved / nc, 0.8, more=True))
    table.value("the whole of it took", seconds, "s")


def measure(rig, rounds):
    table = figures.Table("migrate", "Live migration between two hosts (1 CPU each, guest with 1 vCPU)",
                          ["", "compared with", "Paravane with vane", "ratio"])
    service_gap(rig, rounds, table)
    close(rig)
    round_start(rig, table)
    close(rig)
    against_nc(rig, table)
    return [table]
