# SPDX-License-Identifier: GPL-2.0-or-later
"""Two Dom0s side by side, Debian's Xen with xl and Paravane with vane, given the same work in turns.

They run at the same time and only one of them works at any moment, so what else the machine does hits
both alike. Times are taken in Dom0 by pvtime.
"""
import re

import qemu
from guests import console_logs, gone, guest_does, guest_says, write_config   # noqa: F401 (for the groups)

TOOLS = {"xen": "xl", "paravane": "vane"}


class Host:
    def __init__(self, rig, hv, **options):
        self.hv, self.tool = hv, TOOLS[hv]
        self.dom0 = rig.machine(hv=hv, **options).start()
        self.samples = {}                           # name: [seconds]

    def timed(self, command, timeout=300):
        """(seconds, KiB resident) of a command in Dom0 that must succeed."""
        output = self.dom0.check(f"pvtime {command}", timeout)
        took, kib, _ = re.findall(r"pvtime (\d+) (\d+) (\d+)\s", output)[-1]
        return int(took) / 1e6, int(kib)

    def sample(self, name, command, timeout=300):
        seconds, kib = self.timed(command, timeout)
        self.samples.setdefault(name, []).append(seconds)
        return kib

    def create(self, name, sample=None, **config):
        """A Debian-kernel guest, up."""
        path = write_config(self.dom0, name, **config)
        kib = self.sample(sample or "create", f"{self.tool} create {path}")
        guest_says(self.dom0, name, "guest ready", 120)
        return kib

    def destroy(self, name, sample=None):
        self.sample(sample or "destroy", f"{self.tool} destroy {name}")
        gone(self.dom0, name)
        self.forget_console(name)

    def forget_console(self, name):
        self.dom0.check(f"rm -f {console_logs(name)}; kill -HUP $(cat /run/xen/xenconsoled.pid)")

    def in_guest(self, name, command, pattern, seconds=120):
        """Type a command on a guest's console; the match of @pattern in what it says from then on."""
        logs = console_logs(name)
        mark = f"mark-{self.dom0.commands}"
        guest_does(self.dom0, name, f"echo {mark[:3]}''{mark[3:]}; {command}; echo do''ne-{mark}")
        guest_says(self.dom0, name, f"^done-{mark}", seconds)
        text = self.dom0.check(f"cat {logs} 2>/dev/null | sed '1,/^{mark}/d'").replace("\r", "")
        found = re.search(pattern, text, re.M)
        if not found:
            raise qemu.Trouble(f"{name} on {self.hv}: `{command}` said {text!r}")
        return found


def both(rig, timeout=180, **options):
    """{"xen": Host, "paravane": Host}, booted one after the other: neither waits for the other's work."""
    hosts = {}
    for hv in TOOLS:
        hosts[hv] = Host(rig, hv, **options)
        hosts[hv].dom0.wait_ready(timeout)
    return hosts
