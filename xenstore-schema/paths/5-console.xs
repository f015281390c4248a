# SPDX-License-Identifier: MIT
# Console: the primary one (xen/io/console.h, served by xenconsoled or vaned), and further ones.

section "Consoles"

base CON    /local/domain/<domid>/console
base CONS   /local/domain/<domid>/device/console
base CON_BES /local/domain/<backid:domid>/backend/console
base CON_FE /local/domain/<domid>/device/console/<devid>
base CON_BE /local/domain/<backid:domid>/backend/console/<domid>/<devid>

CON                 = none     tool          guest,consoled n0,rD may  build  "The primary console; not a xenbus device."
CON/backend         = @CON_BE  tool          tool           n0,rD may  build  "Path of the back end."
CON/backend-id      = domid    tool          guest          nD,r0 may  build  "Domain of the back end."
CON/limit           = u32      tool          consoled       n0,rD may  build  "Bytes the daemon keeps for a reader that lags."
CON/type            = contype  tool          consoled       n0,rD must build  "Which daemon serves it."
CON/output          = output   tool          consoled       n0,rD may  build  "Where it goes: pty."
CON/tty             = tty      tool,consoled tool           n0,rD may  build  "The pseudo terminal in Dom0; the guest cannot write it (XSA-57)."
CON/port            = port     tool          consoled       n0,rD must build  "Event channel, as the guest numbers it."
CON/ring-ref        = mfn      tool          consoled       n0,rD must build  "Machine frame of the ring (grant 0 reaches it too)."
CON/vnc-port        = u32      tool          tool           n0,rD may  run    "Of an emulated display."
CON/vnc-listen      = label    tool          tool           n0,rD may  run    "Of an emulated display."

CONS                = none     tool          guest          n0,rD may  attach "Further consoles."
CON_FE              = none     tool          guest          nD,rB may  attach "A further console."
CON_FE/backend      = @CON_BE  tool          guest          nD,rB must attach "Path of the back end; a hint once the guest runs."
CON_FE/backend-id   = domid    tool          guest          nD,rB must attach "Domain of the back end; a hint once the guest runs."
CON_FE/state        = state    tool,guest    guest,back     nD,rB must attach "The front end's XenbusState."
CON_FE/protocol     = conproto tool          guest          nD,rB may  attach "What travels on it."
CON_FE/limit        = u32      tool          consoled       n0,rD may  attach "Bytes the daemon keeps for a reader that lags."
CON_FE/type         = contype  tool          consoled       n0,rD may  attach "Which daemon serves it."
CON_FE/output       = output   tool          consoled       n0,rD may  attach "Where it goes."
CON_FE/tty          = tty      tool,consoled tool           n0,rD may  attach "The pseudo terminal in Dom0."
CON_FE/name         = name     tool          guest          nD,rB may  attach "Name of a channel."
CON_FE/ring-ref     = gref     guest         consoled       nD,rB may  connect "Grant of the ring."
CON_FE/port         = port     guest         consoled       nD,rB may  connect "Event channel."

CON_BES = none tool,back tool n0 may attach "Console back ends of a domain."
CON_BES/<domid> = none tool tool n0 may attach "... for one guest."
CON_BE              = none     tool          guest,back     n0,rD may  attach "A console's back end."
CON_BE/frontend     = path     tool          back           n0,rD must attach "Path of the front end: the primary console or a further one."
CON_BE/frontend-id  = domid    tool          back           n0,rD must attach "Domain of the front end."
CON_BE/online       = bool     tool          back           n0,rD must attach "0: going away."
CON_BE/state        = state    tool,back     guest,tool     n0,rD must attach "The back end's XenbusState; stays 1 for the primary console."
CON_BE/protocol     = conproto tool          back           n0,rD may  attach "What travels on it."
CON_BE/name         = name     tool          back           n0,rD may  attach "Name of a channel."
CON_BE/connection   = label    tool          back           n0,rD may  attach "How a channel is reached."
CON_BE/hotplug-status = hotplug script       back           n0,rD may  attach "Outcome of a hotplug script, if there is one."
