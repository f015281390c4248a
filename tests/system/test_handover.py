# SPDX-License-Identifier: GPL-2.0-or-later
"""The hand-over of a migrating guest within one host: its stages, and what becomes of it when a side dies."""
import json

from scenario import equal, healthy, only_on, slow
from test_guests import write_config
from test_vane import until, vane_does, vane_says

CPU = "max,-smap,-smep,-la57"
MIGRATE = "vane migrate --stall-timeout 60 -s '' m 'vane migrate-receive'"


def start(rig, **options):
    dom0 = rig.boot_with_guests(mem="2G", cpu=CPU, hv_args="dom0_mem=1G", **options)
    dom0.check("vane create --wait " + write_config(dom0, "m", memory=96), 180)
    vane_says(dom0, "m", "guest ready")
    vane_does(dom0, "m", "while sleep 1; do echo ti''ck $((n=n+1)); done")
    vane_says(dom0, "m", "^tick 2")
    return dom0


def one_copy_goes_on(dom0):
    """One domain, under its name, and it counts on; no record is left."""
    until(dom0, "[ $(vane list | grep -vcE '^(Name|Domain-0)') = 1 ] && vane domid m >/dev/null", 120)
    until(dom0, "! ls /var/lib/vane/migrations | grep .", 120)
    seen = dom0.check("grep -c '^tick' /var/log/vane/m.console").strip()
    until(dom0, f"[ $(grep -c '^tick' /var/log/vane/m.console) -gt {seen} ]", 120)
    dom0.check("vane destroy m", 60)
    equal(dom0.check("vane list | wc -l").strip(), "2", "rows of list after the guest was destroyed")
    healthy(dom0)


def when(dom0, side, stage, what):
    """A shell job that does @what once when @side comes to @stage ($pid: its process)."""
    return (f"f=; until f=$(grep -l '\"{stage}\"' /run/vane/migrating/*.{side} 2>/dev/null) && [ \"$f\" ]; do usleep 2000; "
            f"done; pid=$(sed -n 's/.*\"{stage}\".*\"pid\":\\([0-9]*\\).*/\\1/p' $f | head -1); {what}")


@slow
@only_on("paravane")
def test_stages(rig):
    dom0 = start(rig)
    lines = dom0.check(MIGRATE.replace("migrate ", "migrate --progress=json ", 1), 600).splitlines()
    stages = [json.loads(line)["stage"] for line in lines if line.startswith("{")]
    equal(sorted(set(stages)), [f"S{i}" for i in range(10)], "stages")
    equal(stages, sorted(stages), "their order")
    one_copy_goes_on(dom0)


def killed(rig, side, stage):
    dom0 = start(rig)
    dom0.check(f"({when(dom0, side, stage, 'kill -9 $pid')}) & {MIGRATE} >/tmp/out 2>&1; wait; cat /tmp/out", 600)
    one_copy_goes_on(dom0)


@slow
@only_on("paravane")
def test_receiver_killed_when_told_to_start(rig):
    killed(rig, "target", "S6")


@slow
@only_on("paravane")
def test_sender_killed_when_handing_over(rig):
    killed(rig, "source", "S7")


@slow
@only_on("paravane")
def test_killed_at_every_stage(rig):
    for side, stages in (("source", "S1 S2 S3 S4 S5 S6 S8 S9"), ("target", "S1 S5 S7 S8")):
        for stage in stages.split():
            killed(rig, side, stage)


@slow
@only_on("paravane")
def test_cancel_and_a_second_one(rig):
    dom0 = start(rig)
    dom0.check(MIGRATE.replace("migrate ", "migrate --bandwidth 1 ", 1) + " >/tmp/out 2>&1 & "
               + when(dom0, "source", "S2", "true") + f"; {MIGRATE} >/tmp/second 2>&1 && exit 1; "
               "vane migrate --cancel m && wait; cat /tmp/second /tmp/out", 600)
    assert "being migrated already" in dom0.check("cat /tmp/second"), "the second was not refused"
    assert "cancelled" in dom0.check("cat /tmp/out"), "what the cancelled one says"
    one_copy_goes_on(dom0)
