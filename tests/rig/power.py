# SPDX-License-Identifier: GPL-2.0-or-later
"""A host loses its power in the middle of a migration and comes back: what must become of the guest.

The records of both hosts lie on disks (Hosts(durable=True)); memory, domains and processes of the host are gone.
The byte of the cell waits in the relay while the plug is pulled. Whether the guest has survived, and where, follows
from the stage (docs/migration.md); where only the operator can know, the cell says what he does.
"""
import dataclasses
import time

import qemu
from faults import LONG, Cell, copies, start, struck
from hosts import FAULT
from witness import disk_order, heart_rules, one_runner

RECORDS = "/var/lib/vane/migrations"
ID = f"$(ls {RECORDS} | sed 's/[.].*//' | head -n 1)"


@dataclasses.dataclass
class PowerCell:
    stage: str
    loser: str                                  # "source" or "target"
    way: str
    at: int
    count_from: str
    survives: str                               # where the guest runs in the end: "source", "target" or "" (it was lost)
    operator: tuple = ()                        # ((who, command), ...) once both hosts are up again

    def __str__(self):
        return f"{self.stage}: the {self.loser} loses power"


PROMOTE, DISCARD = f"vane migrate --promote {ID} --yes", f"vane migrate --discard {ID} --yes"

CELLS = (
    PowerCell("S2", "target", "to", 9 << 20, "-", "source"),
    # The only complete copy was the one that ran there.
    PowerCell("S2", "source", "to", 9 << 20, "-", ""),
    # The target has all of it and was not told: the operator knows that the source is dead.
    PowerCell("S5", "source", "from", 0, "S5", "target", (("target", PROMOTE),)),
    PowerCell("S6", "target", "to", 0, "S5", "source"),
    PowerCell("S6", "source", "to", 0, "S5", "target"),
    # It ran at the target, perhaps wrote to its disk, and went with that host. Its record says so, or the operator gives the
    # source's copy up.
    PowerCell("S8", "target", "from", 0, "S7", "", (("source", DISCARD), ("target", DISCARD))),
    PowerCell("S8", "source", "from", 0, "S7", "target"),
    PowerCell("S9", "source", "to", 0, "S8", "target"),
)


def recover(*hosts):
    for host in hosts:
        host.machine.run("vane migrate --recover >>/tmp/recover.log 2>&1", 120)


def run_cell(guest, cell):
    """Where the guest is in the end; guest.host is None when it was lost. Raises AssertionError when a rule is broken."""
    hosts, source, target = guest.hosts, guest.host, guest.hosts.other(guest.host)
    who = {"source": source, "target": target}
    begin = time.monotonic()
    start(guest, Cell(cell.stage, "hold", cell.way, cell.at, count_from=cell.count_from, options=LONG))
    assert struck(hosts, source, begin), f"{cell}: the migration did not get there: {source.machine.check('cat /tmp/out')}"
    loser = who[cell.loser]
    loser.lose_power()
    if loser is source:
        target.machine.check(f"touch {FAULT}.go")
    loser.come_back()
    recover(source, target)
    for side, command in cell.operator:
        who[side].machine.run(command, 120)     # refused where vaned's recovery has closed the matter: what is left tells
    end = time.monotonic() + 120 * qemu.SCALE
    want = {(who[cell.survives].name, "run")} if cell.survives else set()
    while True:
        recover(source, target)
        now = {(host, state) for (host, _), state in copies(hosts.log, guest.uuid).items()}
        left = [host.name for host in (source, target) if host.machine.run(f"ls {RECORDS} | grep .")[0] == 0]
        if now == want and not left:
            break
        assert time.monotonic() < end, (f"{cell}: copies {now} instead of {want}, records on {left}\n" + "\n".join(
            f"{h.name}: " + h.machine.run(f"cat /tmp/recover.log; vane migrate-status; cat {RECORDS}/*")[1]
            for h in (source, target)) + hosts.log.text(begin))
        time.sleep(2)
    guest.host = who.get(cell.survives)
    if guest.host:
        guest.runs(10, 5)
    broken = [b for b in one_runner(hosts.log, guest.uuid, begin) if guest.host or not b.startswith("I2")]
    broken += heart_rules(guest.heart, begin) + disk_order(hosts.log, begin) + guest.disk_chain()
    assert not broken, "\n".join(broken) + f"\n{cell}\n{hosts.log.text(begin)}"
    return cell.survives or "lost with its host"
