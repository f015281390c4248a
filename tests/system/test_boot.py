# SPDX-License-Identifier: GPL-2.0-or-later
"""Dom0 comes up, on different machines, and Debian's own tools get true answers."""
import re

from scenario import equal, healthy, slow


def fields(text):
    """`xl info` as a dict."""
    return {key.strip(): value.strip() for key, _, value in
            (line.partition(":") for line in text.splitlines()) if value}


def table(text):
    """Rows of a table that begins with its header line, split at blanks."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    return rows[0], rows[1:]


def look_around(machine, cpus, vcpus):
    equal(int(machine.check("nproc")), vcpus, "Dom0's CPUs")
    info = fields(machine.check("xl info"))
    equal(info["xen_major"] + "." + info["xen_minor"], "4.17", "version")
    equal(int(info["nr_cpus"]), cpus, "physical CPUs")
    assert "xen-3.0-x86_64" in info["xen_caps"].split(), info["xen_caps"]
    header, rows = table(machine.check("xl list"))
    equal(header[:4], ["Name", "ID", "Mem", "VCPUs"], "header of xl list")
    equal(rows[0][:4], ["Domain-0", "0", "512", str(vcpus)], "first row of xl list")
    equal(len(rows), 1, "domains")
    header, rows = table(machine.check("xl vcpu-list"))
    equal(len(rows), vcpus, "rows of xl vcpu-list")
    equal({row[2] for row in rows}, {str(n) for n in range(vcpus)}, "vCPU numbers")
    assert "Domain-0" in machine.check("xentop -b -i 1")
    equal(machine.check("xenstore-read /local/domain/0/name").strip(), "Domain-0", "name in xenstore")


def test_one_cpu(rig):
    machine = rig.boot(smp=1)
    look_around(machine, 1, 1)
    healthy(machine)


def test_two_cpus(rig):
    machine = rig.boot(smp=2)
    look_around(machine, 2, 2)
    healthy(machine)


def test_dmesg_and_keys(rig):
    machine = rig.boot()
    before = machine.check("xl dmesg")
    assert len(before.splitlines()) > 5, before
    machine.check("xl debug-keys q")
    after = machine.check("xl dmesg")
    assert len(after) > len(before), "debug key q wrote nothing to the log"
    machine.check("xl dmesg -c")
    assert len(machine.check("xl dmesg")) < len(before), "the log was not cleared"
    for key in "hrdemt*":
        machine.check(f"xl debug-keys '{key}'")
    healthy(machine)


def test_poweroff(rig):
    machine = rig.boot(smp=2)
    machine.send("poweroff\n")
    equal(machine.wait_exit(60), 0, "QEMU's exit status")


def test_reboot(rig):
    """The machine resets and comes up again by itself."""
    machine = rig.boot(smp=2, noreboot=False)
    machine.send("reboot\n")
    machine.expect(rb"paravane: first process", 120)
    machine.wait_ready()


def test_reset_ends_under_no_reboot(rig):
    machine = rig.boot()
    machine.send("reboot -f\n")
    machine.wait_exit(60)


def test_dom0_max_vcpus(rig):
    machine = rig.boot(smp=2, hv_args="dom0_mem=512M dom0_max_vcpus=1")
    equal(int(machine.check("nproc")), 1, "Dom0's CPUs")
    equal(fields(machine.check("xl info"))["nr_cpus"], "2", "physical CPUs")


def memory_of(rig, mem, want_mib):
    machine = rig.boot(mem=mem, smp=2)
    info = fields(machine.check("xl info"))
    total, free = int(info["total_memory"]), int(info["free_memory"])
    assert want_mib * 0.97 <= total <= want_mib, f"{total} MiB of {want_mib} reported"
    assert total - 512 - free < 64 + want_mib // 50, f"{total - 512 - free} MiB are in nobody's hands"
    healthy(machine)


def test_memory_1g(rig):
    memory_of(rig, "1G", 1024)


def test_memory_4g(rig):
    memory_of(rig, "4G", 4096)


@slow
def test_memory_20g(rig):
    memory_of(rig, "20G", 20480)


def test_machine_pc(rig):
    machine = rig.boot(machine="pc", smp=2)
    look_around(machine, 2, 2)
    healthy(machine)


def test_cpu_qemu64(rig):
    machine = rig.boot(cpu="qemu64", smp=2)
    look_around(machine, 2, 2)
    healthy(machine)


@slow
def test_four_cpus(rig):
    machine = rig.boot(smp=4)
    look_around(machine, 4, 4)
    machine.check("for i in 1 2 3 4 5 6 7 8; do (n=0; while [ $n -lt 20000 ]; do n=$((n+1)); done) & done; wait",
                  120)
    _, rows = table(machine.check("xl vcpu-list"))
    times = [float(row[5]) for row in rows]
    assert min(times) > 0, f"a vCPU never ran: {times}"
    healthy(machine)


def test_pvtest_runs_and_powers_off(rig):
    machine = rig.machine(dom0_args="pvtest=/bin/true").start()
    match = machine.expect(rb"paravane: pvtest exit (\d+)", 120)
    equal(match.group(1), b"0", "exit status")
    equal(machine.wait_exit(60), 0, "QEMU's exit status")


def test_console_takes_long_input(rig):
    """Every byte typed arrives, in order, at a pace the UART can take."""
    machine = rig.boot()
    words = " ".join(str(n) for n in range(700))
    got = machine.check(f"echo {words}")
    equal(re.sub(r"\s+", " ", got).strip(), words, "echoed text")
