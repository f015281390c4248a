# SPDX-License-Identifier: MIT
# Value types and path placeholders. README.md gives the grammar. A line here is the only place
# where a range, a limit or a list of words is written down.

version 1

# A directory (its value is empty), and bytes that are not ours to judge.
type none       none
type any        any

# Numbers are decimal. Ranges are the tightest that every user of the key accepts.
type bool       uint 0 1
type u32        uint 0 4294967295
type u64        uint 0 18446744073709551615
type domid      uint 0 32751
type devid      uint 0 4294967295
type vcpu       uint 0 511
type queue      uint 0 255
type page       uint 0 15
type poolid     uint 0 65535
type port       uint 0 131071
type optport    uint 0 131071 empty
type gref       uint 0 4294967295
type mfn        uint 0 4503599627370495
type kib        uint 0 17592186044415
type mtu        uint 68 65535
type xdproom    uint 0 65535
type indirect   uint 0 4096
type ringorder  uint 0 4
type sectorsize uint 512 65536
type vdisk      uint 0 31
type slot       uint 0 255

# xen/io/xenbus.h enum xenbus_state; index = number on the wire, written in decimal.
type state      uint 0 8

# Words.
type avail      enum online offline
type shutdown   enum poweroff reboot suspend halt crash empty
type domtype    enum pv hvm pvh
type vbdtype    enum phy file qdisk tap
type vbdmode    enum r w
type vbddev     enum disk cdrom
type viftype    enum vif vif_ioemu
type protocol   enum x86_64-abi x86_32-abi arm-abi
type conproto   enum vt100
type contype    enum xenconsoled ioemu vaned
type hotplug    enum connected error empty
type dmversion  enum qemu_xen qemu_xen_traditional none
type action     enum destroy restart rename-restart preserve coredump-destroy coredump-restart soft-reset
type phase      enum building paused running suspending saving migrating incoming shutdown dying
type devkind     enum vbd vif console qdisk pci vfb vkbd vtpm vusb qusb 9pfs vdispl vuart pvcalls vsnd vinput virtio_disk vscsi
type migrole    enum source target
type migphase   enum prepare copy stop commit done abort

# Text. Sizes in bytes, without a terminator. XENSTORE_PAYLOAD_MAX (4096) bounds any value and the
# daemon's default quota stops a node at 2048 bytes.
type text       str 0 2048
type name       str 1 255
type label      str 0 255
type file       str 1 1024
type optfile    str 0 1024
type cmdline    str 0 2048
type script     str 0 1024
type rate       str 3 32
type iface      str 1 15
type ipaddrs    str 0 512
type devname    str 1 31
type message    str 0 1024
type tty        str 0 255
type output     str 0 255
type timestamp  str 1 31
type sysrq      str 0 1
type path       path
type uuid       uuid
type mac        mac
type majmin     majmin empty
type idlist     str 0 1024

# One path segment: 1..64 bytes of [A-Za-z0-9_@-], what xenstored takes in a path.
type word       word
