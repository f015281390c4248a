#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# coverage.sh DIR: lines and branches of the hypervisor that the programs built with --coverage below DIR have run.
# gcov's own sum at the end would count for the last file again. A branch is one way out of a condition, as gcov counts them (-b); both ways of a condition are two.
set -eu
find "$1" -name '*.gcda' -path '*/host/hypervisor/*' -print0 |
    xargs -0 gcov -b -n -r -s "$PWD" 2>/dev/null |
    awk 'function share(run, all) { return all ? 100 * run / all : 100 }
         /^File/ { name = $2; gsub(/'"'"'/, "", name); wanted = name ~ /^hypervisor\/.*\.c$/ }
         /^Lines executed/ && wanted && !(name in size) { split($0, part, /[:% ]+/); size[name] = $NF; line[name] = part[3] * $NF / 100 }
         /^Taken at least once/ && wanted && !(name in ways) { split($0, part, /[:% ]+/); ways[name] = $NF; taken[name] = part[5] * $NF / 100 }
         END {
             print "  lines  branches"
             for (f in size) {
                 l += line[f]; s += size[f]; t += taken[f]; w += ways[f]
                 print sprintf("%5.1f %%  %5.1f %%  of %4d lines  %s", share(line[f], size[f]), share(taken[f], ways[f]), size[f], f) | "sort -k8"
             }
             close("sort -k8")
             printf "%5.1f %%  %5.1f %%  of %4d lines  in all portable files\n", share(l, s), share(t, w), s
         }'
