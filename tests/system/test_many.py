# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests of many sizes, sizes that change while they run, and many guests at once."""
import re

from guests import free_memory, nothing_left, tiny, until, vane_does, vane_says, write_config
from scenario import equal, healthy, slow, soak

ONLINE = "for c in /sys/devices/system/cpu/cpu*/online; do echo 1 >$c 2>/dev/null; done"


def megabytes(dom0, name):
    return int(dom0.check(f"vane list {name}").splitlines()[-1].split()[2])


def one_size(dom0, memory, vcpus):
    """Debian's kernel finds the CPUs and the memory it was given."""
    before = free_memory(dom0)
    dom0.check("rm -f /var/log/vane/size.console; vane create " + write_config(dom0, "size", memory, vcpus), 600)
    vane_says(dom0, "size", "guest ready", 300)
    vane_does(dom0, "size", "echo cpus $(nproc) mem $(free -m | grep Mem: | tr -s \" \" | cut -d \" \" -f 2)")
    vane_says(dom0, "size", "^cpus [0-9]+ mem [0-9]+")
    said = re.search(r"^cpus (\d+) mem (\d+)", dom0.check("cat /var/log/vane/size.console"), re.M)
    equal(int(said.group(1)), vcpus, f"CPUs of a guest of {memory} MiB")
    assert 0.80 * memory - 60 < int(said.group(2)) <= memory, f"{said.group(2)} of {memory} MiB are usable"
    equal(megabytes(dom0, "size"), memory, "memory in vane list")
    dom0.check("vane shutdown -w size", 300)
    nothing_left(dom0, before)


def smallest(dom0):
    """A tiny guest in 4, 8 and 32 MiB."""
    before = free_memory(dom0)
    for memory in (4, 8, 32):
        dom0.check(f"vane create {tiny(dom0, 'tiny', memory)} && vane shutdown -w tiny", 120)
        nothing_left(dom0, before)


def test_sizes(rig):
    dom0 = rig.boot(overlays=["guests.img", "tiny.img"], smp=2, mem="2304M")
    smallest(dom0)
    one_size(dom0, 96, 1)
    one_size(dom0, 1536, 8)
    healthy(dom0)


@slow
def test_all_sizes(rig):
    dom0 = rig.boot(overlays=["guests.img", "tiny.img"], smp=2, mem="9728M")
    smallest(dom0)
    for vcpus in range(1, 9):
        one_size(dom0, 256, vcpus)
    for memory in (96, 128, 256, 512, 1024, 2048, 4096, 8192):
        one_size(dom0, memory, 2)
    healthy(dom0)


def test_balloon_and_hotplug(rig):
    """Memory down and up, its limit, CPUs off and on; the guest agrees each time, and so does the ledger."""
    dom0 = rig.boot_with_guests(smp=2)
    before = free_memory(dom0)
    config = write_config(dom0, "b", memory=256, vcpus=2, more="maxmem = 320\nmaxvcpus = 4")
    dom0.check(f"vane create {config}", 120)
    vane_says(dom0, "b", "guest ready")
    for target in (128, 320, 192, 256):
        dom0.check(f"vane mem-set b {target}")
        until(dom0, f"[ $(vane list b | tail -n 1 | tr -s ' ' | cut -d ' ' -f 3) = {target} ]")
    assert dom0.run("vane mem-set b 400")[0] != 0, "mem-set above maxmem was accepted"
    assert dom0.run("vane mem-max b 100")[0] != 0, "mem-max below the guest's memory was accepted"
    assert before - free_memory(dom0) - 256 in range(0, 8), "the guest's memory in the ledger"

    for n in (4, 1, 3):
        dom0.check(f"vane vcpu-set -i b {n}")
        vane_does(dom0, "b", f"sleep 1; {ONLINE}; echo now $(nproc) of {n}")
        until(dom0, f"{{ xenstore-exists /none; [ $(vane vcpu-list b | grep -cE ' [-r][b-]-  ') = {n} ]; }}")
    vane_says(dom0, "b", "^now 4 of 4")
    vane_says(dom0, "b", "^now 3 of 3")
    assert dom0.run("vane vcpu-set -i b 5")[0] != 0, "more CPUs than maxvcpus were accepted"
    dom0.check("vane shutdown -w b", 120)
    nothing_left(dom0, before)
    healthy(dom0)


# Each guest reads its own disk and its own file over the network, several times, writes what it read next to it, and
# says what it saw; Dom0 then looks at the disk. $N is the guest's number.
WORK = ("for r in 1 2 3; do wget -q -O- http://192.168.9.1/$N | sha256sum >/tmp/net.$r & "
        "dd if=/dev/xvda bs=1M count=4 2>/dev/null | sha256sum >/tmp/disk.$r; wait; done; "
        "wget -q -O- http://192.168.9.1/$N | dd of=/dev/xvda bs=1M seek=4 conv=fsync 2>/dev/null; "
        "echo; echo saw $(cat /tmp/net.? /tmp/disk.? | sort -u | cut -d \" \" -f 1) end")


def crowd(rig, count, mem):
    dom0 = rig.boot_with_guests(smp=2, mem=mem, hv_args="dom0_mem=1G")
    before = free_memory(dom0)
    dom0.check("ip addr add 192.168.9.1/24 dev xenbr0; mkdir /tmp/www && httpd -h /tmp/www; "
               f"for n in $(seq {count}); do head -c 4194304 /dev/urandom >/tmp/www/$n; head -c 4194304 /dev/urandom >/tmp/d$n; "
               "truncate -s 8M /tmp/d$n; done", 120)
    for n in range(1, count + 1):
        config = write_config(dom0, f"g{n}", memory=96, extra=f"pvnet=192.168.9.{n + 1}/24",
                              more=f"disk = ['/tmp/d{n},raw,xvda,w']\nvif = ['bridge=xenbr0']")
        dom0.check(f"vane create {config}", 180)
    for n in range(1, count + 1):
        vane_says(dom0, f"g{n}", "guest ready", 300)
    for n in range(1, count + 1):
        vane_does(dom0, f"g{n}", "stty -echo")
        vane_does(dom0, f"g{n}", f"N={n}; {WORK}")
    for n in range(1, count + 1):
        vane_says(dom0, f"g{n}", "^saw .* end", 600)
        saw = re.search(r"^saw (.*) end", dom0.check(f"cat /var/log/vane/g{n}.console"), re.M).group(1).split()
        want = dom0.check(f"sha256sum /tmp/www/{n}; head -c 4194304 /tmp/d{n} | sha256sum").split()
        equal(sorted(saw), sorted([want[0], want[2]]), f"what guest {n} read, three times each")
        dom0.check(f"dd if=/tmp/d{n} bs=1M skip=4 2>/dev/null | cmp - /tmp/www/{n}", 60)
    dom0.check("vane shutdown -a -w", 600)
    nothing_left(dom0, before)
    healthy(dom0)


@slow
def test_four_guests_with_disk_and_network(rig):
    crowd(rig, 4, "2G")


@slow
def test_sixteen_guests_with_disk_and_network(rig):
    crowd(rig, 16, "3584M")


@slow
def test_hundred_tiny_guests(rig):
    """On a host of 4 GiB; all of them live, and after all are gone nothing is missing."""
    dom0 = rig.boot(overlays=["tiny.img"], smp=2, mem="4G", hv_args="dom0_mem=1G")
    config = tiny(dom0, "tiny", 8)
    dom0.check(f"vane create {config} && vane destroy tiny", 120)
    before, count = free_memory(dom0), soak(100)
    for n in range(count):
        dom0.check(f"vane create -q {config} 'name=\"t{n}\"'", 120)
    equal(dom0.check("vane list | grep -c '^t'").strip(), str(count), "guests")
    equal(dom0.check("vane vm-list | grep -c ' t'").strip(), str(count), "guests in vm-list")
    dom0.check("vane shutdown -a -w >/dev/null", 600)
    nothing_left(dom0, before)
    healthy(dom0)
