# SPDX-License-Identifier: GPL-2.0-or-later
"""What scenarios do with guests in Dom0: write a configuration, type on the console, wait for what is said."""
import re

from scenario import equal

CONFIG = """name = "%(name)s"
type = "pv"
kernel = "/guests/vmlinuz"
ramdisk = "/guests/domu.img"
extra = "console=hvc0 %(extra)s"
memory = %(memory)d
vcpus = %(vcpus)d
on_crash = "preserve"
%(more)s
"""


def write_config(dom0, name, memory=128, vcpus=1, extra="", more=""):
    text = CONFIG % {"name": name, "memory": memory, "vcpus": vcpus, "extra": extra, "more": more}
    dom0.check(f"cat >/tmp/{name}.cfg <<'END'\n{text}END")
    return f"/tmp/{name}.cfg"


def tiny(dom0, name, memory, vcpus=1, elf="worker", extra="seconds=86400 rate=10 pages=16 interval=500"):
    """A configuration of one of our own guests (overlay tiny.img): the worker obeys the toolstack and says what it did
    at its end."""
    dom0.check(f"cat >/tmp/{name}.cfg <<'END'\nname = \"{name}\"\nkernel = \"/tiny/{elf}.elf\"\nextra = \"{extra}\"\n"
               f"memory = {memory}\nvcpus = {vcpus}\nEND")
    return f"/tmp/{name}.cfg"


def console_logs(name):
    """Where xenconsoled (guests of xl) and vaned (guests of vane) keep what a guest said."""
    return f"/var/log/xen/console/guest-{name}.log /var/log/vane/{name}.console"


def guest_says(dom0, name, pattern, seconds=60):
    """Wait until the guest's console log has a line that matches."""
    logs = console_logs(name)
    dom0.check(f"i=0; until grep -qsaE '{pattern}' {logs}; do [ $((i=i+1)) -lt {seconds} ] || "
               f"{{ tail -n 20 {logs}; xl list; xl dmesg | tail -n 5; exit 1; }}; sleep 1; done", seconds * 3 + 30)


def gone(dom0, name, seconds=60):
    dom0.check(f"i=0; while xl domid {name} >/dev/null 2>&1; do [ $((i=i+1)) -lt {seconds} ] || exit 1; sleep 1; done",
               seconds * 3 + 30)


def guest_does(dom0, name, text):
    """Type a line on the guest's console."""
    tty = dom0.check(f"xenstore-read /local/domain/$(xl domid {name})/console/tty").strip()
    dom0.check(f"printf '%s\\n' '{text}' >{tty}")


def free_memory(dom0):
    return int(re.search(r"free_memory\s*:\s*(\d+)", dom0.check("xl info")).group(1))


def vane_says(dom0, name, pattern, seconds=90):
    """Wait until the console log that vaned keeps has a line that matches."""
    dom0.check(f"i=0; until grep -qsE '{pattern}' /var/log/vane/{name}.console; do "
               f"[ $((i=i+1)) -lt {seconds} ] || {{ tail -20 /var/log/vane/{name}.console; vane list; exit 1; }}; "
               "sleep 1; done", seconds * 3 + 30)


def vane_does(dom0, name, text):
    """Type a line on the guest's console."""
    tty = dom0.check(f"xenstore-read /local/domain/$(vane domid {name})/console/tty").strip()
    dom0.check(f"printf '%s\\n' '{text}' >{tty}")


def until(dom0, condition, seconds=60, tell="vane list"):
    """Wait for a condition of the shell; @tell says in Dom0 why it may not have come."""
    dom0.check(f"i=0; until {condition}; do [ $((i=i+1)) -lt {seconds} ] || {{ {tell}; exit 1; }}; sleep 1; done",
               seconds * 3 + 30)


def nothing_left(dom0, memory):
    until(dom0, "[ $(vane list | wc -l) = 2 ]")
    equal(dom0.check("ls /run/vane/doing /run/vane/domains 2>/dev/null | grep -v : | grep . || true").strip(), "", "marks and records")
    equal(dom0.check("losetup -a").strip(), "", "loop devices")
    assert abs(free_memory(dom0) - memory) <= 1, "memory was lost"
