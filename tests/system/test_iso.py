# SPDX-License-Identifier: GPL-2.0-or-later
"""The CD image boots through GRUB, on BIOS and on UEFI firmware, and the machine powers off."""
import os

import qemu
from scenario import Skip, equal, healthy, only_on


def boots(rig, **options):
    machine = rig.machine(cdrom=os.path.join(qemu.BUILD, "paravane.iso"), smp=2, mem="2G",
                          extra=["-vga", "std"], **options).start()
    machine.wait_ready(240)
    equal(int(machine.check("nproc")), 2, "Dom0's CPUs")
    machine.check("xl list")
    healthy(machine)
    machine.send("poweroff\n")
    equal(machine.wait_exit(60), 0, "QEMU's exit status")


@only_on("paravane")
def test_bios(rig):
    boots(rig)


@only_on("paravane")
def test_bios_pc(rig):
    boots(rig, machine="pc")


@only_on("paravane")
def test_uefi(rig):
    firmware = "/usr/share/ovmf/OVMF.fd"
    if not os.path.exists(firmware):
        raise Skip("no OVMF")
    boots(rig, firmware=firmware)
