"""What the servers of specs have in common: a folder of their own, listening sockets on ports that
were free, the lines that tell of them, and an end when the reader of those lines goes away."""
import os
import select
import shutil
import signal
import socket
import sys
import tempfile

HOST = "127.0.0.1"


def listen(backlog=4096):
    """A socket that listens on a port that was free."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 256 * 1024)  # of all connections
    listener.bind((HOST, 0))
    listener.listen(backlog)
    return listener


def port_of(listener):
    return listener.getsockname()[1]


class folder:
    """A temporary folder, for a `with` block; a signal that ends the process ends the block."""

    def __enter__(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(1))
        self.path = tempfile.mkdtemp(prefix="lull-spec-")
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def tell(**values):
    """Prints each value's name and the value, a line each, and that the server is ready."""
    lines = [f"{name} {value}" for name, value in values.items()]
    os.write(1, ("\n".join(lines + ["ready"]) + "\n").encode())


def wait_for_end(*others):
    """Returns when the reader of stdout has gone, or one of the other descriptors is readable."""
    poll = select.poll()
    poll.register(1, 0)
    for other in others:
        poll.register(other, select.POLLIN)
    poll.poll()
