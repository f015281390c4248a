#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Get the packages of tests/packages.
#   deps.sh host        install what is missing on this machine (as root, or through sudo)
#   deps.sh boot DIR    fetch what boots on the hypervisor and unpack it below DIR/root
#   deps.sh update      apt's package lists
# Says nothing and touches no network when all is there.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
list=$top/tests/packages

want()
{
    awk -v kind="$1" '$1 == kind { print $2 }' "$list"
}

fail()
{
    echo "deps: $*" >&2
    exit 1
}

as_root()
{
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "not root and no sudo; run as root: $*"
    fi
}

# A fresh container has no package lists at all; a stale one has lists that name files long gone.
update_lists()
{
    as_root apt-get -qq update || fail "apt-get update failed; a network or a mirror is needed once"
}

missing_host()
{
    # shellcheck disable=SC2046
    have=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $(want host) 2>/dev/null |
           awk '$2 == "installed" { print $1 }')
    for package in $(want host); do
        printf '%s\n' "$have" | grep -qxF -- "$package" || printf '%s ' "$package"
    done
}

install_host()
{
    missing=$(missing_host)
    [ -z "$missing" ] && return
    echo "deps: installing $missing" >&2
    update_lists
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
        -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 install $missing </dev/null >/dev/null ||
        fail "could not install: $missing"
    missing=$(missing_host)
    [ -z "$missing" ] || fail "still missing after the installation: $missing"
}

# linux-image-amd64 is a name for the newest linux-image-<version>-amd64: follow it.
boot_packages()
{
    for package in $(want boot); do
        case $package in
        linux-image-amd64)
            apt-cache depends "$package" | awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }' ;;
        *)
            echo "$package" ;;
        esac
    done
}

fetch_boot()
{
    dir=$1
    mkdir -p "$dir/debs"
    dir=$(cd "$dir" && pwd)
    # shellcheck disable=SC2046
    if ! apt-cache show $(want boot) >/dev/null 2>&1; then
        update_lists
    fi
    echo "deps: fetching what boots (kernel, Xen, Dom0's programs) into $dir" >&2
    cd "$dir/debs"
    # shellcheck disable=SC2046
    if ! apt-get -qq -o APT::Sandbox::User=root download $(boot_packages); then
        update_lists
        # shellcheck disable=SC2046
        apt-get -qq -o APT::Sandbox::User=root download $(boot_packages) || fail "could not fetch the boot packages"
    fi
    rm -rf "$dir/root.new"
    for deb in *.deb; do
        dpkg-deb -x "$deb" "$dir/root.new"
    done
    rm -rf "$dir/root" "$dir/debs"
    mv "$dir/root.new" "$dir/root"
    kernel=$(basename "$(echo "$dir"/root/lib/modules/*-amd64)")
    # Packages carry no module index; depmod makes it as an installation would.
    PATH=$PATH:/sbin:/usr/sbin depmod -b "$dir/root" "$kernel"
}

case ${1:-} in
host) install_host ;;
boot) fetch_boot "${2:?usage: deps.sh boot DIR}" ;;
update) update_lists ;;
*)    fail "usage: deps.sh host | boot DIR | update" ;;
esac
