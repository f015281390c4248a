# SPDX-License-Identifier: GPL-2.0-or-later
"""Our own front ends in tiny guests, against Linux's back ends, started by xl."""
import re

from scenario import healthy

CONFIG = """name = "%(name)s"
type = "pv"
kernel = "/tiny/%(elf)s.elf"
extra = "%(extra)s"
memory = %(memory)d
vcpus = %(vcpus)d
on_crash = "preserve"
%(more)s
"""


def gone(dom0, name):
    dom0.check(f"i=0; while xl domid {name} >/dev/null 2>&1; do [ $((i=i+1)) -lt 60 ] || exit 1; sleep 1; done", 120)


def start(dom0, elf, extra="", memory=8, vcpus=1, more=""):
    """Create a tiny guest paused-free; its console goes to /var/log/xen/console/guest-<elf>.log."""
    text = CONFIG % {"name": elf, "elf": elf, "extra": extra, "memory": memory, "vcpus": vcpus, "more": more}
    dom0.check(f"cat >/tmp/{elf}.cfg <<'END'\n{text}END")
    gone(dom0, elf)
    dom0.check(f"rm -f /var/log/xen/console/guest-{elf}.log; xl create /tmp/{elf}.cfg", 120)


def verdict(dom0, elf, seconds=90):
    """What the guest has printed up to its verdict, which must be PASS."""
    log = f"/var/log/xen/console/guest-{elf}.log"
    dom0.check(f"i=0; until grep -qs '^guest-test' {log}; do [ $((i=i+1)) -lt {seconds} ] || "
               f"{{ tail -20 {log}; xl list; exit 1; }}; sleep 1; done", seconds * 3 + 30)
    text = dom0.check(f"cat {log}").replace("\r", "")
    found = re.search(r"^guest-test [\w-]+: (\w+)", text, re.M)
    assert found and found.group(1) == "PASS", text
    return text


def test_hello(rig):
    dom0 = rig.boot(overlays=["tiny.img"], mem="1G")
    start(dom0, "hello")
    verdict(dom0, "hello")
    start(dom0, "smp", vcpus=2)
    verdict(dom0, "smp")
    healthy(dom0)


def test_disk(rig):
    dom0 = rig.boot(overlays=["tiny.img"], mem="1G")
    dom0.check("truncate -s 32M /tmp/disk.img")
    disk = "disk = ['format=raw,vdev=xvda,access=rw,target=/tmp/disk.img']"
    start(dom0, "disk", "rounds=2 mib=8", more=disk)
    text = verdict(dom0, "disk")
    print("\n".join(l for l in text.split("\n") if "blk-" in l or l.startswith("disk ")))
    # A guest follows the chain that another one left behind.
    start(dom0, "disk", "rounds=1 mib=8 leave", more=disk)
    verdict(dom0, "disk")
    start(dom0, "disk", "keep mib=8", more=disk)
    verdict(dom0, "disk")
    gone(dom0, "disk")
    healthy(dom0)


def test_network(rig):
    dom0 = rig.boot(overlays=["tiny.img"], mem="1G")
    dom0.check("brctl show | grep -q xenbr0 || brctl addbr xenbr0; ip addr replace 10.0.0.1/24 dev xenbr0; ip link set xenbr0 up")
    start(dom0, "net", "ip=10.0.0.2", more="vif = ['bridge=xenbr0,mac=00:16:3e:01:02:03']")
    dom0.check("for i in 1 2 3 4 5 6 7 8 9; do ping -c 1 -W 2 10.0.0.2 && break; sleep 1; done", 60)
    lost = dom0.check("ping -c 50 -i 0.02 10.0.0.2", 60)
    assert " 0% packet loss" in lost, lost
    large = dom0.check("ping -c 5 -s 1400 10.0.0.2", 60)
    assert " 0% packet loss" in large, large
    page = dom0.check("printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 10.0.0.2 80", 60)
    assert "hello from a tiny" in page, page
    dom0.check("xl shutdown -w net", 60)
    text = verdict(dom0, "net")
    print([l for l in text.split("\n") if l.startswith("net:")])
    healthy(dom0)


def test_save_and_restore(rig):
    dom0 = rig.boot(overlays=["tiny.img"], mem="1G")
    start(dom0, "worker", "seconds=600 rate=2000 pages=600")
    log = "/var/log/xen/console/guest-worker.log"
    for round in (1, 2):
        dom0.check("sleep 2; xl save worker /tmp/worker.save && xl restore /tmp/worker.save", 120)
        dom0.check(f"i=0; until grep -qs 'resumed: 0 ({round})' {log}; do [ $((i=i+1)) -lt 30 ] || "
                   f"{{ cat {log}; xl list; exit 1; }}; sleep 1; done", 120)
    dom0.check("sleep 2; xl save -c worker /tmp/worker.save", 120)
    dom0.check(f"i=0; until grep -qs 'resumed: 1' {log}; do [ $((i=i+1)) -lt 30 ] || exit 1; sleep 1; done", 120)
    dom0.check("sleep 2; xl shutdown -w worker", 120)
    verdict(dom0, "worker")
    healthy(dom0)
