# SPDX-License-Identifier: GPL-2.0-or-later
"""The packaged cluster agent ocf:heartbeat:Xen drives vane under the name xl."""
import re

from guests import free_memory, nothing_left, until, vane_says, write_config
from scenario import equal, healthy

SUCCESS, GENERIC, UNIMPLEMENTED, NOT_INSTALLED, NOT_RUNNING = 0, 1, 3, 5, 7     # OCF's exit codes

ENVIRONMENT = ("export PATH=/usr/lib/vane/bin:/tmp/bin:$PATH OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_TYPE=Xen "
               "OCF_RESOURCE_INSTANCE=ha OCF_RESKEY_xmfile=/tmp/ha.cfg OCF_RESKEY_CRM_meta_interval=10000 "
               "OCF_RESKEY_CRM_meta_timeout=120000 OCF_RESKEY_CRM_meta_migrate_target=otherhost HA_LOGFACILITY=none ")

# Where ssh would go to another host, this stays: the agent and both ends of the migration are the real ones.
SSH = "#!/bin/sh\nwhile [ \"${1#-}\" != \"$1\" ]; do shift; done\nshift\nexec \"$@\"\n"


def agent(dom0, action, want=SUCCESS, more="", timeout=180):
    status, said = dom0.run(f"{ENVIRONMENT}{more}; /usr/lib/ocf/resource.d/heartbeat/Xen {action}", timeout)
    assert status == want, f"{action}: exit status {status}, want {want}: {said}"
    return said


def test_heartbeat_agent(rig):
    dom0 = rig.boot_with_guests(mem="2G", cpu="max,-smap,-smep,-la57" if rig.hv == "paravane" else None,
                                hv_args="dom0_mem=768M")
    dom0.check("test $(PATH=/usr/lib/vane/bin:$PATH xl version | cut -d' ' -f1) = vane")
    before = free_memory(dom0)
    agent(dom0, "validate-all")
    assert "<action name=\"migrate_to\"" in agent(dom0, "meta-data")
    agent(dom0, "frobnicate", UNIMPLEMENTED)
    agent(dom0, "start", NOT_INSTALLED)                             # no configuration yet
    write_config(dom0, "ha", memory=128, more="maxmem = 192")
    agent(dom0, "monitor", NOT_RUNNING, "OCF_RESKEY_CRM_meta_interval=0")
    agent(dom0, "start")
    vane_says(dom0, "ha", "guest ready")
    agent(dom0, "status")
    agent(dom0, "monitor")
    agent(dom0, "start")                                            # running already: fine
    reboots_unseen(dom0)
    manages_memory(dom0)
    if rig.hv == "paravane":                                        # PV guests of Xen 4.17 cannot be logged
        migrates(dom0)
    agent(dom0, "stop")
    agent(dom0, "stop")                                             # stopped already: fine
    agent(dom0, "monitor", NOT_RUNNING, "OCF_RESKEY_CRM_meta_interval=0")
    nothing_left(dom0, before)
    agent(dom0, "start")
    agent(dom0, "stop", more="OCF_RESKEY_shutdown_timeout=0")       # at once: xl destroy
    nothing_left(dom0, before)
    healthy(dom0)


def reboots_unseen(dom0):
    """While a guest reboots the agent's status never says that it is gone."""
    first = dom0.check("vane domid ha").strip()
    dom0.check("vane reboot ha")
    agent(dom0, "status", more=f"; i=0; while [ \"$(vane domid ha)\" = {first} ]; do /usr/lib/ocf/resource.d/heartbeat/Xen status "
          "|| { echo GONE; exit 1; }; [ $((i=i+1)) -lt 600 ] || exit 1; done", timeout=300)
    agent(dom0, "status")


def manages_memory(dom0):
    """allow_mem_management: the agent divides total_memory and sets it with mem-set when a guest starts."""
    total = int(re.search(r"total_memory\s*:\s*(\d+)", dom0.check("PATH=/usr/lib/vane/bin:$PATH; xl info")).group(1))
    agent(dom0, "migrate_from", more=f"OCF_RESKEY_allow_mem_management=1 OCF_RESKEY_reserved_Dom0_memory={total - 120}")
    target = dom0.check("xenstore-read /local/domain/$(vane domid ha)/memory/target").strip()
    equal(target, str(120 * 1024), "the memory target that the agent asked for")


def migrates(dom0):
    dom0.check(f"mkdir -p /tmp/bin && cat >/tmp/bin/ssh <<'END' && chmod +x /tmp/bin/ssh\n{SSH}END")
    first = dom0.check("vane domid ha").strip()
    agent(dom0, "migrate_to", timeout=600)
    agent(dom0, "migrate_from")
    agent(dom0, "monitor")
    assert dom0.check("vane domid ha").strip() != first, "the guest did not move"
    until(dom0, "[ $(vane list | wc -l) = 3 ]")                     # one copy
