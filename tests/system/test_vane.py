# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests made by vane: the same on our hypervisor and on Xen 4.17."""
import json
import re

from guests import free_memory, nothing_left, until, vane_does, vane_says, write_config
from scenario import equal, healthy, only_on, slow


def long_list(dom0, tool):
    """What programs look for in `list -l`."""
    config = json.loads(dom0.check(f"{tool} list -l t"))[0]["config"]
    return [config["c_info"][key] for key in ("name", "uuid", "type")] + [config["b_info"][key] for key in (
        "max_vcpus", "avail_vcpus", "max_memkb", "target_memkb", "sched_params", "kernel", "cmdline", "ramdisk")]


def test_tables_are_those_of_xl(rig):
    dom0 = rig.boot_with_guests()
    dom0.check("vane create -p " + write_config(dom0, "t", vcpus=2), 180)
    for table in ("list t", "list -v t", "list -c t", "vcpu-list t", "cpupool-list", "sched-credit2", "vm-list",
                  "domid t", "domname 0", "block-list t", "network-list t", "info"):
        equal(dom0.check(f"vane {table} | grep -v '^free_memory'"), dom0.check(f"xl {table} | grep -v '^free_memory'"), table)
    for wrong in ("list nosuch", "destroy nosuch", "create /nosuch.cfg", "frob", "list -z", "domid", "list -h", "-N destroy t",
                  "cpupool-list nosuch", "sched-credit2 -p nosuch", "sched-credit2 -d t -w 0", "sched-credit2 -d t -s",
                  "vcpu-pin t 0 foo", "-N vcpu-pin t 0 0", "shutdown"):
        equal(dom0.run(f"vane {wrong}")[0], dom0.run(f"xl {wrong}")[0], f"status of {wrong}")
    dom0.check("xl sched-credit2 -d t -w 300 -c 50")
    equal(long_list(dom0, "vane"), long_list(dom0, "xl"), "list -l")
    dom0.check("vane destroy t")
    healthy(dom0)


def test_life(rig):
    """Create, console, reboot with the name always there, shutdown; nothing left."""
    dom0 = rig.boot_with_guests()
    before = free_memory(dom0)
    dom0.check("vane create --wait " + write_config(dom0, "one", vcpus=2), 180)
    vane_says(dom0, "one", "guest ready")
    vane_does(dom0, "one", "echo an''swer $((6*7)) on $(nproc)")
    vane_says(dom0, "one", "^answer 42 on 2")
    first = dom0.check("vane domid one").strip()
    dom0.check("vane reboot one")
    dom0.check(f"i=0; while vane domid one >/tmp/id; do [ $(cat /tmp/id) = {first} ] || break; [ $((i=i+1)) -lt 900 ] || exit 1; usleep 50000; "
               "done; vane domid one", 300)
    until(dom0, "vane list one | grep -qE ' (r-|-b|--)----'")
    dom0.check("vane shutdown -w one", 180)
    nothing_left(dom0, before)
    events = dom0.check("cat /var/log/vane/events.log")
    assert re.search(r'"event":"shutdown".*"reason":"reboot"', events) and '"reason":"poweroff"' in events, events
    healthy(dom0)


def test_crash_tells_why(rig):
    dom0 = rig.boot_with_guests()
    config = write_config(dom0, "crash")
    dom0.check(f"vane create {config} 'on_crash=\"destroy\"'", 180)
    vane_says(dom0, "crash", "guest ready")
    vane_does(dom0, "crash", "echo c >/proc/sysrq-trigger")
    until(dom0, "! vane domid crash >/dev/null 2>&1", 90)
    last = dom0.check("vane console --last crash")
    assert "went down: crash" in last and "rip" in last and "sysrq" in last, last
    healthy(dom0)


def test_disks_and_networks(rig):
    dom0 = rig.boot_with_guests(mem="2G", hv_args="dom0_mem=768M")
    before = free_memory(dom0)
    dom0.check("truncate -s 16M /tmp/a /tmp/b; ip addr add 192.168.9.1/24 dev xenbr0")
    config = write_config(dom0, "dev", extra="pvnet=192.168.9.2/24", more="disk = ['/tmp/a,raw,xvda,w']\n"
                          "vif = ['bridge=xenbr0,mac=00:16:3e:00:00:01']")
    dom0.check(f"vane create {config}", 180)
    vane_says(dom0, "dev", "guest ready")
    dom0.check("ping -c 3 192.168.9.2")
    assert dom0.run(f"vane create {config} 'name=\"other\"'", 120)[0] != 0, "one image writable twice"
    dom0.check("vane block-attach dev file:/tmp/b xvdb w && vane network-attach dev bridge=xenbr0", 120)
    vane_does(dom0, "dev", "echo from-''guest | dd of=/dev/xvdb conv=fsync; ls /sys/class/net; echo do''ne")
    vane_says(dom0, "dev", "^done")
    equal(dom0.check("head -c 10 /tmp/b"), "from-guest", "what the guest wrote")
    dom0.check("vane block-detach dev xvdb && vane network-detach dev 1", 120)
    equal(dom0.check("vane block-list dev | wc -l").strip(), "2", "rows of block-list")
    dom0.check("vane destroy dev", 60)
    nothing_left(dom0, before)
    healthy(dom0)


@slow
def test_killed_commands_leave_nothing(rig):
    """SIGKILL at any moment of create and destroy: the next command cleans up."""
    dom0 = rig.boot_with_guests()
    config = write_config(dom0, "k")
    dom0.check(f"vane create -e -p {config} && vane destroy k", 180)
    before = free_memory(dom0)
    for ms in (20, 60, 120, 200, 300, 500, 800):
        dom0.check(f"vane create -e -q -p {config} >/dev/null 2>&1 & p=$!; usleep {ms}000; kill -9 $p; "
                   "vane pause nosuch 2>/dev/null; vane destroy k 2>/dev/null; true", 120)
        nothing_left(dom0, before)
    for ms in (10, 40, 100):
        dom0.check(f"vane create -e -q -p {config} >/dev/null; vane destroy k & p=$!; usleep {ms}000; kill -9 $p; "
                   "vane pause nosuch 2>/dev/null; vane destroy k 2>/dev/null; true", 120)
        nothing_left(dom0, before)
    healthy(dom0)


def save_and_restore(rig, saver, restorer):
    # q35 puts the third GiB above 4 GiB: the M2P table has a hole, and ends at the end of a page of its own.
    dom0 = rig.boot_with_guests(mem="3G", hv_args="dom0_mem=1G")
    dom0.check("vane create --wait " + write_config(dom0, "s", memory=96), 180)
    vane_says(dom0, "s", "guest ready")
    vane_does(dom0, "s", "while sleep 1; do echo ti''ck $((n=n+1)); done")
    vane_says(dom0, "s", "^tick 2")
    dom0.check(f"{saver} save s /tmp/s.save", 300)
    dom0.check("head -c 1000000 /tmp/s.save >/tmp/cut")
    assert dom0.run(f"{restorer} restore /tmp/cut", 120)[0] != 0, "a cut image was accepted"
    dom0.check(f"{restorer} restore /tmp/s.save; rm /tmp/s.save", 300)
    until(dom0, f"grep -qsE '^tick ([5-9]|[1-9][0-9])' /var/log/vane/s.console /var/log/xen/console/guest-s.log", 120)
    dom0.check("vane destroy s", 60)
    healthy(dom0)


def test_save_and_restore(rig):
    save_and_restore(rig, "vane", "vane")


@slow
def test_saved_by_vane_restored_by_xl(rig):
    save_and_restore(rig, "vane", "xl")


@slow
def test_saved_by_xl_restored_by_vane(rig):
    save_and_restore(rig, "xl", "vane")


@slow
@only_on("paravane")
def test_live_migration_within_the_host(rig):
    dom0 = rig.boot_with_guests(mem="2G", cpu="max,-smap,-smep,-la57", hv_args="dom0_mem=1G")
    dom0.check("vane create --wait " + write_config(dom0, "m", memory=96), 180)
    vane_says(dom0, "m", "guest ready")
    vane_does(dom0, "m", "while sleep 1; do echo ti''ck $((n=n+1)); done")
    vane_says(dom0, "m", "^tick 2")
    dom0.check("vane migrate --progress -s '' m 'vane migrate-receive'", 600)
    equal(dom0.check("vane list | wc -l").strip(), "3", "one copy")
    until(dom0, "tail -n 3 /var/log/vane/m.console | grep -qE '^tick ([5-9]|[1-9][0-9])'", 120)
    dom0.check("vane destroy m", 60)
    healthy(dom0)
