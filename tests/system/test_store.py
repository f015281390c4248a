# SPDX-License-Identifier: GPL-2.0-or-later
"""XenStore keeps to its schema through a domain's life, whoever made the domain; rules act on it."""
from scenario import equal

CONFIG = """name = "s"
type = "pv"
kernel = "/guests/vmlinuz"
ramdisk = "/guests/domu.img"
extra = "console=hvc0"
memory = 128
vcpus = 2
disk = ["file:/tmp/disk,xvda,w"]
vif = ["bridge=xenbr0"]
"""


def lint(dom0):
    status, output = dom0.run("vane store lint", 60)
    equal((status, output.strip().splitlines()[-1:]), (0, ["0 findings (schema version 1)"]), f"lint says {output}")


def life(rig, tool):
    dom0 = rig.boot_with_guests()
    lint(dom0)
    dom0.check(f"truncate -s 16M /tmp/disk; cat >/tmp/s.cfg <<'END'\n{CONFIG}END")
    dom0.check(f"{tool} create /tmp/s.cfg", 180)
    home = "/local/domain/$(vane domid s)"
    dom0.check(f"vane store wait --timeout 90 {home}/device/vbd/51712/state=4 {home}/device/vif/0/state=4", 120)
    lint(dom0)
    dom0.check(f"{tool} destroy s", 120)
    dom0.check("vane store wait --timeout 20 --gone /libxl/1 --gone /local/domain/1", 60)
    lint(dom0)


def test_lint_is_clean_on_domains_of_vane(rig):
    life(rig, "vane")


def test_lint_is_clean_on_domains_of_xl(rig):
    life(rig, "xl")


def test_rule_follows_a_domain(rig):
    """A rule sees the front end connect and the domain go: once each."""
    dom0 = rig.boot_with_guests()
    dom0.check("cat >/tmp/rules <<'END'\n"
               "on up: /local/domain/<domid>/device/vbd/<devid>/state = 4 do sh -c \"echo up ${domid} >>/tmp/said\"\n"
               "on gone: /local/domain/<domid> gone do sh -c \"echo gone ${domid} >>/tmp/said\"\nEND")
    dom0.check(f"truncate -s 16M /tmp/disk; cat >/tmp/s.cfg <<'END'\n{CONFIG}END")
    dom0.check("vane on --check /tmp/rules; vane on /tmp/rules >/tmp/on.log 2>&1 & "
               "i=0; until grep -q ready /tmp/on.log; do [ $((i=i+1)) -lt 20 ] || exit 1; sleep 1; done", 60)
    dom0.check("vane create /tmp/s.cfg", 180)
    dom0.check("i=0; until grep -q 'up 1' /tmp/said; do [ $((i=i+1)) -lt 90 ] || exit 1; sleep 1; done", 200)
    dom0.check("vane destroy s", 120)
    dom0.check("i=0; until grep -q 'gone 1' /tmp/said; do [ $((i=i+1)) -lt 30 ] || exit 1; sleep 1; done", 80)
    equal(dom0.check("cat /tmp/said").split("\n")[:2], ["up 1", "gone 1"], "what the rules did")
    equal(dom0.check("grep -c . /tmp/said").strip(), "2", "how often")
