# SPDX-License-Identifier: GPL-2.0-or-later
"""The fault matrix of migration: one attempt, one fault, and what must be true afterwards.

A Cell names a stage (S0 connect .. S9 destroy at the source), what happens there, and whether the guest must be
at the source afterwards ("source"), at the target ("target"), or at exactly one of them ("one"). Whatever
the fault was, once the link is back and `vane migrate --recover` has run on both hosts:

    the guest runs once, its heartbeats never came from two copies, no page and no write was lost;
    where it was given up before the commit it goes on as the same domain within 5 seconds;
    the other host has no trace of it: no domain, no frame.
"""
import dataclasses
import random
import threading
import time

import qemu
from hosts import FAULT, Host
from witness import disk_order, gaps, heart_rules, one_runner, states

# Each side writes its stages, with its process, to a file: docs/migration.md.
PID_IN = "$(sed -n 's/.*\"pid\":\\([0-9]*\\).*/\\1/p' /run/vane/migrating/*.%s | tail -n 1)"
RECEIVER, SENDER = PID_IN % "target", PID_IN % "source"
PATIENCE_SECONDS = int(5 * qemu.SCALE)
PATIENCE = f"--stall-timeout {PATIENCE_SECONDS}"
LONG = f"--stall-timeout {int(60 * qemu.SCALE)}"      # for what takes its time while the byte waits
SECOND = "vane migrate -s rexec guest 10.1.0.9"      # of a guest that is being moved
VANED, TRANSPORT = "$(pidof vaned)", "$(ps -o pid,args | awk '$2 == \"rexec\" && $3 ~ /^10/ { print $1 }')"
RESUME_SECONDS = 5                              # I3: once the migration has been given up


@dataclasses.dataclass
class Cell:
    stage: str                                  # for people, and S5.. as rexec's STAGE
    what: str                                   # rexec's fault, or of ACTIONS
    way: str = "to"
    at: int = 0
    arg: int = 0
    count_from: str = "-"                       # rexec's STAGE
    script: str = ""                            # on the target, for "run"
    hold: tuple = ()                            # (who, what to do) while the byte waits, for "hold"
    mend: tuple = ()                            # (who, what to do) before the guest is looked for
    expect: str = "one"
    options: str = ""                           # of vane migrate

    def __str__(self):
        extra = self.script or (f"{self.hold[0]}: {getattr(self.hold[1], '__name__', self.hold[1])}" if self.hold else "")
        return f"{self.stage} {self.what} {self.way} {self.at} from {self.count_from}" + (f" ({extra})" if extra else "")


@dataclasses.dataclass
class Outcome:
    status: int
    text: str
    struck: bool
    where: str                                  # "source" or "target"


def start(guest, cell):
    """A migration, in the background of its source, with the fault that awaits it."""
    source, target = guest.host, guest.hosts.other(guest.host)
    guest.hosts.log("migrate", guest=guest.name, source=source.name, target=target.name)
    if cell.script:
        target.machine.check(f"cat >{FAULT}.sh <<'END'\n{cell.script}\nEND")
    target.machine.check(f"rm -f {FAULT}.go; echo {cell.what} {cell.way} {cell.at} {cell.arg} {cell.count_from} >{FAULT}")
    source.machine.check("rm -f /tmp/status; ( " + guest.migrate_command(target, cell.options or PATIENCE) +
                         " >/tmp/out 2>&1; echo $? >/tmp/status ) </dev/null & true")


def attempt(guest, cell, timeout=90):
    """One migration with one fault. Raises AssertionError when a rule is broken; else what came of it."""
    hosts, source, target = guest.hosts, guest.host, guest.hosts.other(guest.host)
    begin = time.monotonic()
    before = copies(hosts.log, guest.uuid)
    assert len(before) == 1, f"{cell}: there are {len(before)} copies already ({before})"
    (_, domid), = before
    start(guest, cell)
    helper = None
    if cell.hold:
        helper = threading.Thread(target=hold, args=(hosts, cell, source, target, begin), daemon=True)
        helper.start()
        helper.join(timeout * qemu.SCALE)
    looks = int(timeout * qemu.SCALE * 5)
    status, _, text = source.machine.check(f"i=0; until [ -s /tmp/status ]; do [ $((i=i+1)) -lt {looks} ] || "
                                           "{ cat /tmp/out; exit 1; }; usleep 200000; done; cat /tmp/status /tmp/out",
                                           timeout * 2).lstrip().partition("\n")
    status = int(status)
    if cell.mend:
        act(*cell.mend, source, target)
    target.machine.check(f"rm -f {FAULT} {FAULT}.sh")
    hosts.log("done", guest=guest.name, status=status)
    for e in hosts.log.of("held", since=begin):
        assert not e.wrong, f"{cell}: {e.wrong}"
    happened = bool(hosts.log.of("fault", since=begin))
    if not happened:                                # its byte was never sent: a migration like any other
        cell = dataclasses.replace(cell, expect="target")
    where = settle(guest, source, target, cell, begin, domid)
    guest.moves += where == "target"
    return Outcome(status, text, happened, where)


def act(who, what, source, target):
    """@what is a shell command, or a function of Host."""
    host = source if who == "source" else target
    if callable(what):
        what(host)
    else:
        host.machine.check(what, 120)


def struck(hosts, source, begin, timeout=60):
    """Wait for the fault to happen, or for the end of the migration; whether it did."""
    end, look = time.monotonic() + timeout * qemu.SCALE, time.monotonic() + 10
    while not hosts.log.of("fault", since=begin) and time.monotonic() < end:
        time.sleep(0.01)
        if time.monotonic() > look:
            look += 5
            if source.machine.run("[ -s /tmp/status ]")[0] == 0:
                break
    return bool(hosts.log.of("fault", since=begin))


def hold(hosts, cell, source, target, begin):
    """While the byte waits in the relay, do to the source or the target what the cell says."""
    wrong = ""
    if not struck(hosts, source, begin):
        return
    try:
        act(*cell.hold, source, target)
    except qemu.Trouble as trouble:
        wrong = str(trouble)
    target.machine.check(f"touch {FAULT}.go")
    hosts.log("held", what=cell.hold, wrong=wrong)


def settle(guest, source, target, cell, begin, domid):
    """Let both ends recover, see where the guest is, and hold everything against the rules."""
    log = guest.hosts.log
    for _ in range(3):
        for host in (source, target):
            host.machine.run("vane migrate --recover >>/tmp/recover.log 2>&1", 120)
        now = copies(log, guest.uuid)
        if len(now) == 1 and list(now.values()) == ["run"]:
            break
        time.sleep(1)
    now = copies(log, guest.uuid)
    context = f"{cell}\n{log.text(begin)}"
    assert len(now) == 1, f"{len(now)} copies are left ({now}): {context}"
    (host, at), = now
    where = "source" if host == source.name else "target"
    guest.host = source if where == "source" else target
    guest.runs(RESUME_SECONDS * 2, 5)
    if where == "source":
        silence = max(gaps([e.at for e in guest.heart.beats(since=begin)]))
        assert silence < PATIENCE_SECONDS + RESUME_SECONDS * qemu.SCALE, f"I3: silent for {silence:.1f} s: {context}"
        assert at == domid, f"I8: it was domain {domid}, now it is {at}: {context}"
    assert cell.expect in ("one", where), f"the guest is at the {where}: {context}"
    broken = one_runner(log, guest.uuid, begin) + heart_rules(guest.heart, begin)
    if guest.has_disk:
        broken += disk_order(log, begin) + guest.disk_chain()
    assert not broken, "\n".join(broken) + f"\n{context}"
    other = target if where == "source" else source
    left = other.free - other.free_pages("i=0; until [ $(vane list | wc -l) = 2 ]; do [ $((i=i+1)) -lt 20 ] || { vane list; exit 1; }; "
                                         "sleep 1; done; ")
    assert abs(left) <= 16, f"host {other.name} has lost {left} frames: {context}"
    return where


def copies(log, uuid):
    history = states(log, uuid)
    return history[-1][1] if history else {}


def in_copy(rng, image_bytes):
    """Faults of the link and of processes while memory is copied (S1, S2, S4): any byte of the image."""
    at = rng.randrange(200, image_bytes)
    stage = "S2/S4"
    return [
        Cell(stage, "cut", "to", at, expect="source"),
        Cell(stage, "hole", "to", at, expect="source"),
        Cell(stage, "corrupt", "to", at, rng.randrange(8), expect="source"),
        Cell(stage, "duplicate", "to", at, rng.randrange(1, 4096), expect="source"),
        Cell(stage, "delay", "to", at, 1500, expect="target"),
        Cell(stage, "hold", "to", at, hold=("source", "! " + SECOND), expect="target"),
        Cell(stage, "run", "to", at, script=f"kill -9 {RECEIVER}", expect="source"),
        Cell(stage, "run", "to", at, script=f"p={RECEIVER}; kill -STOP $p; (sleep 30; kill -CONT $p) &", expect="source"),
        Cell(stage, "hold", "to", at, hold=("source", f"kill -9 {SENDER}"), expect="source"),
        Cell(stage, "hold", "to", at, hold=("source", f"kill -INT {SENDER}"), expect="source"),
        Cell(stage, "hold", "to", at, hold=("source", "vane migrate --cancel guest"), expect="source"),
    ]


def of_hosts(rng, image_bytes):
    """What the hosts run out of, or lose, while memory is copied. It is made 32 MiB at a time, when the first pages are there: a
    small guest has all of its own by then, or none."""
    at, short = rng.randrange(200, image_bytes // 2), "source" if image_bytes > 64 << 20 else "one"
    return [
        Cell("S1", "hold", "from", 0, hold=("target", Host.eat_memory), mend=("target", Host.free_memory), options=LONG, expect="source"),
        Cell("S2", "hold", "to", at, hold=("target", Host.eat_memory), mend=("target", Host.free_memory), options=LONG, expect=short),
        Cell("S2", "hold", "to", at, hold=("target", Host.detach_disks), mend=("target", Host.attach_disks), options=LONG,
             expect="source"),
        Cell("S2", "hold", "to", at, hold=("target", f"kill -9 {VANED}"), options=LONG, expect="target"),
        Cell("S2", "hold", "to", at, hold=("source", f"kill -9 {VANED}"), options=LONG, expect="target"),
        Cell("S2", "hold", "to", at, hold=("source", f"kill -9 {TRANSPORT}"), options=LONG, expect="source"),
    ]


def at_start(rng):
    """S0: the first words of both sides."""
    return [
        Cell("S0", "cut", "from", rng.randrange(54), expect="source"),
        Cell("S0", "corrupt", "from", rng.randrange(54), rng.randrange(8), expect="source"),
        Cell("S0", "cut", "to", rng.randrange(2000), expect="source"),
        Cell("S0", "corrupt", "to", rng.randrange(2000), rng.randrange(8), expect="source"),
        Cell("S0", "hole", "from", rng.randrange(54), expect="source"),
    ]


def at_commit(rng):
    """S5 to S8: the words of the hand-over, at each of their bytes."""
    byte = rng.randrange(40)
    return [
        Cell("S5", "cut", "from", byte, count_from="S5"),
        Cell("S5", "hole", "from", byte, count_from="S5"),
        Cell("S5", "corrupt", "from", byte, rng.randrange(8), count_from="S5"),
        Cell("S5", "run", "from", byte, count_from="S5", script=f"kill -9 {RECEIVER}"),
        Cell("S5", "hold", "from", byte, count_from="S5", hold=("source", f"kill -9 {SENDER}")),
        Cell("S6", "cut", "to", byte, count_from="S5"),
        Cell("S6", "hole", "to", byte, count_from="S5"),
        Cell("S6", "corrupt", "to", byte, rng.randrange(8), count_from="S5"),
        Cell("S6", "duplicate", "to", byte, 40, count_from="S5"),
        Cell("S6", "run", "to", byte, count_from="S5", script=f"kill -9 {RECEIVER}"),
        Cell("S6", "hold", "to", byte, count_from="S5", hold=("source", f"kill -9 {SENDER}")),
        Cell("S7", "hold", "to", byte, count_from="S5", hold=("target", f"kill -9 {VANED}"), options=LONG, expect="target"),
        Cell("S7", "hold", "to", byte, count_from="S5", hold=("source", f"kill -9 {VANED}"), options=LONG, expect="target"),
        Cell("S8", "cut", "from", byte, count_from="S6"),
        Cell("S8", "hole", "from", byte, count_from="S6"),
        Cell("S8", "corrupt", "from", byte, rng.randrange(8), count_from="S6"),
        Cell("S8", "duplicate", "from", byte, 40, count_from="S6"),
        Cell("S8", "run", "from", byte, count_from="S6", script=f"kill -9 {RECEIVER}"),
        Cell("S9", "hold", "from", byte, count_from="S6", hold=("source", f"kill -9 {SENDER}")),
    ]


def learn(guest):
    """A clean migration with a relay in between: the bytes that pass to the receiver."""
    begin = time.monotonic()
    attempt(guest, Cell("clean", "none", at=1 << 62, expect="target"))
    seen = guest.hosts.log.of("passed", since=begin)
    assert seen, "the relay did not report"
    return seen[-1].to


def matrix(guest, seeds, offsets, say=print, only=None):
    """Every cell at @offsets places for each seed. All cells are run; what broke is raised at the end."""
    image = learn(guest)
    broken, count = [], 0
    for seed in seeds:
        rng = random.Random(seed)
        for _ in range(offsets):
            for cell in at_start(rng) + in_copy(rng, image) + of_hosts(rng, image) + at_commit(rng):
                if only and not any(word in str(cell) for word in only):
                    continue
                count += 1
                guest.renew()
                begin = time.monotonic()
                try:
                    out = attempt(guest, cell)
                    say(f"  {count:4} {cell}: at the {out.where}{'' if out.struck else ' (not struck)'}, "
                        f"status {out.status}, {time.monotonic() - begin:.1f} s")
                except (AssertionError, qemu.Trouble) as error:
                    say(f"  {count:4} {cell}: BROKEN {error}")
                    broken.append(f"{cell}: {str(error).splitlines()[0]}")
                    if len(broken) >= 5:
                        raise AssertionError("\n".join(broken)) from None
    assert not broken, "\n".join(broken)
    say(f"  {count} faults")
