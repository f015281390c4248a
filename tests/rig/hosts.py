# SPDX-License-Identifier: GPL-2.0-or-later
"""Two hosts, a network, a shared disk, and a guest under observation: what tests of migration stand on.

         .------ cable -------.         10.1.0.0/24: migration, nothing else
    host a                     host b
         '------ switch ------'         10.0.2.0/24: hosts, their guests and the disk (switch.py)
                   |
               this host                10.0.2.2: heartbeats (witness.py) and the disk (nbd.py)

Each host has an event channel past the network (a virtio port), so that what happens is seen also when the
network is what is broken.
"""
import os
import time
import zlib
import struct

import qemu
from nbd import NbdServer
from switch import GATEWAY, Switch, cable
from witness import DomWatch, Heart, Log, disk_order, heart_rules, one_opener, one_runner

CPU = "max,-smap,-smep,-la57"                   # live migration needs protection keys; see docs/caveats.md
FAULT = "/tmp/fault"                             # see rexec.c
BLOCK = 4096
WORN = 20                                        # moves, see Guest.renew()


class Host:
    """One of the hosts: its machine, its address, its event channel."""

    def __init__(self, hosts, name, number, options):
        self.hosts, self.name = hosts, name
        self.state = hosts.rig.file(f"state-{name}", 16 << 20) if options.pop("durable", False) else None
        self.watch_ms = options.pop("watch_ms", 5)
        self.address = f"10.1.0.{number}"           # where the other host finds it
        self.options = options
        self.number = number
        self.cable = None
        self.machine = self.watch = None

    def lose_power(self):
        """As when its plug is pulled: what it has written to its disks is there, and nothing else of it."""
        self.machine.stop()
        self.watch.close()
        self.hosts.log("power", host=self.name)
        for domid, uuid in {(e.domid, e.uuid) for e in self.hosts.log.of("dom") if e.host == self.name}:
            self.hosts.log("vbd", host=self.name, domid=domid, state="closed")
            self.hosts.log("dom", host=self.name, domid=domid, uuid=uuid, state="gone")

    def start(self):
        rig = self.hosts.rig
        machine = rig.machine(**{
            "cpu": CPU, "mem": "1G", "overlays": ["guests.img"], "name": f"host {self.name}",
            "disks": [qemu.Disk("virtio", self.state)] if self.state else [],
            "nics": [self.hosts.switch.nic(self.name, f"52:54:00:00:00:{10 + self.number:02x}"), self.cable],
            "dom0_args": f"pvnet=10.0.2.{10 + self.number}/24,{GATEWAY}", **self.options})
        self.events = os.path.join(machine.dir, "events")
        machine.extra += ["-device", "virtio-serial-pci,disable-legacy=on,iommu_platform=on",
                          "-chardev", f"socket,id=events,path={self.events},server=on,wait=off",
                          "-device", "virtserialport,chardev=events,name=events"]
        self.machine = machine.start()

    def wait_ready(self, timeout=180):
        m = self.machine
        m.wait_ready(timeout)
        self.watch = DomWatch(self.hosts.log, self.name, self.events)
        m.check(f"ip addr add {self.address}/24 dev eth1; ip link set eth1 mtu 9000 up")
        m.check("port=$(grep -lx events /sys/class/virtio-ports/*/name) && port=${port%/name} && "
                f"{{ domwatch {self.watch_ms} & rexec --listen 7000 {FAULT} & }} >/dev/${{port##*/}} 2>/tmp/agents.log")
        if self.state:                              # before the first vane: its records outlive the power
            m.check("mkdir -p /var/lib/vane; mount -t ext4 /dev/vda /var/lib/vane 2>/dev/null || "
                    "{ mkfs.ext4 -q /dev/vda && mount -t ext4 /dev/vda /var/lib/vane; }", 60)
        if self.hosts.disks:
            m.check(f"modprobe nbd nbds_max={len(self.hosts.disks)} max_part=0")
        self.attach_disks()
        self.free = self.free_pages()

    def come_back(self):
        """After lose_power()."""
        self.start()
        self.wait_ready()
        self.hosts.rig.servers.append(self.watch)

    def attach_disks(self):
        for number, disk in enumerate(self.hosts.disks):
            # -timeout: a host without its disk tells its guests so, it does not hang for ever. Again: a back end may still have it.
            self.machine.check(f"i=0; until nbd-client -N {self.name} {GATEWAY} {disk.port} /dev/nbd{number} -timeout 30 "
                               ">/dev/null; do [ $((i=i+1)) -lt 10 ] || exit 1; sleep 1; done", 60)

    def detach_disks(self):
        for number in range(len(self.hosts.disks)):
            self.machine.check(f"nbd-client -d /dev/nbd{number} >/dev/null", 60)

    def eat_memory(self):
        """A domain that never runs takes what memory is free, less what it needs beside its own."""
        self.machine.check("printf 'name=\"hog\"\\ntype=\"pv\"\\nkernel=\"/guests/vmlinuz\"\\n' >/tmp/hog.cfg; "
                           "m=$(vane info | sed -n 's/^free_memory *: *//p'); until vane create -p /tmp/hog.cfg memory=$m; do "
                           "m=$((m-2)); [ $m -gt 64 ] || exit 1; done", 120)

    def free_memory(self):
        self.machine.check("vane destroy hog", 60)

    def plug(self, up=True):
        """Plug the cable to the other host in, or pull it out at this end."""
        self.machine.qmp("set_link", name="net1", up=up)

    def free_pages(self, first=""):
        """Frames in nobody's hands, once the shell has done what is to be done @first."""
        return int(self.machine.check(first + "domwatch --once", 60).split("free ")[1].split()[1])

    def domid(self, name):
        status, text = self.machine.run(f"vane domid {name} 2>/dev/null")
        return int(text.split()[-1]) if status == 0 else None


class Hosts:
    """Both, booted. @disk_mib: size of the disk for a guest's checker, /dev/nbd0 of both (0: none); @images: files that are
    disks of both too, the next ones. @durable: /var/lib/vane of each lies on a disk of its own. @watch_ms: how often domwatch
    looks; it takes a tenth of a CPU at 5. Other options are the machines'."""

    def __init__(self, rig, disk_mib=4, images=(), timeout=180, prepare=lambda hosts: None, say=lambda text: None, a=None, b=None,
                 **options):
        """@prepare(hosts) is called before the first machine starts, @say(text) when something is done. @options are of
        both machines, @a and @b of one."""
        self.rig = rig
        self.log = Log()
        self.begin = time.monotonic()
        self.disk_path = rig.file("shared-disk", disk_mib << 20) if disk_mib else None
        self.disks = [NbdServer(path, self.log) for path in [self.disk_path, *images] if path]
        self.disk = self.disks[0] if disk_mib else None
        rig.servers += self.disks
        self.switch = Switch(["a", "b"], log=os.path.join(qemu.BUILD, "log", rig.hv, f"{rig.name}.switch.log"))
        rig.machines.append(self.switch)
        self.a, self.b = Host(self, "a", 1, {**options, **(a or {})}), Host(self, "b", 2, {**options, **(b or {})})
        self.a.cable, self.b.cable = cable(rig.dir, "ab", ("52:54:00:01:00:01", "52:54:00:01:00:02"))
        prepare(self)
        self.switch.start()
        for host in (self.a, self.b):
            host.start()
        for host in (self.a, self.b):
            host.wait_ready(timeout)
            rig.servers.append(host.watch)
            say(f"host {host.name} is up")

    def other(self, host):
        return self.b if host is self.a else self.a

    def guest(self, name="guest", **options):
        return Guest(self, name, **options)

    def tiny(self, name="guest", **options):
        return TinyGuest(self, name, **options)

    def nothing_leaked(self):
        """The hosts are as they were before the first guest: no domain, no memory held."""
        for host in (self.a, self.b):
            if not host.machine:
                continue
            host.machine.check("i=0; while [ $(vane list | wc -l) != 2 ]; do [ $((i=i+1)) -lt 30 ] || exit 1; sleep 1; done", 60)
            left = host.free - host.free_pages()
            assert abs(left) <= 16, f"host {host.name}: {left} frames are in nobody's hands"


def guest_address(number=1):
    return f"10.0.2.{20 + number}"


class Guest:
    """A guest of Debian's kernel and busybox with the checker in it, its heart heard here. It is on `host`."""

    DISK = "xvda"                                # the checker's

    def __init__(self, hosts, name="guest", number=1, vcpus=1, memory=128, rate=200, mib=8, cold=8, beat=20, disk=True,
                 disk_ms=50, launch=""):
        self.hosts, self.name, self.host = hosts, name, hosts.a
        self.moves = 0                              # since it was created
        self.heart = Heart(hosts.log, name)
        hosts.rig.servers.append(self.heart)
        self.transport = "-s rexec"
        self.launch = launch                        # what starts the checker, as "checker rt 50 "
        self.vcpus, self.memory, self.number = vcpus, memory, number
        self.has_disk = disk and hosts.disk is not None
        self.checker = (f"checker to={GATEWAY}:{self.heart.port} rate={rate} mib={mib} cold={cold} threads={vcpus} "
                        f"beat={beat} disk_ms={disk_ms}" + (f" disk=/dev/{self.DISK}" if self.has_disk else ""))

    def config(self):
        disk = f"disk = ['phy:/dev/nbd0,{self.DISK},w']\n" if self.has_disk else ""
        return (f'name = "{self.name}"\ntype = "pv"\nkernel = "/guests/vmlinuz"\nramdisk = "/guests/domu.img"\n'
                f'extra = "console=hvc0 pvnet={guest_address(self.number)}/24,{GATEWAY}"\n'
                f'memory = {self.memory}\nvcpus = {self.vcpus}\non_crash = "preserve"\n{disk}'
                f"vif = ['bridge=xenbr0,mac=00:16:3e:00:00:{self.number:02x}']\n")

    def create(self):
        m = self.host.machine
        self.since, self.moves = time.monotonic(), 0
        if self.has_disk:                           # of an earlier guest
            os.truncate(self.hosts.disk_path, 0)
            os.truncate(self.hosts.disk_path, self.hosts.disk.size)
        m.check(f"cat >/tmp/{self.name}.cfg <<'END'\n{self.config()}END")
        m.check(f"vane create --wait /tmp/{self.name}.cfg", 180)
        self.start_checker()
        self.heart.wait(10, 60 * qemu.SCALE)
        self.uuid = m.check("vane list -v | awk '$1 == \"" + self.name + "\" { print $7 }'").strip().replace("-", "")
        return self

    def start_checker(self):
        self.host.machine.check(
            f"i=0; until grep -qs 'guest ready' /var/log/vane/{self.name}.console; do "
            f"[ $((i=i+1)) -lt 120 ] || {{ tail /var/log/vane/{self.name}.console; exit 1; }}; sleep 1; done", 300)
        self.type(f"{self.launch}{self.checker} &")

    def type(self, text):
        """A line on the guest's console."""
        m = self.host.machine
        tty = m.check(f"xenstore-read /local/domain/$(vane domid {self.name})/console/tty").strip()
        m.check(f"printf '%s\\n' '{text}' >{tty}")

    def migrate_command(self, target, options=""):
        return f"vane migrate {options} {self.transport} {self.name} {target.address}"

    def migrate(self, options="", timeout=240, progress=lambda line: None):
        """Move it to the other host. The command must succeed; @progress gets each line it prints."""
        target = self.hosts.other(self.host)
        self.hosts.log("migrate", guest=self.name, source=self.host.name, target=target.name)
        options += f" --stall-timeout {int(10 * qemu.SCALE)}"
        for line in self.host.machine.lines(self.migrate_command(target, options) + " 2>&1", timeout):
            progress(line)
        self.hosts.log("done", guest=self.name)
        self.host = target
        self.moves += 1

    def renew(self):
        """After many moves another guest takes its place: Linux' netfront loses its receive buffers at each (docs/caveats.md)."""
        if self.moves >= WORN:
            self.verdict()
            self.destroy()
            self.host = self.hosts.a
            self.create()

    def runs(self, timeout=5.0, count=3):
        """It lives: heartbeats come (again) within @timeout seconds."""
        self.heart.wait(count, timeout * qemu.SCALE)

    def verdict(self, since=None, disk=True):
        """All rules over what has been seen (since the guest was created)."""
        since = since or self.since
        broken = one_runner(self.hosts.log, self.uuid, since) + heart_rules(self.heart, since)
        if self.has_disk and disk:
            broken += disk_order(self.hosts.log, since) + one_opener(self.hosts.log, self.uuid, since) + self.disk_chain()
        assert not broken, "\n".join(broken) + "\n" + self.hosts.log.text(self.hosts.begin)

    def disk_chain(self):
        """The image holds every block that the guest was told is safe, each linked to the one before."""
        with open(self.hosts.disk_path, "rb") as f:
            data = f.read()
        room = len(data) // BLOCK
        reported = max((e.block for e in self.heart.beats(since=self.since)), default=0)
        blocks = {}
        for at in range(0, len(data), BLOCK):
            block = data[at:at + BLOCK]
            magic, number, before, own = struct.unpack_from("<QQII", block)
            if magic == 0x4b4f4c4256415250 and zlib.crc32(block[:20] + bytes(4) + block[24:]) == own:
                blocks[number] = (before, own)
        newest = max(blocks, default=0)
        if newest < reported:
            return [f"I7: block {reported} was acknowledged, the newest on the disk is {newest}"]
        for number in range(max(1, newest - room + 1), newest):
            if number not in blocks:
                return [f"I7: block {number} of {newest} is missing or damaged on the disk"]
            if number + 1 in blocks and blocks[number + 1][0] != blocks[number][1]:
                return [f"I7: block {number + 1} does not follow block {number}"]
        return []

    def destroy(self):
        self.host.machine.check(f"vane destroy {self.name}", 60)


class TinyGuest(Guest):
    """Our own guest, tests/guest/traveller: it tells the witness the same, and moves in a fraction of the time. The hosts need
    the overlay tiny.img."""

    def __init__(self, hosts, name="guest", number=1, memory=12, rate=200, mib=2, cold=1, beat=20, disk=True, disk_ms=50):
        super().__init__(hosts, name, number, memory=memory, disk=disk)
        self.words = (f"ip={guest_address(number)} to={GATEWAY} port={self.heart.port} rate={rate} mib={mib} cold={cold} "
                      f"beat={beat} disk_ms={disk_ms}" + ("" if self.has_disk else " disk=0"))

    def config(self):
        disk = f"disk = ['phy:/dev/nbd0,{self.DISK},w']\n" if self.has_disk else ""
        return (f'name = "{self.name}"\ntype = "pv"\nkernel = "/tiny/traveller.elf"\nextra = "{self.words}"\n'
                f'memory = {self.memory}\non_crash = "preserve"\n{disk}'
                f"vif = ['bridge=xenbr0,mac=00:16:3e:00:00:{self.number:02x}']\n")

    def start_checker(self):
        """It starts with the guest."""

    def renew(self):
        """It loses nothing from move to move."""

    def destroy(self):
        """Asked to end, it says how it fared."""
        m = self.host.machine
        m.check(f"vane shutdown -w {self.name}", 120)
        m.check(f"i=0; until grep -qs '^guest-test traveller: PASS' /var/log/vane/{self.name}*.console; do "
                f"[ $((i=i+1)) -lt 30 ] || {{ tail /var/log/vane/{self.name}*.console; exit 1; }}; sleep 1; done", 60)
