# SPDX-License-Identifier: GPL-2.0-or-later
"""Live migration between two hosts: a guest under load goes there and back, watched from outside."""
from hosts import Hosts
from scenario import healthy, only_on, slow


def there_and_back(rig, vcpus=1, moves=2, **load):
    hosts = Hosts(rig)
    guest = hosts.guest(vcpus=vcpus, **load).create()
    for _ in range(moves):
        guest.migrate()
        guest.runs()
    guest.verdict()
    guest.destroy()
    hosts.nothing_leaked()
    for host in (hosts.a, hosts.b):
        healthy(host.machine)


@only_on("paravane")
def test_there_and_back(rig):
    there_and_back(rig)


@slow
@only_on("paravane")
def test_four_vcpus(rig):
    there_and_back(rig, vcpus=4, mib=16, rate=2000)


@slow
@only_on("paravane")
def test_ping_pong(rig):
    there_and_back(rig, moves=40, rate=1000)
