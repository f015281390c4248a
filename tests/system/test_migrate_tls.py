# SPDX-License-Identifier: GPL-2.0-or-later
"""Migration between two hosts over TLS: only with the right certificates on both sides, and nothing lost when it breaks."""
import os
import time

import pki
import qemu
from guests import until
from hosts import Hosts
from scenario import only_on, slow
from test_migrate import end


def listen(host):
    host.machine.check("vane migrate-listen >/tmp/listen.log 2>&1 & sleep 1; cat /tmp/listen.log; kill -0 $!")


def refused(guest, *words):
    """The move fails with one of these words, at the source or in the listener's log; the guest stays as it was."""
    source, target = guest.host, guest.hosts.other(guest.host)
    status, text = source.machine.run(guest.migrate_command(target) + " 2>&1", 120)
    text += target.machine.check("cat /tmp/listen.log")
    assert status != 0 and any(word in text for word in words), text
    guest.runs(5)
    until(target.machine, "[ $(vane list | wc -l) = 2 ] && ! ls /var/lib/vane/migrations | grep .")


@slow
@only_on("paravane")
def test_both_sides_prove_who_they_are(rig):
    hosts = Hosts(rig)
    ours = pki.Authority(os.path.join(rig.dir, "pki"))
    stranger = pki.Authority(os.path.join(rig.dir, "stranger"), "stranger")
    for host in (hosts.a, hosts.b):
        pki.install(host.machine, ours.issue(f"host-{host.name}", host.address))
        listen(host)
    guest = hosts.guest().create()
    guest.transport = "--tls"
    for _ in range(2):
        guest.migrate()
        guest.runs(30)

    pki.install(hosts.b.machine, ours.issue("host-b", "10.1.0.77"))         # another host's certificate
    refused(guest, "is refused")
    pki.install(hosts.b.machine, stranger.issue("host-b", hosts.b.address))
    refused(guest, "is refused")
    pki.install(hosts.b.machine, ours.issue("host-b", hosts.b.address))
    pki.install(hosts.a.machine, {**stranger.issue("host-a", hosts.a.address), "ca.pem": ours.issue("x", "10.1.0.1")["ca.pem"]})
    refused(guest, "is refused", "alert")
    pki.install(hosts.a.machine, ours.issue("host-a", hosts.a.address))
    hosts.b.machine.check(f"echo host-c >{pki.DIR}/allow")
    refused(guest, "not among those allowed")
    hosts.b.machine.check(f"echo host-a >{pki.DIR}/allow")

    # Whoever speaks TLS dies while memory is copied: at the source, then at the target.
    for host in (hosts.a, hosts.b):
        hosts.log("migrate", guest=guest.name, source="a", target="b")
        hosts.a.machine.check("( " + guest.migrate_command(hosts.b, f"--bandwidth 4 --stall-timeout {int(10 * qemu.SCALE)}") +
                              " >/tmp/out 2>&1; echo $? >/tmp/status ) </dev/null & true")
        hosts.a.machine.check("i=0; until grep -qs S1 /run/vane/migrating/*.source; do [ $((i=i+1)) -lt 300 ] || exit 1; "
                              "usleep 100000; done", 60)
        time.sleep(1)
        host.machine.check("p=$(pidof vane-tls) && kill -9 $p")
        hosts.a.machine.check("i=0; until [ -s /tmp/status ]; do [ $((i=i+1)) -lt 300 ] || exit 1; usleep 200000; done; "
                              "[ $(cat /tmp/status) != 0 ]; rm /tmp/status", 200)
        guest.runs(10)
        for each in (hosts.a, hosts.b):
            each.machine.run("vane migrate --recover", 120)
    listen(hosts.a)
    listen(hosts.b)
    guest.migrate()
    guest.runs(30)
    guest.verdict()
    end(hosts, guest)
