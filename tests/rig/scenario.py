# SPDX-License-Identifier: GPL-2.0-or-later
"""What a system test is given: a Rig that boots machines for it and cleans up after it."""
import hashlib
import os
import random
import shutil
import socket
import tempfile
import threading

import qemu
from qemu import Disk, Machine, Nic, Trouble                            # noqa: F401 (for the tests)


class Skip(Exception):
    """Raised by a test that cannot run here; the text says why."""


def slow(function):
    """Only in `make soak`."""
    function.slow = True
    return function


def soak(count):
    """How often a slow test does something: @count, or the part of it that RIG_SOAK says."""
    return max(1, int(count * float(os.environ.get("RIG_SOAK", "1"))))


def only_on(*hypervisors):
    def mark(function):
        function.hypervisors = hypervisors
        return function
    return mark


def todo(hypervisor, why):
    """Known not to pass yet on @hypervisor: skipped with this reason unless asked for by name.
    docs/caveats.md lists the same."""
    def mark(function):
        function.todo = {**getattr(function, "todo", {}), hypervisor: why}
        return function
    return mark


class Rig:
    def __init__(self, hv, name):
        self.hv, self.name = hv, name
        self.machines = []
        self.servers = []
        self.dir = tempfile.mkdtemp(prefix="paravane-test-")

    def machine(self, **options):
        """A machine that is not started yet; stopped at the end of the test."""
        hv = options.pop("hv", self.hv)
        log = os.path.join(qemu.BUILD, "log", hv, f"{self.name}.{len(self.machines)}.log")
        overlays = options.pop("overlays", [])
        if overlays:
            options["initrd"] = self.joined(["dom0.img"] + overlays)
        machine = Machine(hv, log=log, **options)
        self.machines.append(machine)
        return machine

    def boot(self, timeout=120, **options):
        """A machine booted to its quiet shell."""
        machine = self.machine(**options).start()
        machine.wait_ready(timeout)
        return machine

    def boot_with_guests(self, **options):
        """Dom0 with /guests/vmlinuz and /guests/domu.img."""
        return self.boot(overlays=["guests.img"], **{"mem": "1536M", **options})

    def joined(self, names):
        """One initramfs out of several: the kernel unpacks archives that follow each other."""
        path = os.path.join(self.dir, "initrd-" + "-".join(names))
        if not os.path.exists(path):
            with open(path, "wb") as out:
                for name in names:
                    with open(os.path.join(qemu.BUILD, name), "rb") as part:
                        shutil.copyfileobj(part, out)
        return path

    def file(self, name, size=0, seed=None):
        """A file of @size bytes: zeros (sparse), or random bytes that depend on @seed."""
        path = os.path.join(self.dir, name)
        with open(path, "wb") as f:
            if seed is None:
                f.truncate(size)
            else:
                source = random.Random(seed)
                for _ in range(0, size, 1 << 20):
                    f.write(source.randbytes(min(1 << 20, size - f.tell())))
        return path

    def serve(self, handler):
        """A TCP server on this host: @handler(connection) in a thread for each. Returns its port;
        a machine with QEMU's own network reaches it as 10.0.2.2."""
        server = socket.create_server(("127.0.0.1", 0))
        self.servers.append(server)

        def accept():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=handler, args=(connection,), daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()
        return server.getsockname()[1]

    def close(self):
        for machine in self.machines:
            machine.stop()
        for server in self.servers:
            server.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def sha256(path, size=None):
    digest = hashlib.sha256()
    left = size if size is not None else os.path.getsize(path)
    with open(path, "rb") as f:
        while left:
            data = f.read(min(1 << 20, left))
            if not data:
                break
            digest.update(data)
            left -= len(data)
    return digest.hexdigest()


def equal(got, want, what):
    assert got == want, f"{what}: got {got!r}, want {want!r}"


def healthy(machine):
    """Dom0's kernel has not complained."""
    lines = machine.kernel_complaints()
    assert not lines, "the kernel complains:\n" + "\n".join(lines[:60])
