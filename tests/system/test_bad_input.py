# SPDX-License-Identifier: GPL-2.0-or-later
"""What cannot boot says what is wrong and why, then halts: no triple fault, no silence, no loop."""
import time

import qemu
from scenario import only_on


def refuses(rig, pattern, **options):
    """Boot what must not work: @pattern appears, and the machine neither resets nor goes on."""
    machine = rig.machine(**options).start()
    machine.expect(pattern, 60)
    time.sleep(3)
    if machine.process.poll() is not None:
        raise machine.trouble("QEMU ended: the machine reset instead of halting")
    assert "first process" not in machine.console()


def kernel_copy(rig, change):
    with open(qemu.kernel(), "rb") as f:
        data = bytearray(f.read())
    path = rig.file("kernel")
    with open(path, "wb") as f:
        f.write(change(data))
    return path


@only_on("paravane")
def test_no_module(rig):
    refuses(rig, rb"cannot start: no kernel module.*\s[^$]*Halted", modules=[])


@only_on("paravane")
def test_garbage_kernel(rig):
    refuses(rig, rb"neither ELF, nor bzImage[^$]*Halted", modules=[rig.file("garbage", 1 << 20, seed=1)])


@only_on("paravane")
def test_truncated_kernel(rig):
    path = kernel_copy(rig, lambda data: data[:len(data) // 2])
    refuses(rig, rb"truncated bzImage[^$]*Halted", kernel_path=path)


@only_on("paravane")
def test_corrupt_kernel(rig):
    def flip(data):
        for at in range(len(data) // 2, len(data) // 2 + 64):
            data[at] ^= 0x5A
        return data
    refuses(rig, rb"cannot build: corrupt[^$]*Halted", kernel_path=kernel_copy(rig, flip))


@only_on("paravane")
def test_too_little_memory(rig):
    refuses(rig, rb"(?i)memory", mem="64M", hv_args="")


@only_on("paravane")
def test_dom0_mem_too_small(rig):
    refuses(rig, rb"(?i)dom0_mem|memory", hv_args="dom0_mem=16M")


@only_on("paravane")
def test_cpu_without_nx(rig):
    refuses(rig, rb"(?i)CPU.*(NX|no-execute|lacks|without|needs)|NX", cpu="qemu64,-nx")
