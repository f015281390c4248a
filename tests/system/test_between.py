# SPDX-License-Identifier: GPL-2.0-or-later
"""Domains that go from one hypervisor to the other: Debian's Xen 4.17 with xl at one end, Paravane with vane at the other.

As images, which travel with the guest's disk from machine to machine; and by migration between two hosts.
"""
from guests import console_logs, guest_does, guest_says, write_config
from hosts import Hosts
from scenario import Disk, equal, healthy, only_on, slow

# What the guest's CPU may be is what all machines have. Xen under this emulator: docs/caveats.md.
CPU = "max,-smap,-smep,-pku,-la57"
XEN, OURS = "xen", "paravane"
TOOL = {XEN: "xl", OURS: "vane"}
SAVE = {XEN: "xl save", OURS: "vane save"}
DEVICES = ("disk = ['phy:/dev/sda,xvda,w']\n"
           "vif = ['bridge=xenbr0,mac=00:16:3e:00:00:01']\n")


class Traveller:
    """A Linux guest with a disk and a card, and what it must still be able to do wherever it is."""

    def __init__(self, rig, vcpus=1, extra=""):
        self.rig, self.vcpus, self.extra = rig, vcpus, extra
        self.image, self.disk = rig.file("image", 160 << 20), rig.file("disk", 8 << 20)
        self.size = self.stops = 0

    def machine(self, hv):
        host = self.rig.boot_with_guests(hv=hv, cpu=CPU, mem="2G", smp=2, hv_args="dom0_mem=1G dom0_max_vcpus=1",
                                         disks=[Disk("nvme", self.image), Disk("ahci", self.disk)])
        host.check("ip addr add 192.168.9.1/24 dev xenbr0")
        return host

    def does(self, host, text):
        guest_does(host, "t", text)

    def says(self, host, pattern):
        guest_says(host, "t", pattern, 120)

    def start(self, hv):
        host = self.machine(hv)
        config = write_config(host, "t", 96, self.vcpus, "pvnet=192.168.9.2/24 " + self.extra, DEVICES)
        host.check(f"vane create --wait {config}", 180)
        self.says(host, "guest ready")
        for cpu in range(self.vcpus):           # each of its CPUs counts, to show that it runs and what time is
            self.does(host, f'taskset {1 << cpu} sh -c "while sleep 1; do echo tick{cpu} \\$((n=n+1)); done" &')
        self.does(host, "head -c 1000000 /dev/urandom | tee /dev/shm/data >/dev/xvda; sync")
        self.lives(host)
        return host

    def lives(self, host):
        """Every CPU counts on, the disk holds what was written and takes more, and the network answers."""
        self.stops += 1
        ticks = [self.ticks(host, cpu) for cpu in range(self.vcpus)]
        self.does(host, "echo 3 >/proc/sys/vm/drop_caches; head -c 1000000 /dev/xvda | cmp - /dev/shm/data && "
                        f"echo disk{self.stops} | dd of=/dev/xvda bs=1M seek=4 conv=fsync 2>/dev/null && "
                        f"echo read{self.stops} on $(nproc)")
        self.says(host, f"^read{self.stops} on {self.vcpus}")
        equal(host.check("dd if=/dev/sda bs=1M skip=4 count=1 iflag=direct 2>/dev/null | head -n 1").strip(),
              f"disk{self.stops}", "what the guest wrote")
        host.check("i=0; until ping -c 1 -W 2 192.168.9.2 >/dev/null; do [ $((i=i+1)) -lt 20 ] || exit 1; done", 90)
        for cpu, before in enumerate(ticks):
            host.check(f"i=0; until [ $(cat {console_logs('t')} 2>/dev/null | grep -ac '^tick{cpu} ') -gt {before} ]; do "
                       "[ $((i=i+1)) -lt 60 ] || exit 1; sleep 1; done", 120)

    def ticks(self, host, cpu):
        return int(host.run(f"cat {console_logs('t')} 2>/dev/null | grep -ac '^tick{cpu} '")[1])

    def leave(self, host, save):
        """Save it by @save; the machine is switched off."""
        host.check(f"{save} t /tmp/t.save && dd if=/tmp/t.save of=/dev/nvme0n1 bs=1M conv=fsync 2>/dev/null", 300)
        self.size = int(host.check("stat -c %s /tmp/t.save"))
        if host.hv == OURS:             # Xen's complaints (of a slow emulator's clocks) are not ours
            healthy(host)
        host.stop()

    def arrive(self, hv):
        """Restored by the tool that belongs to hypervisor @hv, it goes on."""
        host = self.machine(hv)
        host.check(f"head -c {self.size} /dev/nvme0n1 >/tmp/t.save && {TOOL[hv]} restore /tmp/t.save", 300)
        status, _ = host.run(f"i=0; until grep -qsa '^tick0' {console_logs('t')}; do [ $((i=i+1)) -lt 60 ] || exit 1; sleep 1; done", 120)
        if status:
            raise host.trouble("it does not go on:\n" + host.run(f"tail -n 60 {console_logs('t')}; xl dmesg | tail -n 30; xl list")[1])
        self.lives(host)
        return host

    def end(self, host):
        host.check(f"{TOOL[host.hv]} destroy t", 60)
        if host.hv == OURS:
            healthy(host)


def journey(rig, *stops, save=SAVE, **options):
    """From hypervisor to hypervisor; @save: how it is saved on each."""
    guest = Traveller(rig, **options)
    host = guest.start(stops[0])
    for hv in stops[1:]:
        guest.leave(host, save[host.hv])
        host = guest.arrive(hv)
    guest.end(host)


@slow
@only_on(OURS)
def test_from_xen_and_back(rig):
    """xl save on Xen, vane restore and vane save on Paravane, xl restore on Xen."""
    journey(rig, XEN, OURS, XEN)


@slow
@only_on(OURS)
def test_one_way(rig):
    journey(rig, XEN, OURS)


@slow
@only_on(OURS)
def test_two_cpus_from_paravane_and_back(rig):
    journey(rig, OURS, XEN, OURS, vcpus=2)


@slow
@only_on(OURS)
def test_two_cpus_from_xen_and_back(rig):
    journey(rig, XEN, OURS, XEN, vcpus=2)


@only_on(OURS)
def test_two_levels(rig):
    """A kernel without FIFO event channels, from either side."""
    journey(rig, XEN, OURS, XEN, extra="xen.fifo_events=0")


@slow
@only_on(OURS)
def test_two_levels_two_cpus_from_paravane(rig):
    journey(rig, OURS, XEN, OURS, vcpus=2, extra="xen.fifo_events=0")


@slow
@only_on(OURS)
def test_packed(rig):
    """vane on Xen packs, vane on Paravane unpacks."""
    journey(rig, XEN, OURS, save={XEN: "vane save --compress --checksum"}, vcpus=2)


# ---- migration

def move(guest, command):
    """@command, told the other host's address, moves the guest there."""
    hosts, source = guest.hosts, guest.host
    target = hosts.other(source)
    hosts.log("migrate", guest=guest.name, source=source.name, target=target.name)
    source.machine.check(command.format(address=target.address), 400)
    hosts.log("done", guest=guest.name)
    guest.host = target
    guest.runs(60)


@slow
@only_on(OURS)
def test_migration(rig):
    """Live from Paravane to xl on Xen; from there suspended, because Xen 4.17 cannot log what a PV guest writes."""
    hosts = Hosts(rig, b={"hv": XEN, "cpu": CPU})
    guest = hosts.guest(vcpus=2).create()
    move(guest, "vane migrate --stall-timeout 60 -s '' guest 'rexec {address} xl migrate-receive'")
    move(guest, "vane migrate --non-live --stall-timeout 60 -s rexec guest {address}")
    move(guest, "xl migrate -s '' guest 'rexec {address} xl migrate-receive'")
    guest.verdict(disk=False)           # xl's receiver opens the disk before the sender has closed it
    equal(guest.disk_chain(), [], "the disk")
    guest.destroy()
    healthy(hosts.a.machine)            # Xen's complaints (of a slow emulator's clocks) are not ours
