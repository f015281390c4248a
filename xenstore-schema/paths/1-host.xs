# SPDX-License-Identifier: MIT
# What exists once a host has booted, before any guest.

section "The host"

base TOOL   /tool
base LOCAL  /local
base DOMS   /local/domain
base POOLS  /local/pool
base VMS    /vm
base LIBXLS /libxl
base VANE   /vane
base WATCH_INTRODUCE /@introduceDomain
base WATCH_RELEASE   /@releaseDomain

TOOL                 = none  stored  any   n0  may   boot    "Created by xenstored at start."
TOOL/xenstored       = optfile stored  any   n0  may   boot    "Created by xenstored at start: empty, or the daemon's own file."
WATCH_INTRODUCE      = none  stored  tool  n0  may   boot    "Carries the permission to watch for new domains (oxenstored keeps it as a node)."
WATCH_RELEASE        = none  stored  tool  n0  may   boot    "Carries the permission to watch for domains that end."
LOCAL                = none  stored  any   n0  must  boot    "Root of everything a domain may own."
DOMS                 = none  stored  any   n0  must  boot    "One child per introduced domain, by domid."
POOLS                = none  tool    tool  n0  may   boot    "One child per cpupool."
POOLS/<poolid>       = none  tool    tool  n0  may   boot    "A cpupool."
POOLS/<poolid>/name  = name  tool    tool  n0  may   boot    "Name of the cpupool; Pool-0 is written at boot."
POOLS/<poolid>/uuid  = uuid  tool    tool  n0  may   boot    "Identity of the cpupool."
VMS                  = none  tool    tool  n0  may   create  "One child per domain, by UUID."
LIBXLS               = none  tool    tool  n0  may   boot    "Toolstack truth of libxl and of those that share a host with it."
VANE                 = none  tool    tool  n0  may   boot    "Toolstack truth of vane; no guest may read or write below."
