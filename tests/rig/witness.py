# SPDX-License-Identifier: GPL-2.0-or-later
"""What happened, by one clock: the log that the checker rules of migration are computed over.

Events are (time, kind, fields); the time is this host's time.monotonic(). They come from
    Heart      a guest's heartbeats (tests/agents/checker.c): kinds beat, silence
    DomWatch   which domains each host's hypervisor may run, and whose disk is open (tests/agents/domwatch.c): kinds dom, vbd
    NbdServer  the shared disk: kinds disk-open, disk-write, disk-flush, disk-close
    rexec      what befell the link: kinds fault, passed
    tests      what was done to whom: kinds migrate, done
None of them asks the tools under test.
"""
import bisect
import dataclasses
import socket
import threading
import time


@dataclasses.dataclass
class Event:
    at: float
    kind: str
    fields: dict

    def __getattr__(self, name):
        try:
            return self.fields[name]
        except KeyError:
            raise AttributeError(name) from None


class Log:
    """A list for each kind, in order of time: heartbeats come by the ten thousand, and are asked for all the time."""

    def __init__(self):
        self.kinds = {}                             # kind: (times, events)
        self.lock = threading.Lock()

    def __call__(self, kind, at=None, **fields):
        at = at if at is not None else time.monotonic()
        with self.lock:
            times, events = self.kinds.setdefault(kind, ([], []))
            place = bisect.bisect_right(times, at)
            times.insert(place, at)
            events.insert(place, Event(at, kind, fields))

    def of(self, *kinds, since=0.0, until=float("inf")):
        """Events of these kinds in order of time."""
        with self.lock:
            found = []
            for kind in kinds:
                times, events = self.kinds.get(kind, ([], []))
                found.append(events[bisect.bisect_left(times, since):bisect.bisect_right(times, until)])
        return found[0] if len(found) == 1 else sorted(sum(found, []), key=lambda e: e.at)

    def text(self, since=0.0, without=("disk-write", "disk-flush", "beat")):
        events = self.of(*(kind for kind in list(self.kinds) if kind not in without), since=since)
        return "\n".join(f"    {e.at - since:8.3f} {e.kind} " + " ".join(f"{k}={v}" for k, v in e.fields.items())
                         for e in events)


class Heart:
    """Receives the heartbeats of one guest, which it knows by port."""

    def __init__(self, log, name):
        self.log, self.name = log, name
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.guest = None                           # where heartbeats come from, hence where to answer
        self.pongs = {}                             # number -> time of arrival
        threading.Thread(target=self.listen, daemon=True).start()

    def close(self):
        self.socket.close()

    def listen(self):
        while True:
            try:
                data, source = self.socket.recvfrom(2048)
            except OSError:
                return
            words = data.decode("ascii", "replace").split()
            if words[:1] == ["hb"] and len(words) == 8:
                self.guest = source
                seq, mono, real, steps, block, errors = map(int, words[2:])
                self.log("beat", guest=self.name, boot=words[1], seq=seq, mono=mono, real=real, steps=steps,
                         block=block, errors=errors)
            elif words[:1] == ["pong"]:
                self.pongs[int(words[1])] = time.monotonic()

    def send(self, text):
        if self.guest:
            try:
                self.socket.sendto(text.encode(), self.guest)
            except OSError:
                pass

    def beats(self, **limits):
        return [e for e in self.log.of("beat", **limits) if e.guest == self.name]

    def wait(self, count=1, timeout=60, since=None):
        """Wait for @count heartbeats from now on (or since @since)."""
        since = since if since is not None else time.monotonic()
        end = time.monotonic() + timeout
        while len(self.beats(since=since)) < count:
            if time.monotonic() > end:
                raise AssertionError(f"{self.name}: no {count} heartbeats within {timeout:.0f} s\n{self.log.text(since - 20)}")
            time.sleep(0.02)


class Caller:
    """Asks a guest for an answer fifty times a second, through the socket that its heartbeats come to."""

    def __init__(self, heart):
        self.heart, self.asked, self.going = heart, {}, True        # number -> when
        self.thread = threading.Thread(target=self.ask, daemon=True)
        self.thread.start()

    def close(self):
        self.going = False

    def ask(self):
        while self.going:
            number = len(self.asked)
            self.asked[number] = time.monotonic()
            self.heart.send(f"ping {number}")
            time.sleep(0.02)

    def between(self, begin, end):
        """(asked, answered) of this time."""
        asked = [number for number, at in list(self.asked.items()) if begin <= at <= end]
        return len(asked), len([number for number in asked if number in self.heart.pongs])


class DomWatch:
    """Reads domwatch's lines from a host's channel and puts its times on our clock.

    Each line takes some time to get here, never less than none: the smallest difference seen between
    our time of arrival and theirs of sending is the offset of the clocks, good to a few milliseconds.
    """

    def __init__(self, log, host, path):
        self.log, self.host = log, host
        self.offset = None
        self.heard = 0.0
        self.waiting = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        threading.Thread(target=self.listen, daemon=True).start()

    def close(self):
        self.socket.close()

    def listen(self):
        try:
            with self.socket.makefile("r", errors="replace") as lines:
                for line in lines:
                    self.take(line.split(), time.monotonic())
        except (OSError, ValueError):
            pass

    def take(self, words, arrived):
        if len(words) < 2 or not words[1].isdigit():
            return
        theirs = int(words[1]) / 1e6
        self.heard = arrived
        if self.offset is None or arrived - theirs < self.offset:
            self.offset = arrived - theirs
        if words[0] == "dom" and len(words) == 5:
            self.log("dom", at=theirs + self.offset, host=self.host, domid=int(words[2]), uuid=words[3], state=words[4])
        elif words[0] == "disk" and len(words) == 4:
            self.log("vbd", at=theirs + self.offset, host=self.host, domid=int(words[2]), state=words[3])
        elif words[0] == "fault" and len(words) == 5:
            self.log("fault", at=theirs + self.offset, host=self.host, what=words[2], way=words[3], byte=int(words[4]))
        elif words[0] == "passed" and len(words) == 4:
            self.log("passed", at=theirs + self.offset, host=self.host, to=int(words[2]), back=int(words[3]))


def states(log, uuid, since=0.0):
    """[(time, {(host, domid): state})]: who has a copy of this guest and may it run, after each change."""
    now, result = {}, []
    for e in log.of("dom"):
        if e.uuid != uuid:
            continue
        if e.state in ("gone", "dying", "down"):
            now.pop((e.host, e.domid), None)
        else:
            now[e.host, e.domid] = e.state
        if e.at >= since:
            result.append((e.at, dict(now)))
    return result


SLACK = 0.015           # the clocks of two hosts agree to this, seconds


def one_runner(log, uuid, since=0.0):
    """I1: at most one copy may run at any instant. I2: there is always a copy."""
    broken, both = [], None
    history = states(log, uuid, since)
    for at, now in history:
        running = [where for where, state in now.items() if state == "run"]
        if len(running) > 1:
            both = both or (at, running)
        elif both:
            if at - both[0] > SLACK:
                broken.append(f"I1: copies ran on {both[1]} for {at - both[0]:.3f} s")
            both = None
        if not now:
            broken.append("I2: no copy of the guest is left")
    if both:
        broken.append(f"I1: copies run on {both[1]}")
    return broken


def promptest(beats):
    """The heartbeat that was on its way for the shortest time: on a busy machine some arrive a second late."""
    return min(beats, key=lambda e: e.at - e.mono / 1e9)


def heart_rules(heart, since=0.0, drift=3.0):
    """One sender, one life: numbers rise by one, time and work never fall, the checkers found nothing."""
    broken, last, beats = [], None, heart.beats(since=since)
    for e in beats:
        if e.errors:
            broken.append(f"the checker in the guest found {e.errors} errors (its console says what)")
            break
        if last:
            if e.boot != last.boot:
                broken.append("the guest has restarted")
            elif e.seq <= last.seq:
                broken.append(f"I1: heartbeat {e.seq} after {last.seq}: two copies sent, or an old one went on")
            for what in ("mono", "real", "steps", "block"):
                if e.fields[what] < last.fields[what]:
                    broken.append(f"I8: {what} fell from {last.fields[what]} to {e.fields[what]}")
        last = e
        if broken:
            break
    if beats and not broken:
        few = min(100, (len(beats) + 1) // 2)
        first, last = promptest(beats[:few]), promptest(beats[-few:])
        passed = last.at - first.at
        real, mono = ((last.fields[what] - first.fields[what]) / 1e9 for what in ("real", "mono"))
        # CLOCK_MONOTONIC stands while a guest is suspended; a host knows the time of day to the second.
        if abs(passed - real) > drift or mono - passed > 1:
            broken.append(f"I8: in {passed:.3f} s the guest's clocks moved by {real:.3f} s (time of day) and {mono:.3f} s")
    return broken


def missing(heart, since=0.0):
    """Numbers of the heartbeats that were sent between the first and the last one heard, and not heard."""
    heard = {e.seq for e in heart.beats(since=since)}
    return [seq for seq in range(min(heard, default=0), max(heard, default=0)) if seq not in heard]


def turns(log, since=0.0):
    """[(time, from, to)] each time that another host than before writes to the disk."""
    changes, writer = [], None
    for e in log.of("disk-write", since=since):
        if writer and e.host != writer:
            changes.append((e.at, writer, e.host))
        writer = e.host
    return changes


def disk_order(log, since=0.0):
    """I7: between two hosts the disk changes hands once a move, and never back without one."""
    moves = len(log.of("migrate", since=since))
    changes = turns(log, since)
    if len(changes) > moves:
        return [f"I7: {len(changes)} times another host wrote than before, for {moves} moves"]
    return []


def one_opener(log, uuid, since=0.0):
    """I7: at most one host's back end has the guest's disk open at any instant."""
    copies = {(e.host, e.domid) for e in log.of("dom") if e.uuid == uuid}
    broken, opened, both = [], set(), None
    for e in log.of("vbd"):
        if (e.host, e.domid) not in copies:
            continue
        (opened.add if e.state == "open" else opened.discard)((e.host, e.domid))
        if len(opened) > 1:
            both = both or e.at
        elif both:
            if e.at - both > SLACK and e.at >= since:
                broken.append(f"I7: the disk was open twice for {e.at - both:.3f} s")
            both = None
    if both:
        broken.append(f"I7: the disk is open at {sorted(opened)}")
    if not log.of("vbd"):
        broken.append("I7: nobody has ever opened the disk: the witness is blind")
    return broken


def gaps(times):
    return [b - a for a, b in zip(times, times[1:])]
