#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# check.sh MODEL DIR BROKEN...: search all of MODEL's states; then each of its broken variants, in which the
# search must find something. DIR is scratch.
set -eu
model=$(realpath "$1")
mkdir -p "$2"
cd "$2"
shift 2

# search [-DNAME=VALUE]: "errors: N" of an exhaustive search
search()
{
    spin -a "$@" "$model" >spin.log 2>&1 || { cat spin.log; exit 1; }
    gcc -O1 -DSAFETY -DCOLLAPSE -DMEMLIM=2000 -w -o pan pan.c
    ./pan -m100000 -w22 >pan.log 2>&1 || true
    if grep -q "Search not completed" pan.log && ! grep -q "errors: [1-9]" pan.log; then
        echo "incomplete"
    else
        sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.log
    fi
}

found=$(search)
[ "$found" = 0 ] || { echo "the model: errors $found"; cat pan.log; exit 1; }
sed -n 's/ *\([0-9]*\) states, stored.*/\1 states, no violation/p' pan.log
for variant in "$@"; do
    found=$(search -DBROKEN="$variant")
    [ "$found" = 1 ] || { echo "BROKEN=$variant is not noticed (errors: $found)"; exit 1; }
    sed -n "s/^pan:1: /BROKEN=$variant: /p" pan.log
done
