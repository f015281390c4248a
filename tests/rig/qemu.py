# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines under QEMU, driven through their serial line and QMP.

A Machine is one QEMU process: a hypervisor (ours, Debian's Xen, or none), Debian's kernel and
build/dom0.img. Its console is the serial line; Machine.run() gives it a shell command and returns
what came back. Every wait has a limit, and an exceeded one raises Trouble with the last lines of
the console. Processes are ended by their own handle only, and die with this one.
"""
import ctypes
import glob
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, "build")
PKGS = os.environ.get("PKGS") or os.path.join(BUILD, "pkgs")

# A slow or busy host stretches every limit by this factor.
SCALE = float(os.environ.get("RIG_SCALE", "1"))

# Xen 4.17 under QEMU's software emulation: an iretq executed by a PV kernel faults bogusly with
# SMAP set, and the other three only cost boot time there.
CPU = {"paravane": "max", "xen": "max,-smap,-smep,-pku,-la57", "none": "max"}
# On AMD's processors, as this one seems, Xen leaves a vCPU's vector registers to the next #NM, which XSAVE and XRSTOR do not
# raise here: whoever runs next has the registers of another, and dies of SIGSEGV. Intel's get this by default.
HV_ARGS = {"paravane": "", "xen": "spec-ctrl=eager-fpu", "none": ""}

ANSI = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]")


# What may stand between two characters of an echo: line ends, and whole lines of the hypervisor.
BETWEEN = rb"(?:[\r\n]|\((?:hv|XEN)\)[^\n]*\n)*"


class Trouble(Exception):
    """A machine did not do what was expected of it in time. The text ends with its console."""


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)      # PR_SET_PDEATHSIG


def kernel():
    found = sorted(glob.glob(os.path.join(PKGS, "root/boot/vmlinuz-*-amd64")))
    if not found:
        raise Trouble("no kernel below build/pkgs: run `make deps`")
    return found[-1]


def hypervisor(which):
    """Path of the multiboot image of @which ("paravane" or "xen")."""
    if which == "paravane":
        path = os.path.join(BUILD, "paravane")
        if not os.path.exists(path):
            raise Trouble("build/paravane is missing: run `make`")
        return path
    path = os.path.join(BUILD, "xen-4.17")
    if not os.path.exists(path):
        own = f"{path}.{os.getpid()}.{threading.get_ident()}"
        with open(own, "wb") as out:
            subprocess.run(["gzip", "-dc", os.path.join(PKGS, "root/boot/xen-4.17-amd64.gz")],
                           check=True, stdout=out)
        os.rename(own, path)
    return path


class Disk:
    """A disk image. @kind: ahci, nvme, virtio, ide. An existing @path is used as it is."""

    def __init__(self, kind, path, size=0):
        self.kind, self.path = kind, path
        if size:
            with open(path, "ab") as f:
                f.truncate(size)

    def arguments(self, index):
        node = f"disk{index}"
        yield from ("-drive", f"file={self.path},format=raw,if=none,id={node},cache=unsafe")
        yield "-device"
        yield {"ahci": f"ide-hd,drive={node},bus=ahci0.{index}",
               "ide": f"ide-hd,drive={node},bus=ide.{index}",
               "nvme": f"nvme,drive={node},serial=nvme{index}",
               "virtio": f"virtio-blk-pci,drive={node},disable-legacy=on,iommu_platform=on",
               }[self.kind]


class Nic:
    """A network card. @model: e1000, e1000e, virtio-net-pci. @backend: "user" (QEMU's own network,
    host 10.0.2.2) or the text of a -netdev option without its id."""

    def __init__(self, model="e1000", backend="user", mac=None):
        self.model, self.backend, self.mac = model, backend, mac

    def arguments(self, index):
        kind, _, rest = self.backend.partition(",")
        yield from ("-netdev", f"{kind},id=net{index}" + (f",{rest}" if rest else ""))
        device = f"{self.model},netdev=net{index}"
        if self.mac:
            device += f",mac={self.mac}"
        if self.model.startswith("virtio"):
            device += ",disable-legacy=on,iommu_platform=on"
        yield from ("-device", device)


class Machine:
    """One QEMU. start() boots it, wait_ready() waits for the shell, run() uses the shell."""

    def __init__(self, hv="paravane", *, smp=1, mem="1G", cpu=None, machine="q35", disks=(), nics=(),
                 hv_args="dom0_mem=512M", dom0_args="", initrd=None, kernel_path=None, modules=None,
                 cdrom=None, firmware=None, icount=False, noreboot=True, extra=(), log=None, name="dom0"):
        self.hv, self.name = hv, name
        self.smp, self.mem, self.cpu, self.machine = smp, mem, cpu or CPU[hv], machine
        self.disks, self.nics, self.cdrom, self.firmware = list(disks), list(nics), cdrom, firmware
        self.hv_args, self.dom0_args = hv_args, dom0_args
        self.initrd = initrd or os.path.join(BUILD, "dom0.img")
        self.kernel_path = kernel_path
        self.modules = modules
        self.icount, self.noreboot, self.extra = icount, noreboot, list(extra)
        self.log = log
        self.dir = tempfile.mkdtemp(prefix="paravane-rig-")
        self.process = None
        self.text = bytearray()                     # all the console has said; under self.more
        self.seen = 0                               # how far expect() has read
        self.more = threading.Condition()
        self.closed = False
        self.commands = 0
        self.shell_ready = False
        self._qmp = None
        self.started = None

    # ---- life

    def arguments(self):
        args = ["qemu-system-x86_64", "-machine", self.machine, "-cpu", self.cpu, "-m", self.mem,
                "-smp", str(self.smp), "-display", "none", "-nodefaults",
                "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
                "-qmp", f"unix:{self.dir}/qmp,server=on,wait=off", "-accel", "tcg"]
        if self.noreboot:
            args.append("-no-reboot")
        if self.icount:
            args += ["-icount", "shift=0,sleep=off"]
        args += self.boot_arguments()
        if any(d.kind == "ahci" for d in self.disks):
            args += ["-device", "ahci,id=ahci0"]
        for index, device in enumerate(self.disks):
            args += device.arguments(index)
        for index, device in enumerate(self.nics):
            args += device.arguments(index)
        return args + self.extra

    def boot_arguments(self):
        if self.cdrom:
            args = ["-cdrom", self.cdrom, "-boot", "d"]
            return args + (["-bios", self.firmware] if self.firmware else [])
        image = self.kernel_path or kernel()
        if self.hv == "none":
            return ["-kernel", image, "-initrd", self.initrd,
                    "-append", f"console=ttyS0 {self.dom0_args}"]
        modules = self.modules
        if modules is None:
            modules = [f"{image} console=hvc0 {self.dom0_args}".replace(",", ",,"), self.initrd]
        return ["-kernel", hypervisor(self.hv), "-initrd", ",".join(modules),
                "-append", f"console=com1 com1=115200,8n1 {HV_ARGS[self.hv]} {self.hv_args}"]

    def start(self):
        args = self.arguments()
        if self.log:
            os.makedirs(os.path.dirname(self.log), exist_ok=True)
            with open(self.log, "wb") as f:
                f.write(("# " + shlex.join(args) + "\n").encode())
        self.started = time.monotonic()
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
        threading.Thread(target=self.reader, daemon=True).start()
        if self.log:
            threading.Thread(target=self.logger, daemon=True).start()
        return self

    def reader(self):
        """Nothing but this: while it does not read, the machine cannot write, and seems to hang."""
        while not self.closed:
            data = os.read(self.process.stdout.fileno(), 65536)
            with self.more:
                self.text += data
                self.closed = not data
                self.more.notify_all()

    def logger(self):
        """The log's file may lie on a disk that others keep busy."""
        written, closed = 0, False
        with open(self.log, "ab", buffering=0) as sink:
            while not closed:
                with self.more:
                    while len(self.text) == written and not self.closed:
                        self.more.wait()
                    data, closed = bytes(self.text[written:]), self.closed
                sink.write(data)
                written += len(data)

    def stop(self):
        """End the machine now; harmless when it has ended already."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
        if self._qmp:
            self._qmp.close()
            self._qmp = None
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def wait_exit(self, timeout=60):
        """Wait until QEMU itself has exited (power-off, or a reset under -no-reboot)."""
        try:
            return self.process.wait(timeout * SCALE)
        except subprocess.TimeoutExpired:
            raise self.trouble(f"still running after {timeout * SCALE:.0f} s") from None

    # ---- console

    def console(self):
        with self.more:
            return ANSI.sub(b"", bytes(self.text)).replace(b"\r", b"").decode("utf-8", "replace")

    def trouble(self, what):
        tail = "\n".join("    | " + line for line in self.console().splitlines()[-25:])
        return Trouble(f"{self.name} on {self.hv}: {what}; the console's last lines:\n{tail}\n"
                       f"    (whole log: {self.log})")

    def expect(self, pattern, timeout=60):
        """Wait for @pattern (a regular expression) in what the console says from now on; the match."""
        regex = re.compile(pattern.encode() if isinstance(pattern, str) else pattern, re.M)
        end = time.monotonic() + timeout * SCALE
        with self.more:
            while True:
                match = regex.search(self.text, self.seen)
                if match:
                    self.seen = match.end()
                    return match
                left = end - time.monotonic()
                if self.closed or left <= 0:
                    break
                self.more.wait(left)
        why = "the machine ended" if self.closed else f"{timeout * SCALE:.0f} s passed"
        raise self.trouble(f"waited for /{regex.pattern.decode()}/ but {why}")

    def send(self, text):
        data = text.encode() if isinstance(text, str) else text
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise self.trouble("cannot type: the machine has ended") from None

    def type(self, text):
        """Type @text no faster than the machine takes it: Xen keeps 128 bytes for a busy Dom0 and drops
        the rest. The terminal's echo of one piece is the permission to send the next."""
        for at in range(0, len(text), 60):
            piece = text[at:at + 60]
            self.send(piece)
            self.expect(BETWEEN.join(re.escape(c.encode()) for c in piece if c != "\n"), 120)

    def wait_ready(self, timeout=120):
        """Wait for the shell and make it quiet. Returns the kernel's uptime at that moment."""
        match = self.expect(rb"paravane: (\w+) ready, uptime ([0-9.]+)\s", timeout)
        self.expect(rb"# ", 30)
        # A shell that reads the line as if it were a script neither edits, prompts, nor reports jobs:
        # what we read is the echo of what we typed, then the commands' output, and nothing else.
        self.send("dmesg -n 1; echo QUI''ET; exec sh $(tty)\n")
        self.expect(rb"QUIET\s", 30)
        self.shell_ready = True
        return float(match.group(2))

    def run(self, command, timeout=60):
        """(exit status, output) of a shell command in the machine."""
        self.commands += 1
        mark = f"@{self.commands}@"
        with self.more:
            self.seen = len(self.text)
        self.type(f'( {command}\n) </dev/null; echo "{mark}=$?="\n')
        start = self.seen
        match = self.expect(re.escape(mark.encode()) + rb"=(\d+)=\r*\n", timeout)
        with self.more:
            output = bytes(self.text[start:match.start()])
        output = ANSI.sub(b"", output).replace(b"\r", b"").decode("utf-8", "replace").removeprefix("\n")
        return int(match.group(1)), output

    def lines(self, command, timeout=60):
        """Run @command, which must succeed, and yield each line of its output when it comes."""
        self.commands += 1
        mark = f"@{self.commands}@="
        with self.more:
            self.seen = len(self.text)
        self.type(f'( {command}\n) </dev/null; echo "{mark}$?="\n')
        said = []
        while True:
            line = ANSI.sub(b"", self.expect(rb"([^\n]*)\n", timeout).group(1)).decode("utf-8", "replace").strip("\r")
            if line.startswith(mark):
                break
            if line:
                said.append(line)
                yield line
        if line != f"{mark}0=":
            raise self.trouble(f"`{command}` exited with {line[len(mark):-1]}: " + "\n".join(said))

    def check(self, command, timeout=60):
        """The output of a command that must succeed."""
        status, output = self.run(command, timeout)
        if status:
            raise self.trouble(f"`{command}` exited with {status}: {output.strip()}")
        return output

    def kernel_complaints(self):
        """The kernel's log from the first line on that a healthy machine does not print; or nothing."""
        bad = re.compile(r"WARNING:|BUG:|Oops|Call Trace|general protection|rcu.*stall|soft lockup|"
                         r"hung task|blocked for more than|I/O error|Bad page|segfault|traps:|"
                         r"nobody cared|clocksource.*unstable|NETDEV WATCHDOG|Out of memory")
        lines = self.check("dmesg").splitlines()
        return next((lines[at:] for at, line in enumerate(lines) if bad.search(line)), [])

    # ---- QMP

    def qmp(self, command, **arguments):
        """Execute a QMP command and return its result."""
        if not self._qmp:
            self._qmp = socket.socket(socket.AF_UNIX)
            self._qmp.settimeout(30 * SCALE)
            self._qmp.connect(f"{self.dir}/qmp")
            self._qmp_file = self._qmp.makefile("rw", encoding="utf-8")
            self._qmp_file.readline()               # the greeting
            self.qmp("qmp_capabilities")
        request = {"execute": command}
        if arguments:
            request["arguments"] = {k.replace("_", "-"): v for k, v in arguments.items()}
        self._qmp_file.write(json.dumps(request) + "\n")
        self._qmp_file.flush()
        while True:
            line = self._qmp_file.readline()
            if not line:
                raise self.trouble("QMP closed")
            answer = json.loads(line)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise self.trouble(f"QMP {command}: {answer['error']['desc']}")
