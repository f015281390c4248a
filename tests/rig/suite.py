#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run tests of every kind and sum them up in one last line: "N passed, N failed".

    suite.py [--make TARGET...] [--unit PROGRAM...] [--fuzz PROGRAM...] [--guests] [--system] ...

A system test is a function test_*(rig) in tests/system/test_*.py; see Rig and the decorators in
scenario.py. Each test prints one line when it is done; a failed one also prints why.
"""
import argparse
import concurrent.futures
import importlib.util
import os
import re
import subprocess
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import qemu                                                             # noqa: E402
import scenario                                                         # noqa: E402

SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed$", re.M)


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.names = []
        self.lock = threading.Lock()

    def add(self, verdict, name, seconds=0.0, detail="", passed=None, failed=None):
        """One result line. @passed and @failed count what a program of many tests reported."""
        with self.lock:
            if verdict == "skip":
                self.skipped += 1
            else:
                self.passed += passed if passed is not None else verdict == "ok"
                self.failed += failed if failed is not None else verdict != "ok"
            if verdict == "FAIL":
                self.names.append(name)
            print(f"{verdict:4} {name} ({seconds:.1f} s)" + (f"\n{detail}" if detail else ""), flush=True)


def run_program(tally, name, command, timeout, env=None):
    start = time.monotonic()
    try:
        done = subprocess.run(command, cwd=qemu.TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=timeout * qemu.SCALE, env=env,
                              preexec_fn=qemu.die_with_parent)
        status, output = done.returncode, done.stdout.decode("utf-8", "replace")
    except subprocess.TimeoutExpired as late:
        status, output = -1, (late.stdout or b"").decode("utf-8", "replace") + "\ntimed out"
    except OSError as error:
        status, output = -1, str(error)
    seconds = time.monotonic() - start
    counts = SUMMARY.findall(output)
    passed, failed = (int(counts[-1][0]), int(counts[-1][1])) if counts else (None, None)
    if status == 0:
        tally.add("ok", name, seconds, passed=passed, failed=failed)
    else:
        detail = "\n".join("    | " + line for line in output.splitlines()[-60:])
        tally.add("FAIL", name, seconds, f"    exit status {status}\n{detail}", passed=passed,
                  failed=max(failed or 0, 1))


def run_fuzz(tally, program, seconds):
    name = os.path.basename(program)
    corpus = os.path.join(qemu.TOP, "tests/fuzz/corpus", name)
    work = os.path.join(qemu.BUILD, "fuzz/corpus", name)
    os.makedirs(work, exist_ok=True)
    command = [program, f"-max_total_time={seconds}", "-rss_limit_mb=2048", "-timeout=20",
               f"-artifact_prefix={work}/", "-print_final_stats=1", work]
    if os.path.isdir(corpus):
        command.append(corpus)
    run_program(tally, f"fuzz {name}", command, seconds + 120)


def run_guests(tally, hv):
    """The guest runner prints a line for each guest; each counts."""
    start = time.monotonic()
    process = subprocess.Popen([os.path.join(qemu.TOP, "tests/guest/run.py"), "--hv", hv], cwd=qemu.TOP,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors="replace", preexec_fn=qemu.die_with_parent)
    seen = 0
    for line in process.stdout:
        found = re.match(r"(PASS|SKIP|FAIL|ERROR) +(\S+) +([0-9.]+)s *(.*)", line)
        if not found:
            if not SUMMARY.match(line):
                print(line, end="", flush=True)
            continue
        verdict, name, seconds, why = found.groups()
        seen += 1
        tally.add({"PASS": "ok", "SKIP": "skip"}.get(verdict, "FAIL"), f"guest {name}", float(seconds),
                  f"    {why}" if why and verdict != "PASS" else "")
    if process.wait() not in (0, 1) or seen == 0:
        tally.add("FAIL", "guest tests", time.monotonic() - start, "    the runner itself failed")


def load_system_tests():
    tests = []
    folder = os.path.join(qemu.TOP, "tests/system")
    sys.path.append(folder)                                             # tests share helpers
    for file in sorted(os.listdir(folder)):
        if not re.fullmatch(r"test_\w+\.py", file):
            continue
        spec = importlib.util.spec_from_file_location(file[:-3], os.path.join(folder, file))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name, function in vars(module).items():
            if name.startswith("test_") and callable(function):
                tests.append((f"{file[5:-3]}.{name[5:]}", function))
    return tests


def chosen(name, function, options):
    """Whether a system test runs under these options: "run", a reason to skip, or None to be silent."""
    if options.only and not any(word in name for word in options.only):
        return None
    if getattr(function, "slow", False) and not options.slow:
        return None
    hosts = getattr(function, "hypervisors", None)
    if hosts and options.hv not in hosts:
        return None
    todo = getattr(function, "todo", {}).get(options.hv)
    if todo and not options.only:
        return f"not yet: {todo}"
    return "run"


def run_system(tally, options):
    def one(name, function):
        start = time.monotonic()
        rig = scenario.Rig(options.hv, name)
        try:
            function(rig)
        except scenario.Skip as skip:
            tally.add("skip", f"system {name}", time.monotonic() - start, f"    {skip}")
        except (qemu.Trouble, AssertionError) as error:
            where = traceback.extract_tb(error.__traceback__)
            lines = [f"    at {f.filename.rpartition('/')[2]}:{f.lineno}: {f.line}" for f in where
                     if "/tests/" in f.filename][-4:]
            tally.add("FAIL", f"system {name}", time.monotonic() - start,
                      "\n".join(lines + [f"    {type(error).__name__}: {error}"]))
        except Exception:                           # a broken test is a failed test, the suite goes on
            tally.add("FAIL", f"system {name}", time.monotonic() - start, traceback.format_exc())
        else:
            tally.add("ok", f"system {name}", time.monotonic() - start)
        finally:
            rig.close()

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for name, function in load_system_tests():
            choice = chosen(name, function, options)
            if choice == "run":
                pool.submit(one, name, function)
            elif choice:
                tally.add("skip", f"system {name}", 0, f"    {choice}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hv", choices=["paravane", "xen"], default="paravane")
    parser.add_argument("--jobs", type=int, default=1, help="system tests at a time")
    parser.add_argument("--make", nargs="*", default=[], help="make targets, a test each")
    parser.add_argument("--unit", nargs="*", default=[])
    parser.add_argument("--fuzz", nargs="*", default=[])
    parser.add_argument("--fuzz-seconds", type=int, default=5)
    parser.add_argument("--guests", action="store_true")
    parser.add_argument("--system", action="store_true")
    parser.add_argument("--only", action="append", default=[], metavar="WORD")
    parser.add_argument("--slow", action="store_true", help="slow system tests too")
    options = parser.parse_args()

    tally = Tally()
    for target in options.make:
        run_program(tally, target, ["make", "--no-print-directory", "-s", target], 600)
    for program in options.unit:
        run_program(tally, "unit " + program.replace("build/unit/", ""), [program], 300)
    for program in options.fuzz:
        run_fuzz(tally, program, options.fuzz_seconds)
    if options.guests:
        run_guests(tally, options.hv)
    if options.system:
        run_system(tally, options)

    for name in tally.names:
        print(f"failed: {name}")
    if tally.skipped:
        print(f"skipped: {tally.skipped}")
    print(f"{tally.passed} passed, {tally.failed} failed", flush=True)
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
