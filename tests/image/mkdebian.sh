#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Make a Debian 12 guest and a mirror for its apt.
#   mkdebian.sh DIR     DIR/disk.img    ext4, the packages "guest" of tests/packages, by mmdebstrap
#                       DIR/mirror.img  ext4, a flat apt repository: these, and the packages "mirror"
#
# The packages come through this machine's apt and stay in DIR/mirror. As root, as anybody for whom `unshare --user` and
# newuidmap (package uidmap) work, or else through sudo.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
list=$here/../packages
dir=${1:?usage: mkdebian.sh DIR}
mkdir -p "$dir/mirror/partial"
dir=$(cd "$dir" && pwd)
PATH=$PATH:/sbin:/usr/sbin

step()
{
    echo "debian: $*" >&2
}

fail()
{
    echo "debian: $*; its output:" >&2
    tail -n 20 "$dir/log" >&2
    exit 1
}

want()
{
    awk -v kind="$1" '$1 == kind { print $2 }' "$list"
}

# Whoever may not be root in a namespace of his own installs through sudo.
installer()
{
    if [ "$(id -u)" = 0 ] || { command -v newuidmap && unshare --user true; } >/dev/null 2>&1 || ! command -v sudo >/dev/null; then
        env TZ=UTC mmdebstrap "$@"
    else
        sudo env TZ=UTC mmdebstrap "$@"
    fi
}

# An empty status file makes apt fetch all that a new system needs.
fetch()
{
    # shellcheck disable=SC2046
    apt-get -q -y -o Dir::State::status=/dev/null -o Dir::Cache::archives="$dir/mirror" \
        -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o APT::Install-Recommends=0 \
        --download-only install '?essential' $(want guest) $(want mirror) >"$dir/log" 2>&1
}

step "fetching packages (once)"
fetch || { "$here/../rig/deps.sh" update && fetch; } || fail "apt cannot fetch them"
rm -rf "$dir/mirror/partial" "$dir/mirror/lock"
(cd "$dir/mirror" && dpkg-scanpackages -m . >Packages) 2>>"$dir/log" || fail "dpkg-scanpackages failed"

step "the mirror's disk"
rm -f "$dir/mirror.img.new"
mke2fs -q -F -t ext4 -O ^has_journal -m 0 -d "$dir/mirror" "$dir/mirror.img.new" 128M || exit 1

step "installing Debian (a minute or two)"
# For somebody who is not root, mmdebstrap's root is another user: let it write here. The bind mount shows the
# new system without what mmdebstrap has mounted in it.
rm -rf "$dir/new"
mkdir -p "$dir/new/root"
chmod 1777 "$dir/new" "$dir/new/root"
# shellcheck disable=SC2016
installer --variant=apt --format=null --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --include="$(want guest | tr '\n' ',')" --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='echo debian >"$1/etc/hostname"' \
    --customize-hook='echo "127.0.0.1 localhost debian" >"$1/etc/hosts"' \
    --customize-hook='echo "/dev/xvda / ext4 errors=remount-ro 0 1" >"$1/etc/fstab"' \
    --customize-hook='echo hello from the Debian guest >"$1/var/www/html/index.html"' \
    --customize-hook='echo root:paravane | chroot "$1" chpasswd' \
    --customize-hook='sed -i "s/^LOGIN_TIMEOUT.*/LOGIN_TIMEOUT 600/" "$1/etc/login.defs"' \
    --customize-hook="copy-in '$here/debian/eth.network' /etc/systemd/network" \
    --customize-hook='chroot "$1" systemctl -q enable systemd-networkd systemd-network-generator' \
    --customize-hook='echo "# deb MIRROR bookworm main" >"$1/etc/apt/sources.list"' \
    --customize-hook="mount --bind \"\$1\" '$dir/new/root'" \
    --customize-hook="mke2fs -q -F -t ext4 -L debian -d '$dir/new/root' '$dir/new/disk.img' 512M" \
    --customize-hook="umount '$dir/new/root'" \
    bookworm - "deb [trusted=yes] copy:$dir/mirror ./" >>"$dir/log" 2>&1 </dev/null ||
    fail "mmdebstrap failed (it needs root, sudo, or user namespaces and the package uidmap)"
mv "$dir/mirror.img.new" "$dir/mirror.img"
mv "$dir/new/disk.img" "$dir/disk.img"
rm -rf "$dir/new"
step "done: $dir/disk.img"
