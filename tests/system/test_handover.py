# SPDX-License-Identifier: GPL-2.0-or-later
"""The hand-over of a migrating guest within one host: its stages, and what becomes of it when a side dies."""
import json

from guests import until, vane_does, vane_says, write_config
from scenario import equal, healthy, only_on, slow

CPU = "max,-smap,-smep,-la57"


def migrate(options="", command="vane migrate-receive"):
    return f"vane migrate --stall-timeout 60 {options} -s '' m '{command}'"


def start(rig, **options):
    dom0 = rig.boot_with_guests(mem="2G", cpu=CPU, hv_args="dom0_mem=1G")
    dom0.check("vane create --wait " + write_config(dom0, "m", memory=96, **options), 180)
    vane_says(dom0, "m", "guest ready")
    vane_does(dom0, "m", "while sleep 1; do echo ti''ck $((n=n+1)); done")
    vane_says(dom0, "m", "^tick 2")
    return dom0


def one_copy_goes_on(dom0):
    """One domain, under its name, and it counts on; no record is left."""
    until(dom0, "[ $(vane list | grep -vcE '^(Name|Domain-0)') = 1 ] && vane domid m >/dev/null", 120)
    until(dom0, "! ls /var/lib/vane/migrations | grep .", 120)
    # a copy that xl received is logged under the name it had first
    ticks = "cat /var/log/vane/m.console /var/log/xen/console/guest-m*.log 2>/dev/null | grep -ac '^tick'"
    seen = dom0.check(ticks).strip()
    until(dom0, f"[ $({ticks}) -gt {seen} ]", 120)


def domid(dom0):
    return dom0.check("vane domid m").strip()


def at_stage(side, stage, what):
    """Shell: wait until @side is at @stage, then do @what; $pid is its process."""
    return (f"until f=$(grep -l '\"{stage}\"' /run/vane/migrating/*.{side} 2>/dev/null) && [ \"$f\" ]; do usleep 2000; "
            f"done; pid=$(sed -n 's/.*\"{stage}\".*\"pid\":\\([0-9]*\\).*/\\1/p' $f | head -1); {what}")


def killed(dom0, side, stage):
    """SIGKILL to one side's process at a stage, again if it came too late. Returns (domid before, domid after)."""
    for _ in range(4):
        before = domid(dom0)
        status, output = dom0.run(f"{migrate()} >/tmp/out 2>&1 & job=$!; {at_stage(side, stage, 'kill -9 $pid')}; wait $job", 600)
        if status != 0:
            break
    assert status != 0, f"{side} was to be killed at {stage}: {output}"
    one_copy_goes_on(dom0)
    return before, domid(dom0)


@only_on("paravane")
def test_stages_deaths_and_cancel(rig):
    dom0 = start(rig)
    first = domid(dom0)
    lines = dom0.check(migrate("--progress=json"), 600).splitlines()
    stages = [json.loads(line)["stage"] for line in lines if line.startswith("{")]
    equal(sorted(set(stages)), [f"S{i}" for i in range(10)], "stages")
    equal(stages, sorted(stages), "their order")
    one_copy_goes_on(dom0)
    second = domid(dom0)
    assert second != first, "it did not move"
    killed(dom0, "source", "S4")                # the guest stands still and nobody is there: vaned brings it to an end
    before, after = killed(dom0, "target", "S1")
    equal(after, before, "the domain after the receiver was killed")
    before, after = killed(dom0, "source", "S7")            # handed over: vaned brings it to its end there
    assert after != before, "it was not brought to its end at the target"

    second = domid(dom0)
    dom0.check(f"{migrate('--bandwidth 1')} >/tmp/out 2>&1 & job=$!; {at_stage('source', 'S1', 'true')}; "
               f"{migrate()} >/tmp/second 2>&1 && exit 1; vane migrate --cancel m && ! wait $job", 600)
    assert "being migrated already" in dom0.check("cat /tmp/second"), "the second was not refused"
    assert "cancelled" in dom0.check("cat /tmp/out"), "what the cancelled one says"
    equal(domid(dom0), second, "the domain after it was cancelled")
    one_copy_goes_on(dom0)
    dom0.check("vane destroy m", 60)
    until(dom0, "[ $(vane list | wc -l) = 2 ]")          # xenconsoled lets go of its ring when it hears of it
    healthy(dom0)


@slow
@only_on("paravane")
def test_xl_at_either_end(rig):
    dom0 = start(rig)
    for command in ("xl migrate -s '' m 'vane migrate-receive'", migrate(command="xl migrate-receive"),
                    migrate("--compress --non-live"), migrate("--compress=zlib --max-downtime 1000 --throttle")):
        before = domid(dom0)
        dom0.check(command, 600)
        one_copy_goes_on(dom0)
        assert domid(dom0) != before, f"it did not move: {command}"
    dom0.check("vane destroy m", 60)
    healthy(dom0)


@slow
@only_on("paravane")
def test_network_is_announced(rig):
    """A neighbour that asks nothing learns from the guest's own announcement where it is now."""
    dom0 = start(rig, extra="pvnet=192.168.9.2/24", more="vif = ['bridge=xenbr0,mac=00:16:3e:00:00:01']")
    dom0.check("ip addr add 192.168.9.1/24 dev xenbr0; echo 1 >/proc/sys/net/ipv4/conf/xenbr0/arp_accept; "
               "ping -c 3 192.168.9.2; ip neigh flush dev xenbr0", 120)
    dom0.check(migrate(), 600)
    until(dom0, "ip neigh show dev xenbr0 | grep -q '192.168.9.2.*00:16:3e:00:00:01'", 60)
    dom0.check("ping -c 3 192.168.9.2", 60)
    one_copy_goes_on(dom0)
    dom0.check("vane destroy m", 60)
    healthy(dom0)
