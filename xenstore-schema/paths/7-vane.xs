# SPDX-License-Identifier: MIT
# vane's own truth. Everything is n0: no guest reads it, none can write it (hardening rule of
# XSA-57, XSA-175, XSA-178: a decision is never taken from a key its subject may write).

section "Toolstack truth of vane"

base VANE_DOM  /vane/domain/<domid>
base VANE_VBD  /vane/domain/<domid>/device/vbd/<devid>
base VANE_VIF  /vane/domain/<domid>/device/vif/<devid>
base VANE_RULE /vane/on/<rule:word>

VANE/schema           = u32    tool tool n0 may  boot   "Version of this schema that the host's tools were built with."
VANE/domain           = none   tool tool n0 may  create "One child per domain made by vane."
VANE_DOM               = none   tool tool n0 may  create "A domain made by vane."
VANE_DOM/uuid          = uuid   tool tool n0 must create "Which virtual machine this is; survives reboot and migration."
VANE_DOM/name          = name   tool tool n0 must create "Its name, as configured."
VANE_DOM/generation    = u64    tool tool n0 must create "Counts every domain made on this host since boot: tells a reused domid."
VANE_DOM/phase         = phase  tool tool n0 must create "Where in its life the toolstack has brought it."
VANE_DOM/config        = file   tool tool n0 may  create "File that holds its configuration."
VANE_DOM/created       = u64    tool tool n0 may  create "Seconds since 1970."
VANE_DOM/successor     = domid  tool tool n0 may  end    "Domain that took over after a reboot or a migration."
VANE_DOM/shutdown-code = u32    tool tool n0 may  end    "SHUTDOWN_* reason given by the hypervisor."
VANE_DOM/on-poweroff   = action tool tool n0 may  create "Policy."
VANE_DOM/on-reboot     = action tool tool n0 may  create "Policy."
VANE_DOM/on-crash      = action tool tool n0 may  create "Policy."
VANE_DOM/on-watchdog   = action tool tool n0 may  create "Policy."
VANE_DOM/on-soft-reset = action tool tool n0 may  create "Policy."
VANE_DOM/console       = none   tool tool n0 may  create "Primary console."
VANE_DOM/console/log   = file   tool tool n0 may  create "File that receives its output."
VANE_DOM/console/tty   = tty    tool tool n0 may  create "Pseudo terminal vaned offers."
VANE_DOM/migration     = none   tool tool n0 may  run    "A migration in progress, or the last one."
VANE_DOM/migration/id  = uuid   tool tool n0 must run    "The same on both hosts."
VANE_DOM/migration/role = migrole tool tool n0 must run  "Which end this host is."
VANE_DOM/migration/phase = migphase tool tool n0 must run "Step of the commit protocol; decides recovery."
VANE_DOM/migration/peer = label tool tool n0 may  run    "The other host."
VANE_DOM/device        = none   tool tool n0 may  attach "What must be undone when a device goes."
VANE_DOM/device/vbd    = none   tool tool n0 may  attach "Block devices."
VANE_VBD               = none   tool tool n0 may  attach "A block device."
VANE_VBD/backend       = @VBD_BE tool tool n0 must attach "Path of the back end."
VANE_VBD/target        = file   tool tool n0 must attach "File or device behind it."
VANE_VBD/loop          = devname tool tool n0 may attach "Loop device set up for it, to be released."
VANE_VBD/physical-device = majmin tool tool n0 may attach "What the back end serves, major:minor in hex."
VANE_DOM/device/vif    = none   tool tool n0 may  attach "Network interfaces."
VANE_VIF               = none   tool tool n0 may  attach "A network interface."
VANE_VIF/backend       = @VIF_BE tool tool n0 must attach "Path of the back end."
VANE_VIF/ifname        = iface  tool tool n0 may  attach "Interface in Dom0."
VANE_VIF/bridge        = iface  tool tool n0 may  attach "Bridge it joined."
VANE/on               = none   tool tool n0 may  boot   "Journal of `vane on`: what has been acted upon."
VANE_RULE              = none   tool tool n0 may  run    "A rule, by name."
VANE_RULE/**           = any     tool tool n0 may  run    "What was done about a path: the path again, below the rule's name."
