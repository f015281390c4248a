# SPDX-License-Identifier: GPL-2.0-or-later
"""Our own front ends in tiny guests made by vane, against Linux's back ends."""
import hashlib
import re
import struct
import zlib

from scenario import equal, healthy, only_on
from test_vane import until, vane_says

CONFIG = """name = "%(name)s"
type = "pv"
kernel = "/tiny/%(elf)s.elf"
extra = "%(extra)s"
memory = %(memory)d
vcpus = %(vcpus)d
on_crash = "preserve"
%(more)s
"""
DISK = "disk = ['format=raw,vdev=xvda,access=rw,target=/tmp/disk.img']"
NIC = "vif = ['bridge=xenbr0,mac=00:16:3e:01:02:03']"
TCP = re.compile(r"tcp: (\d+) connections, (\d+) requests, sent (\d+), took (\d+), long segments out (\d+) in (\d+), "
                 r"blank sums in (\d+)")
QUEUE = re.compile(r"queue \d+: (\d+)[^\n]*")


def log_of(name):
    return f"/var/log/vane/{name}.console"


def start(dom0, elf, extra="", memory=8, vcpus=1, more=""):
    """Create a tiny guest of the name of its program, as soon as the last of that name is gone."""
    text = CONFIG % {"name": elf, "elf": elf, "extra": extra, "memory": memory, "vcpus": vcpus, "more": more}
    dom0.check(f"cat >/tmp/{elf}.cfg <<'END'\n{text}END")
    until(dom0, f"! vane domid {elf} >/dev/null 2>&1")
    dom0.check(f"rm -f {log_of(elf)}; vane create /tmp/{elf}.cfg", 120)


def verdict(dom0, elf, seconds=90):
    """What the guest has printed up to its verdict, which must be PASS."""
    vane_says(dom0, elf, "^guest-test", seconds)
    text = dom0.check(f"cat {log_of(elf)}").replace("\r", "")
    found = re.search(r"^guest-test [\w-]+: (\w+)", text, re.M)
    assert found and found.group(1) == "PASS", text
    return text


def all_queues_worked(text, number):
    shares = [int(n) for n in QUEUE.findall(text)]
    assert len(shares) == number and min(shares) > 0, text


def document(kib):
    """What the net guest serves as /data: xorshift64* from 1."""
    x, out, mask = 1, [], (1 << 64) - 1
    for _ in range(kib * 128):
        x ^= x >> 12
        x = (x ^ x << 25) & mask
        x ^= x >> 27
        out.append(x * 0x2545F4914F6CDD1D & mask)
    return struct.pack(f"<{len(out)}Q", *out)


def test_sizes(rig):
    """A guest with a console only fits into 1 MiB, one with a network interface into 4."""
    dom0 = rig.boot(overlays=["tiny.img"])
    start(dom0, "hello", memory=1)
    assert ", 256 pages" in verdict(dom0, "hello")
    start(dom0, "smp", vcpus=2)
    verdict(dom0, "smp")
    dom0.check("ip addr add 10.0.0.1/24 dev xenbr0")
    start(dom0, "net", memory=4, more=NIC)
    vane_says(dom0, "net", "^net: 1 queues")
    assert " 0% packet loss" in dom0.check("ping -c 5 -i 0.1 10.0.0.2", 60)
    dom0.check("vane shutdown net")
    assert "of 1024 pages" in verdict(dom0, "net")
    healthy(dom0)


def exercise_disk(dom0, queues, vcpus):
    start(dom0, "disk", f"rounds=2 mib=8 queues={queues}", memory=8 + 8 * queues, vcpus=vcpus, more=DISK)
    text = verdict(dom0, "disk")
    used = vcpus if vcpus >= queues else 1
    assert (f" {queues} queues on {used} vCPUs, 32 pages a request, indirect 1, persistent 1, flush 1, discard 1"
            in text), text
    all_queues_worked(text, queues)
    print("\n".join(l for l in text.split("\n") if "blk-" in l or l.startswith("disk ")))


def test_disk(rig):
    """Several queues, as threads and on a vCPU each; indirect and persistent requests, flush, discard."""
    dom0 = rig.boot(overlays=["tiny.img"], smp=2)
    dom0.check("truncate -s 32M /tmp/disk.img")
    for queues, vcpus in (1, 1), (2, 1), (2, 2):
        exercise_disk(dom0, queues, vcpus)
    # More queues than Dom0 has CPUs; without persistent grants; requests that need no indirect page.
    dom0.check("echo 4 >/sys/module/xen_blkback/parameters/max_queues")
    exercise_disk(dom0, 4, 1)
    dom0.check("echo 0 >/sys/module/xen_blkback/parameters/feature_persistent")
    start(dom0, "disk", "rounds=1 mib=4 queues=2 pages=11", memory=16, more=DISK)
    text = verdict(dom0, "disk")
    assert "2 queues on 1 vCPUs, 11 pages a request, indirect 1, persistent 0" in text, text
    # A guest follows the chains that another one left behind.
    start(dom0, "disk", "rounds=1 mib=8 leave", memory=16, more=DISK)
    verdict(dom0, "disk")
    start(dom0, "disk", "keep mib=8", memory=16, more=DISK)
    verdict(dom0, "disk")
    until(dom0, "! vane domid disk >/dev/null 2>&1")
    healthy(dom0)


def test_network(rig):
    """Two queues; ping, and TCP both ways with checksums and segmentation left to the other side."""
    dom0 = rig.boot(overlays=["tiny.img"], smp=2)
    dom0.check("ip addr add 10.0.0.1/24 dev xenbr0")
    start(dom0, "net", "queues=2 kib=512", memory=16, more=NIC)
    vane_says(dom0, "net", "^net: 2 queues, sg 1, gso 1 1")
    assert " 0% packet loss" in dom0.check("ping -c 50 -i 0.02 10.0.0.2", 60)
    assert " 0% packet loss" in dom0.check("ping -c 5 -s 1400 10.0.0.2", 60)
    dom0.check("pvio first 10.0.0.2 7 30", 60)          # a datagram comes back
    page = dom0.check("printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 10.0.0.2 80", 60)
    assert "hello from a tiny" in page, page
    want = hashlib.sha256(document(512)).hexdigest()
    for _ in range(8):
        equal(dom0.check("wget -q -O - http://10.0.0.2/data | sha256sum", 90).split()[0], want, "the document")
    dom0.check("yes 0123456789abcde | head -c 4194304 >/tmp/up; nc 10.0.0.2 10 </tmp/up", 90)
    vane_says(dom0, "net", "^tcp: took 4194304 bytes")
    dom0.check("vane shutdown net", 60)
    text = verdict(dom0, "net")
    crc = zlib.crc32(b"0123456789abcde\n" * (4194304 // 16))
    assert f"took 4194304 bytes, CRC-32 {crc:08x}" in text, text
    connections, _, sent, took, gso_out, gso_in, blank = map(int, TCP.search(text).groups())
    assert connections >= 10 and sent >= 8 << 19 and took >= 1 << 22, text
    assert gso_out and gso_in and blank, text
    all_queues_worked(text, 2)
    # The same without help: no blank checksums, no long segments.
    start(dom0, "net", "queues=1 kib=64 plain", memory=8, more=NIC)
    vane_says(dom0, "net", "^net: 1 queues")
    equal(dom0.check("wget -q -O - http://10.0.0.2/data | sha256sum", 90).split()[0],
          hashlib.sha256(document(64)).hexdigest(), "the document")
    dom0.check("nc 10.0.0.2 10 </tmp/up; vane shutdown net", 90)
    text = verdict(dom0, "net")
    assert f"CRC-32 {crc:08x}" in text and TCP.search(text).groups()[4:] == ("0", "0", "0"), text
    healthy(dom0)


def resumed(dom0, elf, rc, number, seconds=60):
    vane_says(dom0, elf, rf"resumed: {rc} \({number}\)", seconds)


def test_save_and_restore(rig):
    """Memory, a disk in the middle of its work, and an interface that answers again."""
    dom0 = rig.boot(overlays=["tiny.img"], smp=2)
    dom0.check("ip addr add 10.0.0.1/24 dev xenbr0; truncate -s 32M /tmp/disk.img")
    start(dom0, "worker", f"seconds=600 rate=2000 pages=600 hv={rig.hv}")
    start(dom0, "disk", "rounds=1000 mib=8 queues=2", memory=24, more=DISK)
    start(dom0, "net", "queues=2", memory=16, more=NIC)
    vane_says(dom0, "disk", "^disk 51712")
    vane_says(dom0, "net", "^net: 2 queues")
    for number in (1, 2):
        for elf in ("worker", "disk", "net"):
            dom0.check(f"vane save {elf} /tmp/save && vane restore /tmp/save && rm /tmp/save", 120)
            resumed(dom0, elf, 0, number)
        assert " 0% packet loss" in dom0.check("ping -c 5 -i 0.1 -W 5 10.0.0.2", 60)
    # Saved and left running: nothing is connected again.
    for elf in ("worker", "disk", "net"):
        dom0.check(f"vane save -c {elf} /tmp/save && rm /tmp/save", 120)
        resumed(dom0, elf, 1, 3)
    assert " 0% packet loss" in dom0.check("ping -c 5 -i 0.1 -W 5 10.0.0.2", 60)
    for elf in ("worker", "net", "disk"):
        dom0.check(f"vane shutdown {elf}", 60)
        verdict(dom0, elf)
    healthy(dom0)


@only_on("paravane")
def test_live_migration(rig):
    dom0 = rig.boot(overlays=["tiny.img"], cpu="max,-smap,-smep,-la57", smp=2)
    dom0.check("ip addr add 10.0.0.1/24 dev xenbr0")
    start(dom0, "worker", "seconds=600 rate=500 pages=600")
    start(dom0, "net", "queues=1", more=NIC)
    vane_says(dom0, "net", "^net: 1 queues")
    for elf in ("worker", "net"):
        dom0.check(f"vane migrate -s '' {elf} 'vane migrate-receive'", 300)
        until(dom0, f"grep -qs 'resumed: 0' /var/log/vane/{elf}*.console",
              tell=f"tail -n 20 /var/log/vane/*; xenstore-ls /local/domain/$(vane domid {elf})/console; vane list")
    assert " 0% packet loss" in dom0.check("ping -c 5 -i 0.1 -W 5 10.0.0.2", 60)
    for elf in ("worker", "net"):
        dom0.check(f"vane shutdown {elf}", 60)
        until(dom0, f"grep -qs '^guest-test {elf}: PASS' /var/log/vane/{elf}*.console")
    healthy(dom0)
