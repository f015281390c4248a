# SPDX-License-Identifier: GPL-2.0-or-later
"""A day's work of an operator, the same lines for vane and for Debian's xl, on Paravane and on Xen 4.17."""
from guests import console_logs, free_memory, guest_does, guest_says, nothing_left, tiny, until, write_config
from scenario import equal, healthy, only_on, slow


# Who restarts a guest says here why he did not: xl's background process, or vaned.
WHY_NOT = "xl list; tail -n 20 /var/log/xen/xl-*.log /var/log/vane/events.log"


def field(dom0, tool, name, column):
    """A column of the guest's row of `list`."""
    return dom0.check(f"{tool} list {name}").splitlines()[-1].split()[column]


def started(dom0, tool, name):
    dom0.check(f"rm -f /var/log/xen/console/guest-{name}.log /var/log/vane/{name}.console")
    dom0.check(f"{tool} create /tmp/{name}.cfg", 180)
    guest_says(dom0, name, "guest ready", 120)


def devices(dom0, tool):
    dom0.check(f"{tool} block-attach job file:/tmp/b,xvdb,w && {tool} network-attach job bridge=xenbr0", 180)
    equal(dom0.check(f"{tool} block-list job | wc -l").strip(), "3", "rows of block-list")
    equal(dom0.check(f"{tool} network-list job | wc -l").strip(), "3", "rows of network-list")
    until(dom0, "[ $(xenstore-ls -f /local/domain/0/backend | grep -cE 'v(bd|if)/.*/state = \"4\"') = 4 ]")
    guest_does(dom0, "job", "echo from-''guest | dd of=/dev/xvdb conv=fsync 2>/dev/null; echo cards $(ls /sys/class/net)")
    guest_says(dom0, "job", "^cards eth0 eth1 lo")
    equal(dom0.check("head -c 10 /tmp/b"), "from-guest", "what the guest wrote")
    dom0.check(f"{tool} block-detach job xvdb && {tool} network-detach job 1", 180)
    equal(dom0.check(f"{tool} block-list job | wc -l").strip(), "2", "rows of block-list")


def sizes(dom0, tool):
    dom0.check(f"{tool} mem-set job 96")
    until(dom0, f"[ $({tool} list job | tail -n 1 | tr -s ' ' | cut -d ' ' -f 3) = 96 ]")
    dom0.check(f"{tool} mem-set job 128 && {tool} vcpu-set -i job 1")
    until(dom0, f"[ $({tool} list job | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4) = 1 ]")
    dom0.check(f"{tool} vcpu-set -i job 2 && {tool} vcpu-pin job 0 0 && {tool} sched-credit2 -d job -w 512")
    equal(dom0.check(f"{tool} sched-credit2 -d job").split()[-2:], ["512", "0"], "weight and cap")


def questions(dom0, tool):
    number = dom0.check(f"{tool} domid job").strip()
    equal(dom0.check(f"{tool} domname {number}").strip(), "job", "domname")
    assert "job" in dom0.check(f"{tool} vm-list") and "job" in dom0.check(f"{tool} uptime job")
    assert "total_memory" in dom0.check(f"{tool} info") and dom0.check(f"{tool} dmesg").strip()
    dom0.check(f"{tool} pause job")
    until(dom0, f"{tool} list job | grep -q -- '--p---'")
    dom0.check(f"{tool} unpause job && {tool} sysrq job h")
    guest_says(dom0, "job", "sysrq: HELP")
    dom0.check(f"{tool} rename job work && {tool} list work && {tool} rename work job")
    dom0.check(f"{tool} dump-core job /tmp/core && head -c 4 /tmp/core | grep -q ELF; rm -f /tmp/core", 300)


def saved_and_restored(dom0, tool):
    guest_does(dom0, "job", "while sleep 1; do echo ti''ck $((n=n+1)); done")
    guest_says(dom0, "job", "^tick 2")
    dom0.check(f"{tool} save job /tmp/image", 300)
    dom0.check(f"{tool} restore /tmp/image && rm /tmp/image", 300)
    guest_says(dom0, "job", "^tick [6-9]", 120)


def a_day(dom0, tool):
    before = free_memory(dom0)
    dom0.check("truncate -s 16M /tmp/a /tmp/b")
    write_config(dom0, "job", vcpus=2, more="disk = ['/tmp/a,raw,xvda,w']\nvif = ['bridge=xenbr0']")
    started(dom0, tool, "job")
    equal([field(dom0, tool, "job", column) for column in (0, 2, 3)], ["job", "128", "2"], f"row of {tool} list")
    questions(dom0, tool)
    devices(dom0, tool)
    sizes(dom0, tool)
    saved_and_restored(dom0, tool)
    dom0.check(f"{tool} destroy job", 60)
    nothing_left(dom0, before)
    started(dom0, tool, "job")
    number = field(dom0, tool, "job", 1)
    dom0.check(f"{tool} reboot job")
    until(dom0, f"[ $(cat {console_logs('job')} 2>/dev/null | grep -c 'guest ready') = 2 ]", 180, WHY_NOT)
    assert field(dom0, tool, "job", 1) != number, "the reboot kept the domain's number"
    dom0.check(f"{tool} shutdown -w job", 180)
    nothing_left(dom0, before)


def rebooted(dom0, tool):
    """A guest that takes a moment to boot, twice: the name is there again under another number."""
    before = free_memory(dom0)
    dom0.check(f"{tool} create {tiny(dom0, 'quick', 8)}", 120)
    for _ in range(2):
        number = field(dom0, tool, "quick", 1)
        dom0.check(f"{tool} reboot quick")
        until(dom0, f"n=$({tool} domid quick 2>/dev/null) && [ $n != {number} ]", tell=WHY_NOT)
    dom0.check(f"{tool} shutdown -w quick", 120)
    nothing_left(dom0, before)


def test_vane(rig):
    dom0 = rig.boot_with_guests(mem="2G", hv_args="dom0_mem=768M")
    a_day(dom0, "vane")
    healthy(dom0)


@slow
def test_xl(rig):
    dom0 = rig.boot_with_guests(mem="2G", hv_args="dom0_mem=768M")
    a_day(dom0, "xl")
    healthy(dom0)


def test_xl_reboots(rig):
    dom0 = rig.boot(overlays=["tiny.img"])
    rebooted(dom0, "xl")
    healthy(dom0)


def on_xen(rig, overlays):
    """`make check` runs on our hypervisor; these scenarios are the part of it that holds vane against Xen 4.17."""
    rig.hv = "xen"
    return rig.boot(overlays=overlays, mem="2G", hv_args="dom0_mem=768M")


@only_on("paravane")
def test_vane_on_xen_in_short(rig):
    dom0 = on_xen(rig, ["guests.img", "tiny.img"])
    rebooted(dom0, "vane")
    before = free_memory(dom0)
    dom0.check("truncate -s 16M /tmp/a /tmp/b")
    write_config(dom0, "job", vcpus=2, more="disk = ['/tmp/a,raw,xvda,w']\nvif = ['bridge=xenbr0']")
    started(dom0, "vane", "job")
    devices(dom0, "vane")
    dom0.check("vane destroy job", 60)
    nothing_left(dom0, before)
    healthy(dom0)


@slow
@only_on("paravane")
def test_vane_on_xen(rig):
    dom0 = on_xen(rig, ["guests.img"])
    a_day(dom0, "vane")
    healthy(dom0)
