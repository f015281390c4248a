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


def requests(dom0, command):
    """What @command asks of xenstored, by the daemon's own trace: {request: count}, on the connections that are
    made meanwhile and on vaned's, which is known by its watch on the domain's name."""
    control = "/usr/lib/xen-4.17/bin/xenstore-control"
    dom0.check(f"rm -f /tmp/trace; {control} logfile /tmp/trace")
    dom0.check(command, 180)
    dom0.check(f"{control} logfile /dev/null")
    # "CREATE connection CONN", "IN CONN DATE TIME TYPE (PAYLOAD)"; the last new connection is xenstore-control's
    lines = [line.split() for line in dom0.check("grep -aE '^(CREATE connection|IN) ' /tmp/trace").splitlines()]
    ours = {words[2] for words in lines if words[:2] == ["CREATE", "connection"]}
    ours |= {words[1] for words in lines if words[0] == "IN" and "WATCH (/local/domain/1/name name" in " ".join(words)}
    # vaned asks for a domain's path when it has heard nothing for a second: that goes by the clock
    alive = ["GET_DOMAIN_PATH", "(0", ")"]
    kinds = [words[4] for words in lines
             if words[0] == "IN" and words[1] in ours and words[4] != "CONTROL" and words[4:] != alive]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def test_create_and_destroy_ask_little_of_xenstored(rig):
    """A create and a destroy need about a third of the requests that xl's need (262 to 281, by how long it waits), vaned's among them."""
    counts = {}
    for tool in "xl", "vane":                               # vane in a process of its own: a worker's answers come when it likes
        run = {"xl": "xl", "vane": "VANE_DIRECT=1 vane"}[tool]
        dom0 = rig.boot_with_guests()                       # so that the domain is number 1 and vaned runs for vane only
        dom0.check(f"truncate -s 16M /tmp/disk; cat >/tmp/s.cfg <<'END'\n{CONFIG}END")
        if tool == "vane":
            dom0.check("vane events --once")                # starts vaned
        for verb, command in ("create", f"{run} create -p /tmp/s.cfg"), ("destroy", f"{run} destroy s"):
            kinds = requests(dom0, command)
            counts[tool, verb] = sum(kinds.values())
            print(f"{tool} {verb}: {counts[tool, verb]} requests: {kinds}", flush=True)
        dom0.stop()
    for verb in "create", "destroy":
        assert 0 < counts["vane", verb] <= 0.36 * counts["xl", verb], f"requests: {counts}"


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
