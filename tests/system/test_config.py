# SPDX-License-Identifier: GPL-2.0-or-later
"""Parts of a configuration that reach beyond vane: hotplug scripts, images of qemu, the CPU that a guest sees."""
import os
import shutil
import subprocess

from guests import free_memory, nothing_left, until, vane_does, vane_says, write_config
from scenario import Disk, equal, healthy

# A script that remembers how it was called and goes on to the packaged one.
SPY = "#!/bin/sh\n{ echo \"args $*\"; env | sort; } >/tmp/called.%(name)s.$1\nexec /etc/xen/scripts/%(name)s \"$@\"\n"
UNLUCKY = ("#!/bin/bash\nxenstore-write $XENBUS_PATH/hotplug-error 'out of luck' $XENBUS_PATH/hotplug-status error\nexit 1\n")


def script(dom0, path, text):
    dom0.check(f"cat >{path} <<'END' && chmod +x {path}\n{text}END")


def called_with(dom0, call, *want):
    said = dom0.check(f"cat /tmp/called.{call}").splitlines()
    missing = [line for line in want if line not in said]
    assert not missing, f"{call}: {missing} not in {said}"


def test_scripts(rig):
    """The packaged scripts vif-bridge and block, and a script that fails: what they are told, and what they tell us."""
    dom0 = rig.boot_with_guests()
    before = free_memory(dom0)
    dom0.check("head -c 16777216 /dev/urandom >/tmp/a; losetup /dev/loop5 /tmp/a; ip addr add 192.168.9.1/24 dev xenbr0")
    for name in ("vif-bridge", "block"):
        script(dom0, f"/tmp/spy-{name}", SPY % {"name": name})
    script(dom0, "/tmp/unlucky", UNLUCKY)
    config = write_config(dom0, "s", extra="pvnet=192.168.9.2/24", more="disk = ['/dev/loop5,raw,xvda,w,script=/tmp/spy-block']\n"
                          "vif = ['bridge=xenbr0,script=/tmp/spy-vif-bridge']")
    dom0.check(f"vane create {config}", 180)
    domid = dom0.check("vane domid s").strip()
    called_with(dom0, "block.add", "args add", "XENBUS_TYPE=vbd", f"XENBUS_PATH=backend/vbd/{domid}/51712",
                "XENBUS_BASE_PATH=backend", "script=/tmp/spy-block")
    called_with(dom0, "vif-bridge.online", "args online type_if=vif", "XENBUS_TYPE=vif", f"XENBUS_PATH=backend/vif/{domid}/0",
                "XENBUS_BASE_PATH=backend", "script=/tmp/spy-vif-bridge", f"vif=vif{domid}.0", f"netdev=vif{domid}.0")
    vane_says(dom0, "s", "guest ready")
    dom0.check("ping -c 3 192.168.9.2")
    vane_does(dom0, "s", "sha256sum /dev/xvda")
    vane_says(dom0, "s", dom0.check("sha256sum /tmp/a").split()[0])
    dom0.check("vane destroy s", 60)
    called_with(dom0, "block.remove", "args remove", f"XENBUS_PATH=backend/vbd/{domid}/51712")
    called_with(dom0, "vif-bridge.offline", "args offline type_if=vif", f"vif=vif{domid}.0")
    for key in ("disk=[\"/dev/loop5,raw,xvda,w,script=/tmp/unlucky\"]", "vif=[\"script=/tmp/unlucky\"]"):
        status, said = dom0.run(f"vane create {config} '{key}' 2>&1", 120)
        assert status != 0 and "out of luck" in said, said
    dom0.check("losetup -d /dev/loop5")
    nothing_left(dom0, before)
    healthy(dom0)


def test_cpuid(rig):
    dom0 = rig.boot_with_guests()
    config = write_config(dom0, "c", memory=96)
    for key, want in (("extra=\"console=hvc0\"", "1"), ("cpuid=\"host,sse4.2=0,aesni=0\"", "0")):
        dom0.check(f"rm -f /var/log/vane/c.console; vane create {config} '{key}'", 120)
        vane_says(dom0, "c", "guest ready")
        vane_does(dom0, "c", "echo saw $(grep -cw sse4_2 /proc/cpuinfo) $(grep -cw aes /proc/cpuinfo) $(grep -cw sse2 /proc/cpuinfo)")
        vane_says(dom0, "c", f"^saw {want} {want} 1", 60)
        dom0.check("vane destroy c", 60)
    healthy(dom0)


def test_qcow2(rig):
    """A qcow2 image through qemu-nbd: data both ways, one writer, nothing left however the command ends."""
    raw, image = rig.file("raw", 16 << 20, seed=3), os.path.join(rig.dir, "image.qcow2")
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", raw, image], check=True)
    size = os.path.getsize(image)
    carrier = rig.file("carrier", 64 << 20)
    with open(carrier, "r+b") as out, open(image, "rb") as data:
        shutil.copyfileobj(data, out)
    dom0 = rig.boot(overlays=["guests.img", "qemu.img"], mem="1536M", disks=[Disk("ahci", carrier)])
    before = free_memory(dom0)
    dom0.check(f"modprobe nbd max_part=0 && head -c {size} /dev/sda >/tmp/q.qcow2 && cp /tmp/q.qcow2 /tmp/r.qcow2")
    config = write_config(dom0, "q", more="disk = ['/tmp/q.qcow2,qcow2,xvda,w']")
    dom0.check(f"vane create {config}", 180)
    vane_says(dom0, "q", "guest ready")
    status, said = dom0.run(f"vane create {config} 'name=\"other\"' 2>&1", 60)
    assert status != 0 and ("in use" in said or "lock" in said), said
    vane_does(dom0, "q", "sha256sum /dev/xvda; head -c 1048576 /dev/xvda | dd of=/dev/xvda bs=1M seek=8 conv=fsync 2>/dev/null; echo do''ne")
    with open(raw, "rb") as data:
        old = data.read()
    want = subprocess.run(["sha256sum", raw], check=True, capture_output=True, text=True).stdout.split()[0]
    vane_says(dom0, "q", want)
    vane_says(dom0, "q", "^done")
    dom0.check("vane block-attach q /tmp/r.qcow2,qcow2,xvdb,r && vane block-detach q xvdb", 120)
    until(dom0, '[ "$(pidof qemu-nbd | wc -w)" = 1 ]')
    dom0.check("vane shutdown -w q", 120)
    nothing_left(dom0, before)
    equal(dom0.run("pidof qemu-nbd")[1].strip(), "", "servers left behind")
    total = int(dom0.check(f"killat 0 vane create -e -q -p {config} 2>&1; vane destroy q", 120).split()[2])
    for part in (3, 5, 7, 8, 9):                                    # tenths of the way
        dom0.check(f"killat {total * part // 10} vane create -e -q -p {config} >/dev/null 2>&1; vane pause nosuch 2>/dev/null; "
                   "sleep 1; vane destroy q 2>/dev/null; vane pause nosuch 2>/dev/null; true", 120)
        nothing_left(dom0, before)
        equal(dom0.run("pidof qemu-nbd")[1].strip(), "", f"servers left behind when killed at {part}/10")
    status, said = dom0.run(f"vane create {config} 'disk=[\"/tmp/q.qcow2,vhd,xvda,w\"]' 2>&1", 60)
    assert status != 0 and "cannot serve" in said, said
    dom0.check("dd if=/tmp/q.qcow2 of=/dev/sda bs=1M conv=fsync 2>/dev/null; stat -c %s /tmp/q.qcow2")
    length = int(dom0.check("stat -c %s /tmp/q.qcow2"))
    healthy(dom0)
    dom0.stop()
    with open(carrier, "rb") as data, open(image, "wb") as out:
        out.write(data.read(length))
    subprocess.run(["qemu-img", "check", "-q", image], check=True)
    back = os.path.join(rig.dir, "back")
    subprocess.run(["qemu-img", "convert", "-O", "raw", image, back], check=True)
    with open(back, "rb") as data:
        assert data.read() == old[:8 << 20] + old[:1 << 20] + old[9 << 20:], "the image differs from what the guest wrote"
