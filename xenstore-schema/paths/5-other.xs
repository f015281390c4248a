# SPDX-License-Identifier: MIT
# Devices whatever their kind: what every split device has in common (xen/io/xenbus.h), and all that
# is known here about the kinds that are not ours to make. A kind with patterns of its own (vbd, vif,
# console) is judged by those; a path built here for such a kind is the same path.
#
# Kinds: those of libxl 4.17 (libxl__device_kind) and vscsi. qdisk is a back end only: qemu serves a
# vbd front end from it. Front ends in Linux: pci, vfb, vkbd, vusb, 9pfs, vdispl, vsnd, pvcalls, vscsi.

section "Devices of any kind"

base DEV_FES  /local/domain/<domid>/device/<kind:devkind>
base DEV_FE   /local/domain/<domid>/device/<kind:devkind>/<devid>
base DEV_KIND_BES /local/domain/<backid:domid>/backend/<kind:devkind>
base DEV_BES  /local/domain/<backid:domid>/backend/<kind:devkind>/<domid>
base DEV_BE   /local/domain/<backid:domid>/backend/<kind:devkind>/<domid>/<devid>
base BE_ERROR /local/domain/<backid:domid>/error/backend

DEV_FES            = none    tool       guest      n0,rD may  attach "Front ends of a kind."
DEV_FE             = none    tool       guest      nD,rB may  attach "A front end."
DEV_FE/backend     = path    tool       guest      nD,rB must attach "Path of the back end; a hint once the guest runs."
DEV_FE/backend-id  = domid   tool       guest      nD,rB must attach "Domain of the back end; a hint once the guest runs."
DEV_FE/state       = state   tool,guest guest,back nD,rB must attach "The front end's XenbusState."
DEV_FE/**          = any     tool,guest guest,back nD,rB may  attach "What front ends of the kind publish."

DEV_KIND_BES       = none    tool,back  tool       n0    may  attach "Back ends of a kind."
DEV_BES            = none    tool       tool       n0    may  attach "... for one guest."
DEV_BE             = none    tool       guest,back n0,rD may  attach "A back end."
DEV_BE/frontend    = path    tool       back       n0,rD must attach "Path of the front end."
DEV_BE/frontend-id = domid   tool       back       n0,rD must attach "Domain of the front end."
DEV_BE/online      = bool    tool       back       n0,rD must attach "0: the back end goes away once closed."
DEV_BE/state       = state   tool,back  guest,tool n0,rD must attach "The back end's XenbusState."
DEV_BE/hotplug-status = hotplug script  back       n0,rD may  attach "Outcome of the hotplug script."
DEV_BE/hotplug-error  = message script  tool       n0,rD may  attach "Why it failed."
DEV_BE/**          = any     tool,back,script guest,back,tool n0,rD may attach "What back ends of the kind take and publish."

BE_ERROR                        = none tool,back tool n0 may attach "Errors that Linux's back ends report."
BE_ERROR/<kind:devkind>                 = none back      tool n0 may attach "... of a kind."
BE_ERROR/<kind:devkind>/<domid>         = none back      tool n0 may attach "... for one guest."
BE_ERROR/<kind:devkind>/<domid>/<devid> = none back      tool n0 may attach "... of one device."
BE_ERROR/<kind:devkind>/<domid>/<devid>/error = message back tool n0 may attach "The last error, number and text."
