# SPDX-License-Identifier: GPL-2.0-or-later
"""Dom0's network cards: ping, and data both ways, checked on both ends."""
import hashlib
import random

from scenario import Nic, equal, healthy, slow

ADDRESS = "pvnet=10.0.2.15/24,10.0.2.2"


def exercise(rig, model, mib, smp=2):
    data = random.Random(model).randbytes(1 << 20) * mib
    want = hashlib.sha256(data).hexdigest()
    received = []

    def source(connection):
        with connection:
            connection.sendall(data)

    def sink(connection):
        digest, total = hashlib.sha256(), 0
        with connection:
            while chunk := connection.recv(1 << 16):
                digest.update(chunk)
                total += len(chunk)
            received.append((total, digest.hexdigest()))
            connection.sendall(b"done\n")

    source_port, sink_port = rig.serve(source), rig.serve(sink)
    dom0 = rig.boot(smp=smp, nics=[Nic(model)], dom0_args=ADDRESS)
    limit = 60 + 3 * mib
    dom0.check("for i in 1 2 3 4 5 6 7 8 9; do ping -c 1 -W 2 10.0.2.2 && break; sleep 1; done", 60)
    lost = dom0.check("ping -c 20 -i 0.1 10.0.2.2", 60)
    assert " 0% packet loss" in lost, lost

    # Both directions at once.
    dom0.check(f"(nc 10.0.2.2 {source_port} | tee /tmp/in | sha256sum >/tmp/sum) & "
               f"head -c {mib << 20} /dev/zero | nc 10.0.2.2 {sink_port} >/dev/null; wait", limit)
    equal(dom0.check("cat /tmp/sum").split()[0], want, "what came in")
    equal(received[-1], (mib << 20, hashlib.sha256(bytes(mib << 20)).hexdigest()), "zeros that went out")
    dom0.check(f"nc 10.0.2.2 {sink_port} </tmp/in >/dev/null", limit)
    equal(received[-1], (len(data), want), "what went out")
    healthy(dom0)


def test_e1000(rig):
    exercise(rig, "e1000", 24)


def test_e1000e(rig):
    exercise(rig, "e1000e", 24)


def test_virtio(rig):
    exercise(rig, "virtio-net-pci", 24)


@slow
def test_e1000_long(rig):
    exercise(rig, "e1000", 150)


@slow
def test_e1000e_long(rig):
    exercise(rig, "e1000e", 150)
