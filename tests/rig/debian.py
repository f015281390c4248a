# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian 12 guest between two hosts: its root disk is served to both, its checker is a service of its systemd."""
import os
import subprocess
import time

import qemu
from hosts import Guest, guest_address
from switch import GATEWAY

BOOT_SECONDS = 240


def root_disk(rig):
    """A copy of the disk that tests/image/mkdebian.sh made, for this test to write on."""
    made = os.path.join(qemu.BUILD, "debian/disk.img")
    if not os.path.exists(made):
        raise qemu.Trouble("no Debian guest: run `make debian`")
    path = os.path.join(rig.dir, "debian.img")
    subprocess.run(["cp", "--sparse=always", made, path], check=True)
    return path


def file_system_is_whole(path):
    """e2fsck finds nothing at all on the disk of a guest that has shut down."""
    done = subprocess.run(["e2fsck", "-fn", path], capture_output=True, text=True,
                          env={**os.environ, "PATH": os.environ["PATH"] + ":/sbin:/usr/sbin"}, check=False)
    assert done.returncode == 0, f"e2fsck -fn exits with {done.returncode}: {done.stdout}{done.stderr}"


class DebianGuest(Guest):
    """Its hosts have root_disk() as /dev/nbd1 (Hosts(images=...)), debian.img in their initramfs."""

    DISK = "xvdb"

    def __init__(self, hosts, say=lambda text: None, **options):
        super().__init__(hosts, **{"memory": 256, **options})
        self.say = say

    def config(self):
        network = f"ip={guest_address(self.number)}::{GATEWAY}:255.255.255.0:debian:eth0:off"
        return (f'name = "{self.name}"\ntype = "pv"\nkernel = "/guests/vmlinuz"\nramdisk = "/guests/debian-initrd.img"\n'
                f"root = \"/dev/xvda ro\"\nextra = 'console=hvc0 net.ifnames=0 {network} "
                f"systemd.setenv=\"CHECKER={self.checker.partition(' ')[2]}\"'\n"
                f'memory = {self.memory}\nvcpus = {self.vcpus}\non_crash = "preserve"\n'
                f"disk = ['phy:/dev/nbd1,xvda,w', 'phy:/dev/nbd0,{self.DISK},w']\n"
                f"vif = ['bridge=xenbr0,mac=00:16:3e:00:00:{self.number:02x}']\n")

    def start_checker(self):
        """systemd does; until then say what the guest's console shows."""
        end, last = time.monotonic() + BOOT_SECONDS * qemu.SCALE, ""
        while not self.heart.beats():
            if time.monotonic() > end:
                raise self.host.machine.trouble(f"Debian has not started in time; its last line: {last}")
            time.sleep(3)
            line = self.host.machine.check(f"tail -n 1 /var/log/vane/{self.name}.console 2>/dev/null || true").strip()
            if line and line != last:
                self.say("    " + line)
                last = line
