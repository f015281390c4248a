# SPDX-License-Identifier: GPL-2.0-or-later
"""Dom0's disk drivers move data right, whichever controller: DMA, MSI, swiotlb under load."""
import os

from scenario import Disk, equal, healthy, sha256, slow


def device(dom0, size):
    """The disk of @size bytes: drivers probe in parallel, so names do not say which is which."""
    sectors = dom0.check("cd /sys/block; grep -H . sd*/size vd*/size nvme*/size 2>/dev/null; true")
    for line in sectors.splitlines():
        name, _, count = line.partition("/size:")
        if count and int(count) * 512 == size:
            return "/dev/" + name
    raise AssertionError(f"no disk of {size} bytes: {sectors}")


def exercise(rig, kind, mib, machine="q35", smp=2):
    """One disk with random content is read, copied to a second and to a filesystem on it, compared at
    every step inside the machine, and at the end by us in the image."""
    size = mib << 20
    room = 2 * size + size // 8 + (64 << 20)        # two copies, and what ext4 takes for itself
    source = rig.file("source", size, seed=kind)
    target = rig.file("target", room)
    want = sha256(source)
    dom0 = rig.boot(machine=machine, smp=smp, disks=[Disk(kind, source), Disk(kind, target)])
    a, b = device(dom0, size), device(dom0, room)
    limit = 60 + mib * 2

    equal(dom0.check(f"sha256sum {a}", limit).split()[0], want, "first read")
    # Two readers at once, one of them past the page cache, so that requests mix.
    dom0.check(f"dd if={a} of={b} bs=1M oflag=direct 2>/dev/null & sha256sum {a} >/tmp/sum; wait; sync", limit)
    equal(dom0.check("cat /tmp/sum").split()[0], want, "read while writing")
    dom0.check("echo 3 >/proc/sys/vm/drop_caches")
    equal(dom0.check(f"head -c {size} {b} | sha256sum", limit).split()[0], want, "copy read back")
    healthy(dom0)

    dom0.check(f"mkfs.ext4 -q -F {b} && mount -t ext4 {b} /mnt", limit)
    dom0.check(f"cp {a} /mnt/one & cat {a} >/mnt/two || exit 1; wait $! || exit 1; sync; echo 3 >/proc/sys/vm/drop_caches", limit)
    sums = {line.split()[0] for line in dom0.check("sha256sum /mnt/one /mnt/two", limit).splitlines()}
    equal(sums, {want}, "files copied at once")
    dom0.check("rm /mnt/two; umount /mnt")
    dom0.check(f"e2fsck -fn {b}", limit)
    healthy(dom0)

    # What reached the image is what was written: write a pattern at the end and look from outside.
    dom0.check(f"dd if={a} of={b} bs=1M seek={mib} conv=notrunc 2>/dev/null; sync", limit)
    dom0.send("poweroff\n")
    dom0.wait_exit(60)
    with open(target, "rb") as f, open(source, "rb") as g:
        f.seek(size)
        assert f.read(size) == g.read(), "the image does not hold what Dom0 wrote"
    assert os.path.getsize(target) == room


def test_ahci(rig):
    exercise(rig, "ahci", 48)


def test_nvme(rig):
    exercise(rig, "nvme", 48)


def test_virtio(rig):
    exercise(rig, "virtio", 48)


def test_ide_on_pc(rig):
    exercise(rig, "ide", 16, machine="pc")


@slow
def test_ahci_gigabytes(rig):
    exercise(rig, "ahci", 1024)


@slow
def test_nvme_gigabytes(rig):
    exercise(rig, "nvme", 1024)


@slow
def test_virtio_gigabytes(rig):
    exercise(rig, "virtio", 1024)
