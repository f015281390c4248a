# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian 12 guest on a disk of its own: login, network, apt, and a file system that stays whole."""
import os
import shutil
import subprocess

import qemu
from guests import until, vane_does, vane_says
from scenario import Disk, equal, healthy, slow, soak

# eth0 gets its address from the kernel's command line (systemd-network-generator).
EXTRA = "console=hvc0 net.ifnames=0 ip=192.168.9.2::192.168.9.1:255.255.255.0:debian:eth0:off"


def boot_dom0(rig, **options):
    """Dom0 with a copy of Debian's disk as /dev/sda and the mirror on /dev/vda, served as http://192.168.9.1/."""
    if not os.path.exists(os.path.join(qemu.BUILD, "debian.img")):
        raise qemu.Trouble("no Debian guest: run `make debian`")
    disk = os.path.join(rig.dir, "debian.img")
    subprocess.run(["cp", "--sparse=always", os.path.join(qemu.BUILD, "debian/disk.img"), disk], check=True)
    mirror = os.path.join(rig.dir, "mirror.img")
    shutil.copyfile(os.path.join(qemu.BUILD, "debian/mirror.img"), mirror)
    dom0 = rig.boot(overlays=["guests.img", "debian.img"], mem="2G", hv_args="dom0_mem=768M",
                    disks=[Disk("ahci", disk), Disk("virtio", mirror)], **options)
    dom0.check("ip addr add 192.168.9.1/24 dev xenbr0; mount -t ext4 -o ro /dev/vda /mnt && httpd -h /mnt")
    return dom0


def create(dom0):
    dom0.check("rm -f /var/log/vane/debian.console")
    dom0.check(f"vane create /guests/debian.cfg 'extra=\"{EXTRA}\"'", 120)


def login(dom0):
    """Through the prompt on hvc0 to a shell that echoes nothing."""
    vane_says(dom0, "debian", "^debian login:", 240)
    vane_does(dom0, "debian", "root")
    vane_says(dom0, "debian", "^Password:", 60)
    vane_does(dom0, "debian", "paravane")
    vane_says(dom0, "debian", "root@debian:~#", 60)
    vane_does(dom0, "debian", "stty -echo; PS1= exec sh")       # no line editing, no escape codes
    vane_does(dom0, "debian", "echo; echo logged in")     # on a line of its own
    vane_says(dom0, "debian", "^logged in", 60)


def check_disk(dom0):
    """The journal replays without a finding, and then nothing is wrong at all."""
    status, said = dom0.run("e2fsck -p /dev/sda", 120)
    assert status == 0, f"e2fsck -p exits with {status}: {said}"
    dom0.check("e2fsck -fn /dev/sda", 120)


def test_login_network_apt(rig):
    dom0 = boot_dom0(rig)
    create(dom0)
    login(dom0)
    vane_does(dom0, "debian", "systemctl is-system-running; . /etc/os-release; echo $ID $VERSION_ID on $(systemd-detect-virt)")
    vane_says(dom0, "debian", "^debian 12 on xen")
    dom0.check("ping -c 3 192.168.9.2")
    vane_does(dom0, "debian", "echo deb [trusted=yes] http://192.168.9.1/ ./ >/etc/apt/sources.list; "
              "apt-get -q update && apt-get -qy install hello && hello -g apt-wo''rks")
    vane_says(dom0, "debian", "^apt-works", 240)
    # The same packages as a directory: the mirror's disk is plugged in, and out again.
    dom0.check("vane block-attach debian phy:/dev/vda,xvdb,r", 60)
    vane_does(dom0, "debian", "apt-get -qy purge hello && mount -o ro /dev/xvdb /mnt && echo deb [trusted=yes] file:/mnt ./ "
              ">/etc/apt/sources.list && apt-get -q update && apt-get -qy install hello && umount /mnt && hello -g file-wo''rks")
    vane_says(dom0, "debian", "^file-works", 240)
    dom0.check("vane block-detach debian xvdb", 60)
    dom0.check("vane shutdown -w debian", 240)
    until(dom0, "! vane domid debian 2>/dev/null")
    check_disk(dom0)
    create(dom0)
    login(dom0)
    vane_does(dom0, "debian", "hello -g st''ill-there; dpkg --audit && echo au''dit $?")
    vane_says(dom0, "debian", "^still-there")
    vane_says(dom0, "debian", "^audit 0")
    dom0.check("vane destroy debian", 60)
    check_disk(dom0)
    healthy(dom0)


def cycles(rig, count):
    dom0 = boot_dom0(rig)
    for n in range(count):
        create(dom0)
        login(dom0)
        vane_does(dom0, "debian", f"dd if=/dev/urandom of=/root/{n % 4} bs=64k count=64 2>/dev/null; echo do''ne")
        vane_says(dom0, "debian", "^done")
        if n % 2:
            dom0.check("vane shutdown -w debian", 240)
        else:
            dom0.check("vane destroy debian", 60)
        until(dom0, "! vane domid debian 2>/dev/null")
        check_disk(dom0)
    equal(dom0.check("losetup -a").strip(), "", "loop devices left behind")
    healthy(dom0)


@slow
def test_hundred_cycles(rig):
    cycles(rig, soak(100))
