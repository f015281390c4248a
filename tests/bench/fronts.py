# SPDX-License-Identifier: GPL-2.0-or-later
"""Our front ends in tiny guests: from create to the first reply, and throughput beside Linux's own front ends.

Everything but the first row runs on Paravane, one guest at a time, on the same disk image and bridge. Both disks do the
same: 4 MiB under way, data copied from and to a buffer that is not the device's, a flush behind the last write. Each goes
over the disk several times; the first time does not count (the back end maps its grants then, and the toolstack has not
done with the new guest).
"""
import re

import figures
import guest_io
import pair

AIM = 1.0
PASSES = 3
UNDER_WAY_MIB = 4                       # of our front end: 32 requests of 32 pages
ADDRESS, MAC = "192.168.9.3", "00:16:3e:00:00:03"
TINY = """name = "%(name)s"
type = "pv"
kernel = "/tiny/%(elf)s.elf"
extra = "%(extra)s"
memory = %(memory)d
%(more)s
"""
FLOOD = {"round trips of 100 bytes, one at a time": "4 100 1", "round trips of 1,400 bytes, 32 under way": "4 1400 32"}


def write_tiny(host, elf, extra, more, memory=16):
    text = TINY % {"name": elf, "elf": elf, "extra": extra, "more": more, "memory": memory}
    host.dom0.check(f"cat >/tmp/{elf}.cfg <<'END'\n{text}END")


def prepare_network(host):
    """No ARP in what follows: a request that comes too early costs a second."""
    host.dom0.check(f"ip addr replace {guest_io.DOM0}/24 dev xenbr0; "
                    f"/bin/ip neigh replace {ADDRESS} lladdr {MAC} dev xenbr0 nud permanent")
    write_tiny(host, "net", f"ip={ADDRESS}", f"vif = ['bridge=xenbr0,mac={MAC}']")


def first_reply(host):
    host.sample("first reply", f"sh -c '{host.tool} create /tmp/net.cfg >/dev/null && pvio first {ADDRESS} 7 30 >/dev/null'")
    host.destroy("net")


def tiny_network(host):
    """{what: replies a second}"""
    host.dom0.check("vane create /tmp/net.cfg", 120)
    host.dom0.check(f"pvio first {ADDRESS} 7 30", 60)
    rates = {what: guest_io.rate(host.dom0.check(f"pvio flood {ADDRESS} 7 {how}")) for what, how in FLOOD.items()}
    host.destroy("net")
    return rates


def linux_network(host, name):
    pair.guest_does(host.dom0, name, "pvio echo 7 & p=$!")
    rates = {what: guest_io.rate(host.dom0.check(f"sleep 1; pvio flood {guest_io.GUEST} 7 {how}")) for what, how in FLOOD.items()}
    pair.guest_does(host.dom0, name, "kill $p")
    return rates


def tiny_disk(host):
    """{what: MiB a second} as the disk exerciser prints it."""
    write_tiny(host, "disk", f"rounds=0 mib={guest_io.DISK_MIB} passes={1 + PASSES}", "disk = ['file:/tmp/disk,xvda,w']")
    host.dom0.check("vane create /tmp/disk.cfg", 120)
    pair.guest_says(host.dom0, "disk", "^guest-test", 240)
    text = host.dom0.check("cat /var/log/vane/disk.console")
    pair.gone(host.dom0, "disk")
    host.forget_console("disk")
    rates = {"write": [], "read": []}
    for verb, kib, us in re.findall(r"^blk-throughput (\w+): (\d+) KiB in (\d+) us", text, re.M):
        rates[verb].append(int(kib) / 1024 / (int(us) / 1e6))
    return {verb: figures.median(each[1:]) for verb, each in rates.items()}


def linux_disk(host, name):
    rates = {"write": [], "read": []}
    for verb in ("write", "read") * (1 + PASSES):
        line = host.in_guest(name, f"pvio disk-{verb} /dev/xvda {guest_io.DISK_MIB} {UNDER_WAY_MIB}", r"^pvio .*").group(0)
        rates[verb].append(guest_io.rate(line))
    return {verb: figures.median(each[1:]) for verb, each in rates.items()}


def measure(rig, rounds):
    options = {"overlays": ["guests.img", "tiny.img"], "mem": "2G", "hv_args": "dom0_mem=1G"}
    two = pair.both(rig, **options)
    for host in two.values():
        prepare_network(host)
    for _ in range(rounds + 1):
        for host in two.values():
            first_reply(host)
    first = figures.against_xen("first", "a tiny guest's first reply (1 CPU)")
    first.compare("from the start of create to the first UDP reply",
                  *(figures.median(two[hv].samples["first reply"][1:]) for hv in ("xen", "paravane")), "s")
    two["xen"].dom0.stop()

    host = two["paravane"]
    linux, tiny = [], []
    for turn in range(rounds):
        guest_io.prepare(host, f"linux{turn}")
        linux.append({**linux_network(host, f"linux{turn}"), **linux_disk(host, f"linux{turn}")})
        host.destroy(f"linux{turn}")
        tiny.append({**tiny_network(host), **tiny_disk(host)})
    table = figures.Table("fronts", "our front ends beside Linux's, on Paravane (1 CPU)",
                          ["", "Linux's front end", "our front end", "ratio"])
    for what in list(FLOOD) + ["read", "write"]:
        theirs, ours = (figures.median([r[what] for r in runs if what in r]) for runs in (linux, tiny))
        unit = "/s" if what in FLOOD else "MiB/s"
        share = figures.ratio(ours, theirs)
        table.add([("UDP, " if what in FLOOD else "disk, ") + what, figures.show(theirs, unit), figures.show(ours, unit),
                   figures.show(share)], figures.verdict(share, AIM, more=True))
    return [first, table]
