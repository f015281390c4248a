# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates for the hosts of a test, made by the openssl program."""
import os
import subprocess

DIR = "/etc/vane/tls"


class Authority:
    """A CA of its own, in a new folder."""

    def __init__(self, folder, name="authority"):
        self.folder, self.name = folder, name
        os.makedirs(folder)
        self.openssl("req", "-x509", "-keyout", "ca.key", "-out", "ca.pem", *self.request(name))

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)

    @staticmethod
    def request(name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-days", "2"]

    def issue(self, name, address):
        """The files of a host's folder DIR: {name: text}."""
        self.openssl("req", "-new", "-keyout", f"{name}.key", "-out", f"{name}.req", *self.request(name))
        with open(os.path.join(self.folder, f"{name}.ext"), "w", encoding="ascii") as f:
            f.write(f"subjectAltName=DNS:{name},IP:{address}\n")
        self.openssl("x509", "-req", "-in", f"{name}.req", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                     "-out", f"{name}.pem", "-extfile", f"{name}.ext")
        files = {"ca.pem": "ca.pem", "cert.pem": f"{name}.pem", "key.pem": f"{name}.key"}
        result = {}
        for place, file in files.items():
            with open(os.path.join(self.folder, file), encoding="ascii") as f:
                result[place] = f.read()
        return result


def install(machine, files):
    machine.check(f"mkdir -p -m 700 {DIR}")
    for name, text in files.items():
        machine.check(f"(umask 077; cat >{DIR}/{name}) <<'END'\n{text}END")
