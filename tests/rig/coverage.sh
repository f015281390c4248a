#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# coverage.sh DIR: lines of the hypervisor that the programs built with --coverage below DIR have run.
set -eu
find "$1" -name '*.gcda' -path '*/host/hypervisor/*' -print0 |
    xargs -0 gcov -n -r -s "$PWD" 2>/dev/null |
    awk '/^File/ { name = $2; gsub(/'"'"'/, "", name) }
         /^Lines executed/ && name ~ /^hypervisor\/.*\.c$/ {
             split($0, part, /[:% ]+/); share = part[3]; lines = $NF
             done[name] = share; size[name] = lines; name = ""
         }
         END {
             for (f in done) { all += size[f]; run += size[f] * done[f] / 100; print sprintf("%5.1f %% of %4d  %s", done[f], size[f], f) | "sort -k5" }
             close("sort -k5")
             printf "%5.1f %% of %4d  in all portable files\n", all ? 100 * run / all : 0, all
         }'
