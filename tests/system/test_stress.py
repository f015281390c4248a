# SPDX-License-Identifier: GPL-2.0-or-later
"""Dom0 under load: page tables made and torn down fast, memory short, both CPUs busy, no complaint."""
from scenario import Disk, healthy, slow

FORKS = """
tree() { [ $1 -eq 0 ] && return; tree $(($1-1)) & tree $(($1-1)) & wait; }
i=0; while [ $i -lt %d ]; do tree 5; i=$((i+1)); done
"""

# Several writers that together want more than there is: caches are dropped, pages come and go.
PRESSURE = """
mount -o remount,size=90%% / 2>/dev/null
i=0; while [ $i -lt %d ]; do
    for k in 1 2 3; do head -c 60000000 /dev/urandom >/tmp/p$k & done; wait
    cat /tmp/p1 /tmp/p2 /tmp/p3 | sha256sum >/dev/null
    rm -f /tmp/p1 /tmp/p2 /tmp/p3; i=$((i+1)); done
"""

PIPES = """
i=0; while [ $i -lt %d ]; do
    seq 20000 | sort -r | gzip | gunzip | sort -n | sha256sum >/tmp/s$i &
    [ $((i %% 4)) -eq 3 ] && wait; i=$((i+1)); done; wait
[ "$(cat /tmp/s* | sort -u | wc -l)" -eq 1 ]
"""


def test_forks(rig):
    machine = rig.boot(smp=2)
    machine.check(FORKS % 10, 240)
    healthy(machine)


def test_memory_pressure(rig):
    machine = rig.boot(smp=2)
    machine.check(PRESSURE % 2, 240)
    healthy(machine)


def test_pipes(rig):
    machine = rig.boot(smp=2)
    machine.check(PIPES % 8, 240)
    healthy(machine)


def test_modules(rig):
    """Kernel mappings made and unmade."""
    machine = rig.boot(smp=2)
    machine.check("i=0; while [ $i -lt 15 ]; do modprobe dm-mod && modprobe nbd && "
                  "rmmod nbd && rmmod dm-mod || exit 1; i=$((i+1)); done", 120)
    healthy(machine)


@slow
def test_everything_at_once(rig):
    machine = rig.boot(smp=2, disks=[Disk("ahci", rig.file("disk", 512 << 20))])
    machine.check("mkfs.ext4 -q -F /dev/sda && mount -t ext4 /dev/sda /mnt", 120)
    machine.check(f"({FORKS % 60}) & ({PIPES % 60}) & "
                  "(i=0; while [ $i -lt 10 ]; do head -c 150000000 /dev/urandom >/mnt/f; sync; "
                  "sha256sum /mnt/f >/dev/null; i=$((i+1)); done) & wait", 1500)
    healthy(machine)
