#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Boot each test guest as the initial domain on a hypervisor under QEMU and collect the verdicts.

run.py [--hv paravane|xen] [--domu] [--smp N] [--timeout S] [guest ...]

With --domu one boot does it all: the guest "director" is the initial domain and runs every other guest as
an unprivileged domain beside a victim (tests/guest/director/main.c).

One guest, one boot, one line. A guest that hangs is cut off and its last lines are shown. A guest prints
"DIES <guest> <item>" before a case that must end in a crash of its domain (harness.h); those run as DomUs only.

Without names: all guests, as initial domain and then as DomUs. With --domu one boot does it all: the guest
"director" is the initial domain and runs every other guest as an unprivileged domain beside a victim
(tests/guest/director/main.c).
"""
import argparse
import gzip
import os
import re
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, "build")
XEN_ARGS = "console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all dom0_mem=64M watchdog=0"
# TCG executes an iret at CPL 3 as a supervisor access, which smap forbids: left out, as the others of its kind.
CPU = "max,-smap,-smep,-pku,-la57"
PANIC = re.compile(r"Panic on CPU|Xen BUG at|Assertion .* failed|FATAL TRAP|paravane: panic|PANIC", re.I)
CRASHED = re.compile(r"Domain 0 crashed|domain_crash|dom0 crashed|Domain 0 .*crash", re.I)


def xen_image():
    """Debian's Xen, unpacked: QEMU's multiboot loader takes no gzip."""
    image = os.path.join(BUILD, "xen-4.17")
    if not os.path.exists(image):
        places = [os.path.join(BUILD, "pkgs/root/boot/xen-4.17-amd64.gz"), "/boot/xen-4.17-amd64.gz"]
        source = next(p for p in places if os.path.exists(p))
        with gzip.open(source) as packed, open(image, "wb") as out:
            out.write(packed.read())
    return image


class Boot:
    """One run of QEMU: its console as text, how long it took, whether it was cut off."""

    def __init__(self, opts, guest, args, module=None, timeout=None):
        image = xen_image() if opts.hv == "xen" else os.path.join(BUILD, "paravane")
        elf = os.path.join(BUILD, "guests", guest + ".elf")
        words = f"{elf} hv={opts.hv} {args}".strip().replace(",", ",,")
        if module:
            words += "," + module
        command = ["qemu-system-x86_64", "-machine", "q35", "-m", str(opts.memory), "-smp", str(opts.smp),
                   "-cpu", opts.cpu, "-kernel", image, "-append", f"{XEN_ARGS} {opts.append}",
                   "-initrd", words, "-display", "none", "-serial", "stdio", "-monitor", "none",
                   "-no-reboot", "-net", "none"] + opts.qemu.split()
        start = time.monotonic()
        self.cut_off = False
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as qemu:
            text = bytearray()
            try:
                self.collect(qemu, text, start + (timeout or opts.timeout))
            finally:
                qemu.kill()
        self.text = text.decode("latin-1").replace("\r", "")
        self.seconds = time.monotonic() - start

    def collect(self, qemu, text, deadline):
        """Read until QEMU ends, the guest has given its verdict, or time is over."""
        os.set_blocking(qemu.stdout.fileno(), False)
        while True:
            data = qemu.stdout.read()
            if data:
                text += data
            elif data == b"":
                return
            if re.search(rb"^guest-test [\w-]+: \w+.*\n", text, re.M) or \
               (re.search(rb"^DIES .*\n", text, re.M) and (CRASHED.search(text.decode("latin-1")))):
                time.sleep(0.1)
                text += qemu.stdout.read() or b""
                return
            if PANIC.search(text.decode("latin-1")):
                time.sleep(1)
                text += qemu.stdout.read() or b""
                return
            if time.monotonic() > deadline:
                self.cut_off = True
                return
            time.sleep(0.02)


def judge(boot):
    """(verdict, why) of one boot."""
    panic = PANIC.search(boot.text)
    if panic:
        return "ERROR", "the hypervisor: " + panic.group(0)
    found = re.search(r"^guest-test [\w-]+: (\w+) ?(.*)", boot.text, re.M)
    if found:
        return found.group(1), found.group(2)
    dies = re.search(r"^DIES [\w-]+ (\S+)", boot.text, re.M)
    if dies and CRASHED.search(boot.text):
        return "PASS", "crashed as it should: " + dies.group(1)
    return "ERROR", "no verdict within the time" if boot.cut_off else "the machine stopped without a verdict"


def run(opts, guest):
    """One guest as the initial domain; returns its verdict."""
    boot = Boot(opts, guest, opts.args)
    verdict, why = judge(boot)
    print(f"{verdict:5} {guest:32} {boot.seconds:5.1f}s  {why}", flush=True)
    with open(os.path.join(BUILD, "guests", f"{guest}.{opts.hv}.log"), "w", encoding="utf-8") as log:
        log.write(boot.text)
    if verdict in ("FAIL", "ERROR") or opts.verbose:
        lines = boot.text.split("\n")
        print("\n".join("      | " + l for l in (lines if opts.verbose else lines[-25:])))
    return verdict


def cpio(path, files):
    """Write a newc archive of (name, contents)."""
    with open(path, "wb") as out:
        for number, (name, data) in enumerate(list(files) + [("TRAILER!!!", b"")]):
            fields = [number, 0o100644, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
            head = b"070701" + b"".join(b"%08x" % f for f in fields) + name.encode() + b"\0"
            for part in (head, data):
                out.write(part + b"\0" * (-len(part) % 4))


def run_domus(opts, guests, scenarios=True):
    """All guests as unprivileged domains under the director, in one boot. True if all is well."""
    files = []
    everything = sorted(f[:-4] for f in os.listdir(os.path.join(BUILD, "guests")) if f.endswith(".elf"))
    for name in ["victim"] + [g for g in (everything if scenarios else guests) if g not in ("victim", "director")]:
        with open(os.path.join(BUILD, "guests", name + ".elf"), "rb") as f:
            files.append((name + ".elf", f.read()))
    archive = os.path.join(BUILD, "guests", "archive.cpio")
    cpio(archive, files)
    args = opts.args + (" scenarios" if scenarios else "")
    boot = Boot(opts, "director", args, archive, timeout=opts.timeout + 20 * len(files))
    with open(os.path.join(BUILD, "guests", f"director.{opts.hv}.log"), "w", encoding="utf-8") as log:
        log.write(boot.text)
    failing = ""
    for line in boot.text.split("\n"):
        if re.match(r"d\d+\|   H|d\d+\|   [a-z]|d\d+\| ITEM .* failure|d\d+\| .*unexpected trap|\(XEN\) d\d+v", line):
            failing += "      | " + line + "\n"
        found = re.match(r"domu-test ([\w.-]+): (\w+) (.*)", line)
        if found:
            print(f"{found.group(2):5} {'domU/' + found.group(1):32} {0:5.1f}s  {found.group(3)}", flush=True)
            if found.group(2) != "PASS":
                print(failing, end="")
            failing = ""
    verdict, why = judge(boot)
    print(f"{verdict:5} {'director':32} {boot.seconds:5.1f}s  {why}")
    if opts.verbose or verdict == "ERROR":
        print("\n".join("      | " + l for l in boot.text.split("\n")[-40:]))
    return verdict == "PASS"


def main():
    """Run what the command line names, or everything built."""
    p = argparse.ArgumentParser()
    p.add_argument("--hv", choices=["paravane", "xen"], default="paravane")
    p.add_argument("--smp", type=int, default=2)
    p.add_argument("--memory", type=int, default=256)
    p.add_argument("--cpu", default=CPU)
    p.add_argument("--timeout", type=float, default=120)
    p.add_argument("--append", default="", help="further words for the hypervisor's command line")
    p.add_argument("--args", default="", help="further words for the guest's command line")
    p.add_argument("--qemu", default="", help="further QEMU options")
    p.add_argument("--scenarios", action="store_true", help="with --domu: the two-domain scenarios too")
    p.add_argument("--domu", action="store_true", help="run the guests as DomUs, all in one boot")
    p.add_argument("-v", "--verbose", action="store_true")
    p.add_argument("guests", nargs="*")
    opts = p.parse_args()
    guests = opts.guests or sorted(f[:-4] for f in os.listdir(os.path.join(BUILD, "guests"))
                                   if f.endswith(".elf"))
    if opts.domu:
        return 0 if run_domus(opts, guests, opts.scenarios or not opts.guests) else 1
    verdicts = [run(opts, g) for g in guests if opts.guests or g not in ("director", "disk", "net", "peer")]
    if not opts.guests:
        verdicts.append("PASS" if run_domus(opts, guests) else "FAIL")
    bad = sum(v in ("FAIL", "ERROR") for v in verdicts)
    print(f"{len(verdicts) - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
