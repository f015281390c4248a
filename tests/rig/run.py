#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make run`: two hosts, a guest with disk and network, a client talking to it, and the guest moves there and back.

Says what happens and how long it took; draws build/run/migration.svg. On a terminal it ends in host a's
shell, with everything still running (Ctrl-\\ leaves); otherwise the guest is shut down and the hosts power off.
"""
import argparse
import http.client
import json
import os
import select
import sys
import termios
import threading
import time
import tty

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import picture                                                          # noqa: E402
import qemu                                                             # noqa: E402
import scenario                                                         # noqa: E402
from debian import DebianGuest, file_system_is_whole, root_disk         # noqa: E402
from hosts import Hosts, guest_address                                  # noqa: E402
from witness import gaps, states                                        # noqa: E402

LEAVE = b"\x1c"                                 # Ctrl-\; Ctrl-] is for leaving `vane console`
PAGE = "hello from the Debian guest"           # mkdebian.sh wrote it


class Client:
    """Asks the guest's web server again and again, as a browser does: over one connection, and over a new one when the server
    has closed that. Each request is (time, seconds, what came)."""

    def __init__(self, port):
        self.server = http.client.HTTPConnection("127.0.0.1", port, timeout=10 * qemu.SCALE)
        self.requests, self.going, self.begun, self.connections = [], True, None, 0
        self.thread = threading.Thread(target=self.ask, daemon=True)
        self.thread.start()

    def get(self):
        self.connections += self.server.sock is None
        self.server.request("GET", "/")
        return self.server.getresponse().read().decode("ascii", "replace").strip()

    def ask(self):
        while self.going:
            self.begun = time.monotonic()
            try:
                try:
                    answer = self.get()
                except (http.client.RemoteDisconnected, ConnectionResetError):
                    self.server.close()
                    answer = self.get()
            except (OSError, http.client.HTTPException) as error:
                self.server.close()
                answer = f"failed: {error}"
            self.requests.append((self.begun, time.monotonic() - self.begun, answer))
            time.sleep(0.1)

    def between(self, begin, end):
        """Requests under way in this time, of which the last has to be waited for."""
        while self.begun <= end and self.thread.is_alive() and (not self.requests or self.requests[-1][0] < self.begun):
            time.sleep(0.05)
        return [r for r in self.requests if r[0] <= end and r[0] + r[1] >= begin]


class Show:
    def __init__(self, options):
        self.hv = options.hv
        self.begin = time.monotonic()
        self.hosts = self.guest = self.client = None

    def say(self, text):
        print(f"[{time.monotonic() - self.begin:6.1f} s] {text}", flush=True)

    def shell(self, host, command):
        print(f"\n{host.name}# {command}\n{host.machine.check(command).strip()}\n", flush=True)

    def boot(self, rig):
        def prepare(hosts):
            self.port = hosts.switch.forward(guest_address(), 80)
        self.say("booting two hosts: Debian's kernel as Dom0 on " + {"paravane": "Paravane", "xen": "Xen 4.17"}[self.hv])
        options = {} if self.hv == "paravane" else {"cpu": qemu.CPU["xen"]}
        self.root = root_disk(rig)
        self.hosts = Hosts(rig, images=[self.root], overlays=["guests.img", "debian.img"], prepare=prepare, say=self.say,
                           **options)

    def create(self):
        self.shell(self.hosts.a, "xl info | head -n 8")
        self.say("creating a guest on host a: Debian 12 on a disk that both hosts reach, with a network card; it boots")
        self.guest = DebianGuest(self.hosts, self.say).create()
        self.shell(self.hosts.a, "vane list; vane block-list guest; vane network-list guest")
        self.client = Client(self.port)
        end = time.monotonic() + 60 * qemu.SCALE
        while not any(answer == PAGE for _, _, answer in self.client.requests):
            if time.monotonic() > end:
                raise qemu.Trouble(f"the guest's web server does not answer: {self.client.requests[-3:]}")
            time.sleep(0.1)
        self.say("a client talks to the guest's web server (lighttpd); the guest's checker works on memory and disk")

    def move(self):
        guest = self.guest
        source, target = guest.host, self.hosts.other(guest.host)
        time.sleep(2)
        self.say(f"moving the guest from host {source.name} to host {target.name}, live"
                 if self.hv == "paravane" else f"moving the guest to host {target.name}, suspended (Xen 4.17 cannot do it live)")
        begin, connections = time.monotonic(), self.client.connections
        rounds = []

        def progress(line):
            if not line.startswith("{"):
                return self.say("    " + line)
            now = json.loads(line)
            if now["stage"] != "S2" or not now["pages"]:
                return self.say(f"    {now['what']}")
            last, sent = rounds[-1] if rounds else None, now["bytes"] / 2**20
            rounds.append(picture.Round(now["round"], last.end if last else 0, now["ms"] / 1000,
                                        sent - sum(r.mib for r in rounds), now["dirty_rate"]))
            return self.say(f"    round {now['round']}: {rounds[-1].mib:.1f} MiB sent, {now['link_rate'] / 2**20:.1f} MiB/s; "
                            f"meanwhile the guest wrote {now['dirty']} pages")

        guest.migrate("--progress=json" + (" --non-live" if self.hv != "paravane" else ""), progress=progress)
        seconds = time.monotonic() - begin
        guest.runs(30)
        time.sleep(1)
        return self.account(f"host {source.name} to host {target.name}", begin, seconds, rounds, connections)

    def account(self, title, begin, seconds, rounds, connections):
        """What the witnesses saw of a move."""
        seen = states(self.hosts.log, self.guest.uuid, begin)
        stopped = max(at for at, now in seen if "suspended" in now.values() and "run" not in now.values())
        started = min(at for at, now in seen if "run" in now.values() and at > stopped)
        beats = [e.at for e in self.guest.heart.beats(since=begin - 1)]
        numbers = [e.seq for e in self.guest.heart.beats(since=begin - 1)]
        asked = self.client.between(begin, begin + seconds + 1)
        failed = [r for r in asked if r[2] != PAGE]
        self.say(f"moved in {seconds:.1f} s; no copy ran for {(started - stopped) * 1000:.0f} ms; "
                 f"the client heard nothing for {max(gaps(beats)) * 1000:.0f} ms at most, "
                 f"{numbers[-1] - numbers[0] + 1 - len(numbers)} of {len(numbers)} heartbeats lost; "
                 f"{len(asked)} web pages asked for, {len(failed)} failed, the slowest took "
                 f"{max(r[1] for r in asked) * 1000:.0f} ms, the connection "
                 + ("held" if self.client.connections == connections else "had to be made again"))
        return picture.Move(title, seconds, rounds, stopped - begin, started - begin, [at - begin for at in beats])

    def picture(self, moves):
        folder = os.path.join(qemu.BUILD, "run")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "migration.svg"), "w", encoding="utf-8") as out:
            out.write(picture.svg(moves))
        self.say("drawn in build/run/migration.svg")

    def end(self):
        self.client.going = False
        self.guest.host.machine.check(f"vane shutdown -w {self.guest.name}", 240)
        self.hosts.nothing_leaked()
        file_system_is_whole(self.root)
        self.say("the guest is shut down, its file system is whole, both hosts have all their memory back; powering off")
        for host in (self.hosts.a, self.hosts.b):
            host.machine.send("poweroff\n")
        for host in (self.hosts.a, self.hosts.b):
            host.machine.wait_exit(60)
        self.say("done")


def attach(machine):
    """The terminal becomes the machine's console, until LEAVE or the machine's end."""
    machine.send("exec sh -l\n")
    before = termios.tcgetattr(0)
    at = len(machine.text)
    try:
        tty.setraw(0)
        while not machine.closed:
            with machine.more:
                fresh = bytes(machine.text[at:])
            if fresh:
                at += len(fresh)
                os.write(1, fresh)
            if select.select([0], [], [], 0.02)[0]:
                data = os.read(0, 1024)
                if not data or LEAVE in data:
                    return
                machine.send(data)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        print()


def run(show, rig, interactive):
    show.boot(rig)
    show.create()
    moves = [show.move(), show.move()]
    show.guest.verdict()
    show.say("checked: one copy at any time, no page lost or stale, each write on the disk in its place, clocks true")
    show.picture(moves)
    if not interactive:
        show.end()
        return
    print("\nHost a's shell follows; all goes on running. Try `vane list`, `vane console guest` (root, paravane; Ctrl-] leaves "
          f"it), or\n    {show.guest.migrate_command(show.hosts.b, '--progress')}\nCtrl-\\ ends everything.\n", flush=True)
    attach(show.hosts.a.machine)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hv", choices=["paravane", "xen"], default="paravane")
    options = parser.parse_args()
    rig = scenario.Rig(options.hv, "run")
    try:
        run(Show(options), rig, sys.stdin.isatty() and sys.stdout.isatty())
    except (qemu.Trouble, AssertionError) as trouble:
        print(trouble)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        rig.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
