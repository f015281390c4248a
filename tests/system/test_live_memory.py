# SPDX-License-Identifier: GPL-2.0-or-later
"""Dirty logging under a real kernel: a guest that keeps changing and checking its memory is migrated, or saved, live."""
import os
import sys

from scenario import healthy, only_on, slow

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_guests import gone, guest_does, guest_says, write_config   # noqa: E402
from test_vane import vane_does, vane_says                              # noqa: E402

# Memory written, read back and compared, by several processes that fork; a lost page shows as BAD, a lost guest as silence.
LOAD = ("echo $((1+1)) >/tmp/n; (while :; do head -c 2000000 /dev/urandom >/tmp/r; sha256sum </tmp/r >/tmp/s; "
        "sha256sum </tmp/r | cmp -s - /tmp/s || echo BAD; cp /tmp/r /tmp/r2; cmp /tmp/r /tmp/r2 || echo BAD; "
        "n=$(($(cat /tmp/n)+1)); echo $n >/tmp/n; echo round $n; done) &")


# The receiving side logs under the name that a domain has until it is committed.
INCOMING = "mig--incoming"


def count(dom0):
    text = dom0.check("cat /var/log/xen/console/guest-mig*.log | grep -o '^round [0-9]*' | sort -k2n | tail -1").split()
    return int(text[1]) if len(text) == 2 else 0


def migrate_here(rig, vcpus, smp, rounds=1):
    dom0 = rig.boot_with_guests(mem="2G", smp=smp, cpu="max,-smap,-smep,-la57")
    dom0.check("xl create " + write_config(dom0, "mig", vcpus=vcpus), 120)
    guest_says(dom0, "mig", "guest ready")
    guest_does(dom0, "mig", LOAD)
    guest_says(dom0, "mig", "^round 5")
    for _ in range(rounds):
        before = count(dom0)
        print(dom0.check("xl migrate -s '' mig 'xl migrate-receive' 2>&1", 300))
        guest_says(dom0, INCOMING, f"^round {before + 20}", 60)
    # At the start of a line: the command itself is echoed too.
    assert dom0.check("cat /var/log/xen/console/guest-mig*.log | grep -c '^BAD' || true").strip() == "0", "the guest's memory was damaged"
    dom0.check("xl destroy mig")
    gone(dom0, "mig")
    healthy(dom0)


def test_live_migration_to_self(rig):
    migrate_here(rig, vcpus=1, smp=1)


@slow
def test_live_migration_to_self_smp(rig):
    migrate_here(rig, vcpus=2, smp=2, rounds=2)


def churns(dom0):
    text = dom0.check("grep -ao '^churn round [0-9]*' /var/log/vane/c.console | tail -n 1").split()
    return int(text[2]) if text else 0


def start_churn(dom0, memory, workers, vcpus=1):
    dom0.check("vane create --wait " + write_config(dom0, "c", memory=memory, vcpus=vcpus), 180)
    vane_says(dom0, "c", "guest ready")
    vane_does(dom0, "c", f"churn mib=4 workers={workers} &")
    vane_says(dom0, "c", "^churn round")


def churn_goes_on(dom0):
    vane_says(dom0, "c", f"^churn round {churns(dom0) // 4 * 4 + 8}", 120)


def end_churn(dom0):
    assert dom0.check("grep -ac '^BAD' /var/log/vane/c.console || true").strip() == "0", "the guest's memory was damaged"
    dom0.check("vane destroy c", 60)
    healthy(dom0)


def churn_and_save(rig, vcpus, smp, saves):
    """Fork, copy on write, page tables made and freed, protections changed, memory ballooned out and in: what a live image
    has of it is what the guest goes on with, and a page that was not logged is one that it finds wrong."""
    # An image of a guest that writes without end holds its memory several times, and Dom0 keeps it in its own.
    dom0 = rig.boot_with_guests(mem=f"{1 + vcpus}G", smp=smp, hv_args=f"dom0_mem={vcpus}G")
    memory = 128 + 24 * (vcpus - 1)             # each CPU costs Linux some, each worker its region and tables
    start_churn(dom0, memory, vcpus + 1, vcpus)
    for turn in range(saves):
        target = memory - 24 if turn % 2 == 0 else memory
        form = ("", "--compress=zero", "--compress --checksum")[turn % 3]
        dom0.check(f"(usleep 300000; vane mem-set c {target}) & vane save --live {form} c /tmp/c.save && wait && "
                   "vane restore /tmp/c.save && rm /tmp/c.save", 300)
        churn_goes_on(dom0)
    end_churn(dom0)


@only_on("paravane")
def test_forks_under_logging(rig):
    """A page table that was finished before a round and hung up after it is one without being written: of eight processes that
    fork all the time, a live image has a few. An image that takes them for data cannot be restored."""
    dom0 = rig.boot_with_guests(mem="4G", hv_args="dom0_mem=2G")
    start_churn(dom0, 160, workers=8)
    for _ in range(5):
        dom0.check("vane save --live c /tmp/c.save && vane restore /tmp/c.save && rm /tmp/c.save && sleep 1.5", 120)
    churn_goes_on(dom0)
    end_churn(dom0)


@only_on("paravane")
def test_size_changes_while_copied(rig):
    """What the guest is asked to become while it is copied, the copy becomes, and has frames for no more than that."""
    dom0 = rig.boot_with_guests(mem="4G", hv_args="dom0_mem=2G")
    start_churn(dom0, 160, workers=3)

    def has(mib):
        dom0.check(f"i=0; until [ \"$(vane list | awk '$1 == \"c\" {{ print $3 }}')\" = {mib} ]; do "
                   "[ $((i=i+1)) -lt 30 ] || { vane list; exit 1; }; sleep 1; done", 60)
        target = dom0.check("xenstore-read /local/domain/$(vane domid c)/memory/target").strip()
        assert int(target) == mib << 10, f"asked for {mib} MiB, its target is {target} KiB"

    for begin, end, how in ((160, 120, "--live"), (120, 160, "--live"), (160, 120, "")):
        has(begin)
        dom0.check(f"(usleep 100000; vane mem-set c {end}) & vane save {how} c /tmp/c.save && wait && "
                   "vane restore /tmp/c.save && rm /tmp/c.save", 120)
        has(end)
    # What a copy would not take along is refused while it is made.
    dom0.check("vane save --live --compress=zlib c /tmp/c.save & "
               "until ls /run/vane/saving/* 2>/dev/null; do usleep 20000; done; "
               "for what in 'rename c d' 'mem-max c 200' 'vcpu-set c 1' 'network-attach c' 'block-attach c /tmp/c.cfg,raw,xvdz' "
               "'config-update c /tmp/c.cfg'; do ! vane $what 2>/tmp/why && grep 'is being saved or migrated' /tmp/why || exit 1; "
               "done; kill -0 $! && wait && vane restore /tmp/c.save", 120)
    has(120)
    dom0.check("vane rename c d && vane rename d c")
    churn_goes_on(dom0)
    end_churn(dom0)


@only_on("paravane")
def test_churn_under_logging(rig):
    churn_and_save(rig, vcpus=1, smp=1, saves=2)


@slow
@only_on("paravane")
def test_churn_under_logging_smp(rig):
    churn_and_save(rig, vcpus=4, smp=2, saves=9)
