# SPDX-License-Identifier: GPL-2.0-or-later
"""Shared storage: an NBD server that remembers who wrote what when.

Speaks the fixed newstyle handshake and simple replies, which is what Linux's nbd module needs. Each host uses an
export name of its own for the same file, so that the log tells them apart. `slow` makes writes of
one host take their time, to catch a guest's write that is still under way when the guest has moved.
"""
import os
import socket
import struct
import threading
import time

NBD_MAGIC, OPTION_MAGIC, REPLY_MAGIC = 0x4e42444d41474943, 0x49484156454F5054, 0x3e889045565a9
REQUEST_MAGIC, SIMPLE_REPLY_MAGIC = 0x25609513, 0x67446698
OPT_EXPORT_NAME, OPT_ABORT, OPT_INFO, OPT_GO = 1, 2, 6, 7
REP_ACK, REP_INFO, REP_ERR_UNSUP = 1, 3, (1 << 31) + 1
READ, WRITE, DISCONNECT, FLUSH, TRIM = range(5)
FLAGS = 1 | 1 << 2 | 1 << 3 | 1 << 8            # has flags, flush, FUA, many connections agree
EIO, EINVAL = 5, 22


def receive(connection, size):
    data = bytearray()
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("closed")
        data += part
    return bytes(data)


class NbdServer:
    """Serves @path on a port of this host. @log(kind, **fields) is told of what each client does."""

    def __init__(self, path, log):
        self.file = os.open(path, os.O_RDWR)
        self.size = os.path.getsize(path)
        self.log = log
        self.slow = {}                          # export name -> seconds a write takes
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.server.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        name = None
        try:
            with connection:
                name = self.handshake(connection)
                if name is not None:
                    self.log("disk-open", host=name)
                    self.transmission(connection, name)
        except (ConnectionError, OSError):
            pass
        if name is not None:
            self.log("disk-close", host=name)

    def handshake(self, connection):
        """The export's name, or None when the client gives up."""
        connection.sendall(struct.pack(">QQH", NBD_MAGIC, OPTION_MAGIC, 1 | 2))
        flags, = struct.unpack(">I", receive(connection, 4))
        while True:
            magic, option, size = struct.unpack(">QII", receive(connection, 16))
            data = receive(connection, min(size, 4096))
            if magic != OPTION_MAGIC or option == OPT_ABORT:
                return None
            if option == OPT_EXPORT_NAME:
                connection.sendall(struct.pack(">QH", self.size, FLAGS) + (b"" if flags & 2 else bytes(124)))
                return data.decode()
            if option == OPT_GO:
                length, = struct.unpack_from(">I", data)
                info = struct.pack(">HQH", 0, self.size, FLAGS)
                connection.sendall(struct.pack(">QIII", REPLY_MAGIC, option, REP_INFO, len(info)) + info +
                                   struct.pack(">QIII", REPLY_MAGIC, option, REP_ACK, 0))
                return data[4:4 + length].decode()
            connection.sendall(struct.pack(">QIII", REPLY_MAGIC, option, REP_ERR_UNSUP, 0))

    def transmission(self, connection, name):
        answered = threading.Lock()

        def reply(handle, error, data=b""):
            with answered:
                connection.sendall(struct.pack(">IIQ", SIMPLE_REPLY_MAGIC, error, handle) + data)

        def write(handle, offset, data):
            """Logged when it has happened: that is the moment that counts for who wrote last."""
            time.sleep(self.slow.get(name, 0))
            os.pwrite(self.file, data, offset)
            self.log("disk-write", host=name, offset=offset, size=len(data))
            reply(handle, 0)

        def late_write(*args):
            try:
                write(*args)
            except OSError:
                pass                            # the client has gone; what it wrote is written

        while True:
            magic, _, kind, handle, offset, size = struct.unpack(">IHHQQI", receive(connection, 28))
            if magic != REQUEST_MAGIC or kind == DISCONNECT:
                return
            data = receive(connection, size) if kind == WRITE else b""
            if kind in (READ, WRITE) and offset + size > self.size:
                reply(handle, EINVAL)
            elif kind == READ:
                reply(handle, 0, os.pread(self.file, size, offset))
            elif kind == WRITE and name in self.slow:
                threading.Thread(target=late_write, args=(handle, offset, data), daemon=True).start()
            elif kind == WRITE:
                write(handle, offset, data)
            else:
                if kind == FLUSH:
                    self.log("disk-flush", host=name)
                reply(handle, 0)
