# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests made by Debian's own xl, with the kernel, console, disk and network they expect."""
from guests import free_memory, gone, guest_does, guest_says, write_config      # noqa: F401 (others take them from here)
from scenario import equal, healthy


def test_create_and_shutdown(rig):
    dom0 = rig.boot_with_guests()
    before = free_memory(dom0)
    config = write_config(dom0, "one")
    dom0.check(f"xl create {config}", 120)
    guest_says(dom0, "one", "guest ready")
    rows = [line.split() for line in dom0.check("xl list").splitlines()]
    equal([row[:4] for row in rows if row and row[0] == "one"], [["one", "1", "128", "1"]], "row of xl list")
    dom0.check("xl shutdown -w one", 120)
    gone(dom0, "one")
    assert abs(free_memory(dom0) - before) <= 1, "memory was lost"
    dom0.check(f"xl create {config} && xl destroy one", 120)
    gone(dom0, "one")
    assert abs(free_memory(dom0) - before) <= 1, "memory was lost"
    healthy(dom0)


def test_console_works_both_ways(rig):
    dom0 = rig.boot_with_guests()
    dom0.check("xl create " + write_config(dom0, "talk", vcpus=2), 120)
    guest_says(dom0, "talk", "guest ready")
    guest_does(dom0, "talk", "echo an''swer $((6*7)) on $(nproc)")
    guest_says(dom0, "talk", "^answer 42 on 2")
    dom0.check("xl pause talk && xl unpause talk")
    guest_does(dom0, "talk", "echo still $((6*8))")
    guest_says(dom0, "talk", "^still 48")
    dom0.check("xl destroy talk")
    healthy(dom0)


def test_disk(rig):
    """A guest writes to its disk; Dom0 reads the same afterwards from the image."""
    dom0 = rig.boot_with_guests(mem="2G", hv_args="dom0_mem=768M")
    dom0.check("head -c 20000000 /dev/urandom >/tmp/disk; truncate -s 64M /tmp/disk; sha256sum </tmp/disk >/tmp/want")
    dom0.check("xl create " + write_config(dom0, "disk", more="disk = ['file:/tmp/disk,xvda,w']"), 120)
    guest_says(dom0, "disk", "guest ready")
    want = dom0.check("cat /tmp/want").split()[0]
    guest_does(dom0, "disk", "sha256sum </dev/xvda")
    guest_says(dom0, "disk", want)
    guest_does(dom0, "disk", "head -c 20000000 /dev/xvda | dd of=/dev/xvda bs=1M seek=32 2>/dev/null; sync; echo wri''tten")
    guest_says(dom0, "disk", "^written")
    dom0.check("xl shutdown -w disk", 120)
    gone(dom0, "disk")
    dom0.check("head -c 20000000 /tmp/disk >/tmp/a; dd if=/tmp/disk bs=1M skip=32 2>/dev/null | head -c 20000000 | cmp - /tmp/a")
    equal(dom0.check("losetup -a").strip(), "", "loop devices left behind")
    healthy(dom0)


def test_network(rig):
    """Guest and Dom0 talk over the bridge, data intact."""
    dom0 = rig.boot_with_guests(mem="2G", hv_args="dom0_mem=768M")
    dom0.check("ip addr add 192.168.9.1/24 dev xenbr0; head -c 20000000 /dev/urandom >/tmp/data")
    dom0.check("xl create " + write_config(dom0, "net", extra="pvnet=192.168.9.2/24",
                                           more="vif = ['bridge=xenbr0,mac=00:16:3e:00:00:01']"), 120)
    guest_says(dom0, "net", "guest ready")
    dom0.check("ping -c 5 192.168.9.2")
    want = dom0.check("sha256sum </tmp/data").split()[0]
    dom0.check("nc -l -p 9000 </tmp/data >/dev/null &")
    guest_does(dom0, "net", "nc 192.168.9.1 9000 | tee /tmp/data | sha256sum")
    guest_says(dom0, "net", want)
    dom0.check("rm -f /tmp/back; (sleep 600 | nc -l -p 9001 >/tmp/back) & sleep 1")
    guest_does(dom0, "net", "nc 192.168.9.1 9001 </tmp/data")
    dom0.check("i=0; until cmp -s /tmp/data /tmp/back; do [ $((i=i+1)) -lt 60 ] || exit 1; sleep 1; done", 120)
    dom0.check("xl destroy net")
    gone(dom0, "net")
    healthy(dom0)


def test_guest_crash_is_kept(rig):
    dom0 = rig.boot_with_guests()
    dom0.check("xl create " + write_config(dom0, "crash"), 120)
    guest_says(dom0, "crash", "guest ready")
    guest_does(dom0, "crash", "echo c >/proc/sysrq-trigger")
    dom0.check("i=0; until xl list crash | grep -q -- 'sc-'; do [ $((i=i+1)) -lt 60 ] || exit 1; sleep 1; done", 120)
    dom0.check("xl destroy crash")
    gone(dom0, "crash")
    healthy(dom0)


def test_vane(rig):
    """The same life under our own command, and its view agrees with xl's."""
    dom0 = rig.boot_with_guests(smp=2)
    before = free_memory(dom0)
    config = write_config(dom0, "own", vcpus=2)
    dom0.check(f"vane create {config}", 120)
    guest_says(dom0, "own", "guest ready")
    for command in ("list", "vcpu-list"):
        rows = [[line.split()[:4] for line in dom0.check(f"{tool} {command}").splitlines() if line.split()[:1] == ["own"]]
                for tool in ("vane", "xl")]
        assert rows[0] and rows[0][0][1] == rows[1][0][1], f"{command}: {rows}"
    guest_does(dom0, "own", "echo an''swer $((6*7)) on $(nproc)")
    guest_says(dom0, "own", "^answer 42 on 2")
    dom0.check("vane pause own && vane unpause own")
    status, _ = dom0.run(f"vane create {config}")
    assert status != 0, "a second guest of that name was made"
    dom0.check("vane shutdown own", 120)
    gone(dom0, "own")
    dom0.check(f"vane create {config} && vane destroy own", 120)
    gone(dom0, "own")
    assert abs(free_memory(dom0) - before) <= 1, "memory was lost"
    equal(dom0.run("vane create /nowhere.cfg")[0] != 0, True, "a missing file is an error")
    healthy(dom0)


def test_three_guests(rig):
    dom0 = rig.boot_with_guests(smp=2)
    before = free_memory(dom0)
    for n in (1, 2, 3):
        dom0.check("xl create " + write_config(dom0, f"g{n}", memory=96), 120)
    for n in (1, 2, 3):
        guest_says(dom0, f"g{n}", "guest ready")
    for n in (1, 2, 3):
        dom0.check(f"xl destroy g{n}", 60)
        gone(dom0, f"g{n}")
    assert abs(free_memory(dom0) - before) <= 1, "memory was lost"
    healthy(dom0)
