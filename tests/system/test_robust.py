# SPDX-License-Identifier: GPL-2.0-or-later
"""Killed commands, dead daemons, full disks, exhausted memory: an error says why, and nothing half made stays."""
import re

from guests import free_memory, nothing_left, tiny, until, vane_says, write_config
from scenario import equal, healthy, slow, soak

TREE = "xenstore-ls -f / | sed 's/ = .*//' | grep -E '^/(local/domain|libxl|vm)' | sort"


class Ledger:
    """What there is before: memory, XenStore, marks, loop devices, interfaces. same() wants it unchanged."""

    def __init__(self, dom0):
        self.dom0, self.memory = dom0, free_memory(dom0)
        dom0.check(f"{TREE} >/tmp/tree; ls /sys/class/net >/tmp/cards")

    def same(self, when):
        self.dom0.check("vane pause nosuch 2>/dev/null; true", 120)        # any command that changes something sweeps
        nothing_left(self.dom0, self.memory)
        status, difference = self.dom0.run(f"{TREE} | diff /tmp/tree - && ls /sys/class/net | diff /tmp/cards -", 60)
        assert status == 0, f"{when}: left in XenStore, or an interface:\n{difference}"


def calls_of(dom0, command):
    """How many system calls @command makes."""
    said = dom0.check(f"VANE_DIRECT=1 killat 0 {command} 2>&1", 120)
    match = re.search(r"ended after (\d+) with 0", said)
    assert match, f"{command}: {said}"
    return int(match.group(1))


def kill_everywhere(rig, points):
    """SIGKILL at @points system calls, spread over all, of create and of destroy, with disk and network."""
    dom0 = rig.boot_with_guests()
    dom0.check("truncate -s 16M /tmp/a")
    config = write_config(dom0, "k", memory=96, more="disk = ['/tmp/a,raw,xvda,w']\nvif = ['bridge=xenbr0']")
    create, destroy = f"vane create -e -q -p {config}", "vane destroy k"
    dom0.check(f"{create} && {destroy}", 180)                       # the kernel is in the cache now
    ledger = Ledger(dom0)
    total = calls_of(dom0, create)
    ends = calls_of(dom0, destroy)
    ledger.same("undisturbed")
    killed = 0
    for n in range(points):
        at = 1 + n * (total - 1) // (points - 1)
        killed += "killed" in dom0.check(f"VANE_DIRECT=1 killat {at} {create} 2>&1; true", 120)
        dom0.check(f"{destroy} 2>/dev/null; true", 60)              # it may have been complete already
        ledger.same(f"create killed at call {at} of {total}")
    for n in range(points):
        at = 1 + n * (ends - 1) // (points - 1)
        dom0.check(create, 120)
        killed += "killed" in dom0.check(f"VANE_DIRECT=1 killat {at} {destroy} 2>&1; true", 120)
        dom0.check(f"{destroy} 2>/dev/null; true", 60)
        ledger.same(f"destroy killed at call {at} of {ends}")
    assert killed >= points, f"only {killed} of {2 * points} were killed before they ended"
    dom0.check(f"{create} && {destroy}", 180)
    ledger.same("after all")
    healthy(dom0)


def test_killed_commands(rig):
    kill_everywhere(rig, 8)


def test_killed_through_the_worker(rig):
    """A command that vaned's worker runs: the client killed at moments spread over it, the worker itself too."""
    dom0 = rig.boot_with_guests()
    dom0.check("truncate -s 16M /tmp/a")
    config = write_config(dom0, "k", memory=96, more="disk = ['/tmp/a,raw,xvda,w']\nvif = ['bridge=xenbr0']")
    create, destroy = f"vane create -p {config}", "vane destroy k"
    dom0.check(f"{create} && {destroy}", 180)                       # vaned runs, and the kernel is in the cache
    until(dom0, "[ -S /run/vane/worker.sock ]")
    ledger = Ledger(dom0)
    took = int(re.search(r"^pvtime (\d+)", dom0.check(f"pvtime {create} && {destroy}", 120), re.M).group(1))
    ledger.same("undisturbed")
    killed = n = 0
    while killed < 5 and n < 40:                # how long it takes varies, so where the kill falls does too
        who = "$(pidof vane-full)" if n % 3 == 2 else "$!"
        until(dom0, "[ $(pidof vane-full | wc -w) = 1 ]")
        if "exists" in dom0.check(f"{create} >/dev/null 2>&1 & usleep {took * (n % 10) // 10}; kill -9 {who} 2>/dev/null; wait; "
                                  f"vane domid k >/dev/null 2>&1 && echo exists; true", 120):
            took = took * 2 // 3                # too late: it takes less time than it did
        else:
            killed += 1
        dom0.check(f"{destroy} 2>/dev/null; true", 60)
        ledger.same(f"killed after {n % 10} tenths of {took} us")
        n += 1
    assert killed >= 3, f"only {killed} of {n} were killed before they ended"
    dom0.check(f"{create} && {destroy}", 180)
    ledger.same("after all")
    healthy(dom0)


@slow
def test_killed_everywhere(rig):
    kill_everywhere(rig, soak(120))


def refused(dom0, command, cause):
    """@command fails with a cause that matches and a hint."""
    status, said = dom0.run(f"{command} 2>&1", 120)
    assert status not in (0, 139, 134), f"{command}: exit status {status}: {said}"
    assert re.search(cause, said), f"{command}: /{cause}/ is not in: {said}"
    assert "hint: " in said, f"{command}: no hint: {said}"


def test_wrong_and_exhausted(rig):
    dom0 = rig.boot_with_guests()
    config = write_config(dom0, "w", memory=96)
    dom0.check("head -c 100000 /dev/urandom >/tmp/garbage; head -c 3000000 /guests/vmlinuz >/tmp/cut; : >/tmp/empty; "
               "truncate -s 16M /tmp/a; mkdir /tmp/folder; modprobe nbd nbds_max=1 max_part=0")
    dom0.check(f"vane create -p {config} 'vif=[\"\"]' 'disk=[\"/tmp/a,raw,xvda,w\"]' && vane destroy w", 120)
    ledger = Ledger(dom0)
    for change, cause in (
            ("memory=1000000", "memory"), ("kernel=\"/nowhere\"", "/nowhere.*No such file"),
            ("kernel=\"/tmp/garbage\"", "kernel /tmp/garbage"), ("kernel=\"/tmp/cut\"", "kernel /tmp/cut"),
            ("kernel=\"/tmp/empty\"", "kernel /tmp/empty"), ("kernel=\"/tmp/folder\"", "kernel /tmp/folder"),
            ("ramdisk=\"/nowhere\"", "ramdisk /nowhere"), ("memory=16", "memory"),
            ("disk=[\"/nowhere,raw,xvda,w\"]", "/nowhere.*No such file"), ("disk=[\"/tmp/folder,raw,xvda,w\"]", "folder"),
            ("disk=[\"/tmp/empty,raw,xvda,w\"]", "smaller than a sector"),
            ("disk=[\"phy:/dev/nbd0,xvda,w\"]", "/dev/nbd0 holds nothing"), ("vif=[\"bridge=none\"]", "no bridge none"),
            ("vif=[\"vifname=lo\"]", "an interface lo exists"), ("pool=\"deep\"", "no CPU pool deep"),
            ("cpus=\"900\"", "cpus= names no CPU"), ("cpuid=\"host,nothing=0\"", "nothing is no CPU feature"),
            ("type=\"hvm\"", "type hvm"), ("name=\"a/b\"", "name cannot be used"),
            ("vif=[\"bridge=xenbr0,script=/nowhere\"]", "cannot run /nowhere"),
            ("disk=[\"/tmp/a,raw,xvda,w,script=/nowhere\"]", "cannot run /nowhere|back end")):
        refused(dom0, f"vane create {config} '{change}'", cause)
        ledger.same(change)
    dom0.check(f"vane create -p {config} 'disk=[\"/tmp/a,raw,xvda,w\"]'", 120)
    refused(dom0, f"vane create {config}", "exists already")
    refused(dom0, f"vane create {config} 'name=\"x\"' 'disk=[\"/tmp/a,raw,xvda,w\"]'", "in use by domain")
    refused(dom0, "vane block-attach w /tmp/a,raw,xvdb,w", "in use by domain")
    refused(dom0, "vane block-attach w /nowhere,raw,xvdb,w", "No such file")
    refused(dom0, "vane network-attach w bridge=none", "no bridge none")
    refused(dom0, "vane mem-set w 100000", "more than the domain's maximum")
    refused(dom0, "vane vcpu-set -i w 9", "can have 1 to 1 vcpus")
    refused(dom0, "vane rename w Domain-0", "exists")
    for command, cause in (("sched-credit2 -d w -c many", "not many"), ("sched-credit2 -d w -w 0", "not 0"),
                           ("vcpu-set w 1x", "Invalid argument 1x"), ("trigger w nmi 4294967296", "no vCPU 4294967296"),
                           ("block-detach w 99999999999999999999", "not connected"), ("mem-set w 99999999999999m", "memory|size|Invalid"),
                           ("save --compress=zlib --level 10 w /tmp/i", "zlib has no level 10")):
        refused(dom0, f"vane {command}", cause)
    dom0.check("vane destroy w")
    ledger.same("refusals")
    dom0.check("rmmod xen-blkback")
    refused(dom0, f"vane create {config} 'disk=[\"/tmp/a,raw,xvda,w\"]'", "back end of vbd 51712 did not open the disk")
    ledger.same("no driver")
    healthy(dom0)


@slow
def test_exhausted_domids(rig):
    """As many domains as there are ids: one more is refused with a hint, and afterwards ids go round."""
    dom0 = rig.boot(overlays=["tiny.img"], mem="4G")
    config = tiny(dom0, "d", 8)
    dom0.check(f"vane create {config} && vane destroy d", 60)
    ledger = Ledger(dom0)
    status, said = dom0.run(f"domfill 40000 vane create -e {config} 2>&1", 1800)
    assert status == 3 and "made 3275" in said, f"{status}: {said}"
    assert "Cannot allocate memory" in said and "hint: " in said, said
    ledger.same("all ids taken")
    dom0.check(f"vane create {config} && vane destroy d", 60)
    ledger.same("afterwards")
    healthy(dom0)


def test_full_disk(rig):
    """/run, the logs and the kernel cache without a byte left: guests still end, and what cannot start says why."""
    dom0 = rig.boot_with_guests()
    config = write_config(dom0, "f", memory=96)
    dom0.check(f"vane create -p {config}", 120)
    dom0.check("mkdir -p /var/cache/vane /var/log/vane; for d in /var/cache/vane /var/log/vane /var/lib/xen; do "
               "mount -t tmpfs -o size=4k none $d; cat /dev/zero >$d/full 2>/dev/null; done; true")
    dom0.check("vane destroy f", 60)
    memory = free_memory(dom0)
    dom0.check(f"vane create {config}", 120)                        # caches and logs are not needed to run
    dom0.check("vane destroy f", 60)
    nothing_left(dom0, memory)
    dom0.check(f"vane create -p {config}", 120)
    dom0.check("mkdir /tmp/keep && cp -a /run/vane/. /tmp/keep && mount -t tmpfs -o size=32k none /run/vane && "
               "cp -a /tmp/keep/. /run/vane && { cat /dev/zero >/run/vane/full 2>/dev/null; true; }")
    dom0.check("vane destroy f", 60)                                # a mark is an empty file
    refused(dom0, f"vane create {config} 'extra=\"console=hvc0 {'x' * 500}\"'", "No space left")
    dom0.check("rm /run/vane/full; vane list")
    nothing_left(dom0, memory)
    dom0.check(f"vane create {config} && vane destroy f", 120)
    nothing_left(dom0, memory)
    healthy(dom0)


def test_dead_vaned(rig):
    """kill -9 at any moment of a reboot: vaned comes back, and the guest, once. Its parent restarts it; with that one
    killed too the next command that needs it does."""
    dom0 = rig.boot(overlays=["tiny.img"])
    config = tiny(dom0, "d", 8)
    before = free_memory(dom0)
    dom0.check(f"vane create {config}", 120)
    for number, ms in enumerate((0, 20, 50, 100, 200, 400)):
        first = dom0.check("vane domid d").strip()
        who = "$(pidof vaned)" if number % 2 else "$(cat /run/vane/vaned.lock)"
        dom0.check(f"vane reboot d && usleep {ms}000; kill -9 {who}", 60)
        if number % 2:
            dom0.check("vane events --once >/dev/null")
        until(dom0, f"[ \"$(vane domid d)\" -gt {first} ]")
        until(dom0, "[ $(vane list | wc -l) = 3 ]")                 # the old one is gone
    dom0.check("kill -9 $(pidof vaned); vane shutdown d", 60)       # which wants on_poweroff to be obeyed
    nothing_left(dom0, before)
    dom0.check("kill $(cat /run/vane/vaned.lock); i=0; while pidof vaned; do [ $((i=i+1)) -lt 30 ] || exit 1; sleep 1; done", 60)
    healthy(dom0)


def test_dead_xenconsoled(rig):
    """Guests whose console vaned keeps do not notice; a console that nobody serves says so."""
    dom0 = rig.boot(overlays=["tiny.img"])
    before = free_memory(dom0)
    dom0.check("kill -9 $(pidof xenconsoled)")
    dom0.check(f"vane create {tiny(dom0, 'v', 8, extra='seconds=1')}", 60)
    vane_says(dom0, "v", "^worker: ")
    nothing_left(dom0, before)
    dom0.check(f"kill $(cat /run/vane/vaned.lock); vane create -e {tiny(dom0, 'x', 8)}", 60)
    refused(dom0, "vane console x", "no console connected")
    dom0.check("/usr/lib/xen-4.17/bin/xenconsoled --log=guest --log-dir=/var/log/xen/console && vane shutdown -w x", 60)
    until(dom0, "grep -qs '^worker: ' /var/log/xen/console/guest-x.log")
    nothing_left(dom0, before)
    healthy(dom0)


def restart_xenstored(dom0):
    dom0.check("/usr/lib/xen-4.17/bin/xenstored --pid-file=/run/xen/xenstored.pid && /usr/lib/xen-4.17/bin/xen-init-dom0 >/dev/null")
    until(dom0, "vane list 2>/dev/null | grep -q Domain-0")


def test_dead_xenstored(rig):
    """Commands say so at once; killed under a create it costs that domain, and the next command finds nothing half made."""
    dom0 = rig.boot(overlays=["tiny.img"])
    config = tiny(dom0, "d", 8)
    dom0.check(f"vane create -e {config} && vane destroy d", 120)
    before = free_memory(dom0)
    dom0.check(f"vane create -p {config}", 120)
    dom0.check("kill -9 $(pidof xenstored); while pidof xenstored >/dev/null; do usleep 10000; done")
    for command in ("list", "destroy d", f"create {config}", "domid d", "shutdown d", "console d", "mem-set d 8"):
        refused(dom0, f"timeout 200 vane {command}", "XenStore")
    restart_xenstored(dom0)
    rows = dom0.check("vane list").splitlines()
    equal(len(rows), 3, "rows of vane list: the guest that xenstored has forgotten is still there")
    dom0.check("vane destroy " + rows[2].split()[1], 60)
    nothing_left(dom0, before)
    killed = 0
    for ms in (10, 30, 60, 100, 160, 240):
        status, said = dom0.run(f"vane create -e -p {config} 2>&1 & p=$!; usleep {ms}000; kill -9 $(pidof xenstored); wait $p", 120)
        restart_xenstored(dom0)
        if status:
            killed += 1
            assert "XenStore" in said and "hint: " in said, f"xenstored killed after {ms} ms: {said}"
            dom0.check("vane pause nosuch 2>/dev/null; true", 60)   # sweeps
        else:
            dom0.check("vane destroy $(vane list | tail -n 1 | tr -s ' ' | cut -d ' ' -f 2)", 60)
        nothing_left(dom0, before)
    assert killed, "xenstored always outlived the create"
    dom0.check(f"vane create -e {config} && vane shutdown -w d", 120)
    nothing_left(dom0, before)
