#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Make an initramfs from unpacked Debian packages, a list of what goes in, and our own files.

usage: mkimage.py --root PKGROOT --list FILE [--add FILE:PATH]... --output IMAGE

The list has one item a line:

    dir PATH [MODE]           an empty directory
    link PATH TARGET          a symbolic link
    program PATH [AS]         an ELF program of the packages, and the shared libraries it needs
    library NAME              a shared library that is opened at run time
    tree PATH                 a file or folder of the packages, with links kept
    file SOURCE PATH [MODE]   a file of this tree, relative to the list
    applets                   a link for each busybox applet that nothing else provides
    module NAME...            kernel modules, with what they depend on

The image is a plain newc archive: uncompressed, because unpacking costs more under emulation than
reading does. It depends on the input alone: entries are sorted, owned by root, dated zero.
"""
import argparse
import os
import stat
import struct
import subprocess
import sys

MERGED = ("bin", "sbin", "lib", "lib64")            # /bin and friends are links into /usr
LIBRARY_DIRS = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib64", "lib64", "usr/lib")


def merged(path):
    """The place of @path in a tree where /bin, /sbin, /lib and /lib64 lie below /usr."""
    path = path.lstrip("/")
    return "usr/" + path if path.split("/")[0] in MERGED else path


class Image:
    """Entries by path. A later entry for a path replaces the earlier one."""

    def __init__(self):
        self.entries = {}                           # path -> (mode, data)
        for name in MERGED:
            self.link(name, "usr/" + name)
            self.dir("usr/" + name)

    def parents(self, path):
        parent = os.path.dirname(path)
        if parent and parent not in self.entries:
            self.dir(parent)

    def dir(self, path, mode=0o755):
        self.parents(path)
        self.entries[path] = (stat.S_IFDIR | mode, b"")

    def link(self, path, target):
        self.parents(path)
        self.entries[path] = (stat.S_IFLNK | 0o777, target.encode())

    def data(self, path, data, mode=0o644):
        self.parents(path)
        self.entries[path] = (stat.S_IFREG | mode, data)

    def write(self, output):
        with open(output, "wb") as out:
            for inode, path in enumerate(sorted(self.entries), 1):
                mode, data = self.entries[path]
                self.record(out, path, mode, data, inode)
            self.record(out, "TRAILER!!!", 0, b"", 0)

    @staticmethod
    def record(out, path, mode, data, inode):
        name = path.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = (inode, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(name), 0)
        head = b"070701" + b"".join(b"%08X" % f for f in fields) + name
        out.write(head + b"\0" * (-len(head) % 4))
        out.write(data + b"\0" * (-len(data) % 4))


def elf_needs(data):
    """(interpreter or None, [needed library names]) of an ELF64 file."""
    if data[:5] != b"\x7fELF\x02":
        return None, []
    phoff, = struct.unpack_from("<Q", data, 32)
    phentsize, phnum = struct.unpack_from("<HH", data, 54)
    segments = [struct.unpack_from("<IIQQQQQQ", data, phoff + i * phentsize) for i in range(phnum)]
    loads = [s for s in segments if s[0] == 1]

    def offset_of(vaddr):
        for _, _, off, va, _, filesz, _, _ in loads:
            if va <= vaddr < va + filesz:
                return vaddr - va + off
        raise ValueError("address outside the file")

    interp, needed, strtab = None, [], 0
    for kind, _, off, _, _, filesz, _, _ in segments:
        if kind == 3:
            interp = data[off:off + filesz].rstrip(b"\0").decode()
        if kind == 2:
            for pos in range(off, off + filesz, 16):
                tag, value = struct.unpack_from("<QQ", data, pos)
                if tag == 1:
                    needed.append(value)
                elif tag == 5:
                    strtab = offset_of(value)
    names = [data[strtab + n:data.index(b"\0", strtab + n)].decode() for n in needed]
    return interp, names


class Builder:
    def __init__(self, root):
        self.root = root
        self.image = Image()
        self.moddir = "lib/modules/" + os.listdir(os.path.join(root, "lib/modules"))[0]
        self.modules = set()
        self.want_applets = False

    def host(self, path):
        return os.path.join(self.root, path.lstrip("/"))

    def library(self, name):
        for folder in LIBRARY_DIRS:
            place = self.host(folder + "/" + name)
            if os.path.exists(place):
                return place
        raise SystemExit(f"mkimage: no package of tests/packages holds the library {name}")

    def elf(self, source, path):
        """Put the ELF file @source at @path with all it needs."""
        with open(source, "rb") as f:
            data = f.read()
        path = merged(path)
        self.image.data(path, data, 0o755)
        interp, names = elf_needs(data)
        for need in ([os.path.basename(interp)] if interp else []) + names:
            place = merged("/lib64/" + need if need.startswith("ld-linux") else
                           "/lib/x86_64-linux-gnu/" + need)
            if place not in self.image.entries:
                self.elf(os.path.realpath(self.library(need)), place)

    def tree(self, path):
        source = self.host(path)
        if os.path.islink(source):
            self.image.link(merged(path), os.readlink(source))
        elif os.path.isdir(source):
            self.image.dir(merged(path))
            for name in sorted(os.listdir(source)):
                self.tree(path.rstrip("/") + "/" + name)
        else:
            with open(source, "rb") as f:
                self.image.data(merged(path), f.read(), os.stat(source).st_mode & 0o755)

    def add_modules(self, names):
        """Mark @names and all they depend on (modules.dep is transitive; soft ones are asked for by name)."""
        with open(self.host(self.moddir + "/modules.builtin")) as f:
            builtin = {os.path.basename(line.strip())[:-3].replace("-", "_") for line in f}
        deps = {}
        with open(self.host(self.moddir + "/modules.dep")) as f:
            for line in f:
                module, _, needs = line.partition(":")
                deps[os.path.basename(module)[:-3].replace("-", "_")] = [module] + needs.split()
        for name in names:
            key = name.replace("-", "_")
            if key in deps:
                self.modules.update(deps[key])
            elif key not in builtin:
                raise SystemExit(f"mkimage: the kernel has no module {name}")

    def finish_modules(self):
        if not self.modules:
            return
        for module in self.modules:
            self.tree("/" + self.moddir + "/" + module)
        have = {os.path.basename(m)[:-3].replace("-", "_") for m in self.modules}
        for index in ("modules.dep", "modules.alias", "modules.softdep"):
            with open(self.host(self.moddir + "/" + index)) as f:
                if index == "modules.dep":
                    keep = [line for line in f if line.partition(":")[0] in self.modules]
                elif index == "modules.alias":
                    keep = [line for line in f if line.split()[-1].replace("-", "_") in have]
                else:
                    keep = []
            self.image.data(merged(self.moddir + "/" + index), "".join(keep).encode())

    def finish_applets(self):
        if not self.want_applets:
            return
        applets = subprocess.run([self.host("/bin/busybox"), "--list-full"], check=True,
                                 capture_output=True, text=True).stdout.split()
        taken = {os.path.basename(path) for path in self.image.entries
                 if os.path.dirname(path) in ("usr/bin", "usr/sbin")}
        for path in applets:
            if os.path.basename(path) not in taken:
                self.image.link(merged(path), "/usr/bin/busybox")

    def line(self, words, base):
        verb, args = words[0], words[1:]
        if verb == "dir":
            self.image.dir(merged(args[0]), int(args[1], 8) if len(args) > 1 else 0o755)
        elif verb == "link":
            self.image.link(merged(args[0]), args[1])
        elif verb == "program":
            self.elf(os.path.realpath(self.host(args[0])), args[-1])
        elif verb == "library":
            self.elf(os.path.realpath(self.library(args[0])), "/lib/x86_64-linux-gnu/" + args[0])
        elif verb == "tree":
            self.tree(args[0])
        elif verb == "file":
            with open(os.path.join(base, args[0]), "rb") as f:
                self.image.data(merged(args[1]), f.read(), int(args[2], 8) if len(args) > 2 else 0o644)
        elif verb == "applets":
            self.want_applets = True
        elif verb == "module":
            self.add_modules(args)
        else:
            raise SystemExit(f"mkimage: unknown item {verb}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True)
    parser.add_argument("--list", required=True)
    parser.add_argument("--add", action="append", default=[])
    parser.add_argument("--output", required=True)
    args = parser.parse_args()

    builder = Builder(args.root)
    with open(args.list) as f:
        for line in f:
            words = line.partition("#")[0].split()
            if words:
                builder.line(words, os.path.dirname(args.list))
    for item in args.add:
        source, _, path = item.partition(":")
        with open(source, "rb") as f:
            is_elf = f.read(4) == b"\x7fELF"
        if is_elf:
            builder.elf(source, path)
        else:
            with open(source, "rb") as f:
                builder.image.data(merged(path), f.read(), os.stat(source).st_mode & 0o755)
    builder.finish_modules()
    builder.finish_applets()
    builder.image.write(args.output + ".new")
    os.replace(args.output + ".new", args.output)


if __name__ == "__main__":
    sys.exit(main())
