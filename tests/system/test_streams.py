# SPDX-License-Identifier: GPL-2.0-or-later
"""Saved domains: every form of a stream, damaged ones, full disks, dead savers, copies."""
import json
import os

from scenario import equal, healthy, slow
from test_guests import free_memory, gone, write_config
from test_vane import nothing_left, until, vane_does, vane_says

TICKS = "while sleep 1; do echo ti''ck $((n=n+1)); done"


def start(rig, name="s", memory=96, **options):
    """Dom0 with a guest that counts seconds on its console."""
    dom0 = rig.boot_with_guests(**{"mem": "2G", "hv_args": "dom0_mem=1G", **options})
    before = free_memory(dom0)
    dom0.check("vane create --wait " + write_config(dom0, name, memory=memory), 180)
    vane_says(dom0, name, "guest ready")
    vane_does(dom0, name, TICKS)
    vane_says(dom0, name, "^tick 2")
    return dom0, before


def count(dom0, name="s"):
    logs = f"/var/log/vane/{name}.console /var/log/xen/console/guest-{name}.log"
    return int(dom0.check(f"cat {logs} 2>/dev/null | grep -ao '^tick [0-9]*' | sort -k2n | tail -n 1").split()[1])


def goes_on(dom0, name="s"):
    """It counts on from where it was."""
    now = count(dom0, name)
    until(dom0, f"grep -qsaE '^tick ({now + 1}|{now + 2}|{now + 3})' /var/log/vane/{name}.console "
                f"/var/log/xen/console/guest-{name}.log", 120)


def damage(dom0, image, offset):
    """One bit of one byte turned."""
    dom0.check(f"cp {image} /tmp/bad && b=$(dd if={image} bs=1 skip={offset} count=1 2>/dev/null | od -An -tu1) && "
               f"printf \"\\\\$(printf %03o $((b ^ 16)))\" | dd of=/tmp/bad bs=1 seek={offset} conv=notrunc 2>/dev/null && "
               f"! cmp -s {image} /tmp/bad")


def refused(dom0, file, memory, what):
    assert dom0.run(f"vane restore -e {file}", 200)[0] != 0, f"accepted: {what}"
    equal(dom0.check("vane list | wc -l").strip(), "2", f"domains after {what}")
    assert abs(free_memory(dom0) - memory) <= 1, f"memory was lost after {what}"


def test_forms_and_damage(rig):
    """Packed, summed, copied live; a cut or damaged one is refused whole, a good one goes on."""
    dom0, before = start(rig)
    forms = ["--compress --checksum", "--compress=zero"] + (["--live --checksum"] if rig.hv == "paravane" else [])
    for form in forms:
        dom0.check(f"vane save {form} s /tmp/s.save", 300)
        if "zstd" in form or form == forms[0]:
            size = int(dom0.check("stat -c %s /tmp/s.save"))
            assert size < 48 << 20, f"{size} bytes are not compressed"
            for offset in (40, 3000, size // 3, size // 2, size - 700, size - 20):
                damage(dom0, "/tmp/s.save", offset)
                refused(dom0, "/tmp/bad", before, f"a flip at {offset} of {size}")
            for length in (31, 2000, size // 2, size - 9, size - 1):
                dom0.check(f"head -c {length} /tmp/s.save >/tmp/bad")
                refused(dom0, "/tmp/bad", before, f"a cut at {length} of {size}")
        dom0.check("vane restore /tmp/s.save; rm -f /tmp/s.save /tmp/bad", 300)
        goes_on(dom0)
    dom0.check("vane destroy s", 60)
    nothing_left(dom0, before)
    healthy(dom0)


LIMITS = """maxvcpus = 3
cpus = ["0", "0"]
cap = 90
max_grant_frames = 40
max_event_channels = 511
rtc_timeoffset = "-3600"
tsc_mode = "native"
on_reboot = "restart"
on_crash = "coredump-restart"
vif = ['bridge=xenbr0,rate=1MB/s,mac=00:16:3e:00:00:07']"""


def settings(dom0, name="s"):
    """What `list -l` says of it, without its number."""
    return json.loads(dom0.check(f"vane list -l {name}"))[0]["config"]


def test_settings_go_along(rig):
    """What a guest was created with, and what it was given since by either tool, is there after a restore and after a restart."""
    dom0 = rig.boot_with_guests(mem="2G", hv_args="dom0_mem=1G")
    before = free_memory(dom0)
    dom0.check("vane create --wait " + write_config(dom0, "s", memory=112, vcpus=2, more=LIMITS), 180)
    vane_says(dom0, "s", "guest ready")
    dom0.check("truncate -s 1M /tmp/hot.img; vane block-attach s /tmp/hot.img,raw,xvdb,w,no-discard && vane network-attach s "
               "bridge=xenbr0 && vane mem-set s 104 && vane vcpu-set -i s 1 && xl sched-credit2 -d s -w 512", 120)
    was = settings(dom0)
    b = was["b_info"]
    equal([len(was["disks"]), len(was["nics"]), b["sched_params"]["weight"], b["sched_params"]["cap"], b["avail_vcpus"], b["max_vcpus"],
           b["target_memkb"], b["vcpu_hard_affinity"], b["max_grant_frames"], b["event_channels"], b["rtc_timeoffset"]],
          [1, 2, 512, 90, [0], 3, 104 << 10, [[0], [0]], 40, 511, 2**32 - 3600], "what it has")
    dom0.check("vane save s /tmp/s.save && vane restore /tmp/s.save && rm /tmp/s.save", 300)
    equal(settings(dom0), was, "what it has after a restore")
    equal(dom0.check("vane sched-credit2 -d s; xenstore-read /local/domain/$(vane domid s)/cpu/1/availability").split()[-4:],
          [dom0.check("vane domid s").strip(), "512", "90", "offline"], "what the hypervisor and XenStore say")
    old = dom0.check("vane domid s").strip()
    dom0.check("vane reboot s", 60)
    # whole, and with nothing more to say on the console that the next answer comes over
    until(dom0, f"[ $(vane domid s) != {old} ] && [ $(grep -c 'guest ready' /var/log/vane/s.console) = 2 ]", 120)
    equal(settings(dom0), was, "what it has after a restart")
    dom0.check("vane destroy s; rm /tmp/hot.img", 60)
    nothing_left(dom0, before)
    healthy(dom0)


def test_snapshot_and_clone(rig):
    """A snapshot leaves the guest running; copies of it, and of the running guest, count on under their own names."""
    dom0, before = start(rig)
    dom0.check("vane snapshot --compress=zero s /tmp/snap", 300)
    goes_on(dom0)
    dom0.check("vane clone /tmp/snap two && vane clone s three", 300)
    for name in ("s", "two", "three"):
        goes_on(dom0, name)
    uuids = dom0.check("for d in s two three; do xenstore-read /local/domain/$(vane domid $d)/vm; done").split()
    equal(len(set(uuids)), 3, "different machines")
    assert dom0.run("vane clone /tmp/snap two", 120)[0] != 0, "a name was given twice"
    dom0.check("vane destroy two; vane destroy three; truncate -s 1M /tmp/d.img; ln -s /tmp/d.img /tmp/other", 120)
    dom0.check("vane block-attach s file:/tmp/d.img,xvdb,w", 60)
    status, said = dom0.run("vane clone s four 'disk=[\"/tmp/other,raw,xvdb,w\"]' 2>&1", 120)
    assert status != 0 and "is the template's" in said, said
    dom0.check("vane destroy s; rm /tmp/snap /tmp/d.img /tmp/other", 120)
    nothing_left(dom0, before)
    healthy(dom0)


def test_full_disk_and_dead_saver(rig):
    """No partial file, and a guest that goes on, whatever ends the save; a suspend that nobody waits for is undone."""
    dom0, _ = start(rig)
    dom0.check("mkdir -p /tmp/small && mount -t tmpfs -o size=8M none /tmp/small")
    status, output = dom0.run("vane save --compress=zero s /tmp/small/s.save 2>&1", 300)
    assert status != 0 and "No space" in output, output
    status, output = dom0.run("TMPDIR=/tmp/small vane clone s copy 2>&1", 300)
    assert status != 0 and "in /tmp/small" in output, output
    equal(dom0.check("ls /tmp/small").strip(), "", "what a full disk holds")
    goes_on(dom0)
    live = "--live " if rig.hv == "paravane" else ""
    for ms in (100, 400, 900, 1600):
        # -c: on a fast machine the last one may be done before it is killed
        dom0.check(f"vane save -c {live}s /tmp/dead >/dev/null 2>&1 & p=$!; usleep {ms}000; kill -9 $p; true", 60)
        until(dom0, "vane list s | grep -qE ' (r-|-b)----'", 30)
        dom0.check("vane pause nosuch 2>/dev/null; true")           # any changing command sweeps, too
        until(dom0, "[ -z \"$(ls /run/vane/saving)\" ]", 30)
        goes_on(dom0)
    dom0.check("rm -f /tmp/dead /tmp/dead.partial")
    dom0.check(f"vane save {live}s /tmp/int >/dev/null 2>&1 & p=$!; usleep 300000; kill $p; wait $p; ! ls /tmp/int* 2>/dev/null", 60)
    goes_on(dom0)
    dom0.check("umount /tmp/small; vane destroy s", 60)
    healthy(dom0)


@slow
def test_two_at_once_are_refused(rig):
    dom0, _ = start(rig)
    dom0.check("vane save s /tmp/one >/dev/null & until [ -e /tmp/one.partial ]; do usleep 10000; done; "
               "! vane save s /tmp/two 2>&1 | tee /tmp/why; grep -q already /tmp/why; wait; test -e /tmp/one", 200)
    dom0.check("vane restore /tmp/one", 200)
    goes_on(dom0)
    healthy(dom0)


@slow
def test_no_memory_for_it(rig):
    """An image that does not fit leaves nothing behind."""
    dom0 = rig.boot_with_guests(mem="1G", hv_args="dom0_mem=640M")
    dom0.check("vane create --wait " + write_config(dom0, "big", memory=160), 180)
    vane_says(dom0, "big", "guest ready")
    dom0.check("vane save --compress big /tmp/big.save", 300)
    before = free_memory(dom0)
    dom0.check("vane create -p " + write_config(dom0, "other", memory=before - 96), 180)
    left = free_memory(dom0)
    assert dom0.run("vane restore /tmp/big.save", 200)[0] != 0, "more memory than there is"
    assert abs(free_memory(dom0) - left) <= 1, "memory was lost"
    dom0.check("vane destroy other && vane restore /tmp/big.save", 300)
    dom0.check("vane destroy big", 60)
    healthy(dom0)


# ---- with xl, on one host (between hypervisors: test_between.py)

def hand_over(rig, saver, restorer):
    dom0, before = start(rig)
    dom0.check(f"{saver} s /tmp/s.save", 300)
    dom0.check(f"{restorer} /tmp/s.save", 300)
    goes_on(dom0)
    dom0.check("vane destroy s", 60)
    if saver.startswith("xl"):                  # vane's record of the domain that xl destroyed is nobody's
        dom0.check("rm -f /run/vane/domains/*")
    nothing_left(dom0, before)
    healthy(dom0)


def test_xl_restores_what_vane_saved(rig):
    hand_over(rig, "vane save --checksum", "xl restore")


@slow
def test_vane_restores_what_xl_saved(rig):
    hand_over(rig, "xl save", "vane restore")


@slow
def test_xl_refuses_packed(rig):
    dom0, _ = start(rig)
    dom0.check("vane save --compress s /tmp/s.save", 300)
    assert dom0.run("xl restore /tmp/s.save", 200)[0] != 0, "xl cannot know packed pages"
    gone(dom0, "s")
    dom0.check("vane restore /tmp/s.save", 300)
    goes_on(dom0)
    healthy(dom0)
