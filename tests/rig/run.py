#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make run`: boot Debian's kernel as Dom0 on Paravane.

On a terminal: an interactive shell in Dom0 (Ctrl-A X ends QEMU, `poweroff` ends it properly).
Otherwise: boot, ask xl a few things, run a guest, power off, and say how long each step took.
"""
import argparse
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import qemu                                                             # noqa: E402


def joined(names):
    """Dom0's image and the guests' files behind it: the kernel unpacks archives that follow each other."""
    path = os.path.join(qemu.BUILD, "run.img")
    with open(path, "wb") as out:
        for name in names:
            with open(os.path.join(qemu.BUILD, name), "rb") as part:
                shutil.copyfileobj(part, out)
    return path


def interactive(machine):
    args = machine.arguments()
    at = args.index("-chardev")
    args[at:at + 4] = ["-serial", "mon:stdio"]
    print("Booting; Dom0's shell follows. Try `vane create /guests/demo.cfg`. Ctrl-A X ends QEMU.", flush=True)
    os.execvp(args[0], args)


def scripted(machine):
    start = time.monotonic()

    def step(what):
        print(f"[{time.monotonic() - start:6.2f} s] {what}", flush=True)

    with machine:
        step("QEMU started")
        machine.expect(rb"paravane: first process", 180)
        step("Dom0's first process runs")
        machine.wait_ready(120)
        step("Dom0 is up: xenstored, xenconsoled, a shell")
        for command in ("xl info", "xl list", "xl vcpu-list"):
            print(f"\ndom0# {command}\n{machine.check(command).strip()}")
        print()
        step("creating a guest: Debian's kernel again")
        print(machine.check("vane create /guests/demo.cfg", 120).strip())
        log = "/var/log/vane/demo.console"
        machine.check(f"i=0; until grep -qs 'guest ready' {log}; do [ $((i=i+1)) -lt 120 ] || exit 1; sleep 1; done", 400)
        step("the guest is up")
        print(f"\ndom0# vane list\n{machine.check('vane list').strip()}\n")
        machine.check("vane destroy demo", 60)
        step("the guest is destroyed; powering off")
        machine.send("poweroff\n")
        machine.wait_exit(60)
        step("QEMU has exited")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hv", choices=["paravane", "xen"], default="paravane")
    parser.add_argument("--smp", type=int, default=2)
    parser.add_argument("--mem", default="1536M")
    options = parser.parse_args()
    machine = qemu.Machine(options.hv, smp=options.smp, mem=options.mem, nics=[qemu.Nic("e1000")],
                           initrd=joined(["dom0.img", "guests.img"]),
                           log=os.path.join(qemu.BUILD, "log", "run.log"))
    try:
        if sys.stdin.isatty() and sys.stdout.isatty():
            interactive(machine)
        scripted(machine)
    except qemu.Trouble as trouble:
        print(trouble)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
