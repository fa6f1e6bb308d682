"""Runs nginx for a spec. The text `{NAME}` in its configuration stands for a port that was free,
`{folder}` for a temporary folder; both are told. nginx is given its sockets by the way it has for
being replaced while it runs: no other process can take a port in between."""
import gzip
import os
import random
import re
import signal
import socket
import subprocess
import sys

import certificates
import watched

HERE = os.path.dirname(os.path.abspath(__file__))
KIB = 1024


def write(folder, name, data):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    return path


def make_files(folder):
    noise = random.Random(1).randbytes(KIB * KIB)
    sizes = {"empty": 0, "byte": 1, "1k": KIB, "64k": 64 * KIB, "1m": KIB * KIB}
    for name, size in sizes.items():
        write(folder, "files/" + name, noise[:size])
    os.truncate(write(folder, "files/64m", b""), 64 * KIB * KIB)
    write(folder, "packed/1m.gz", gzip.compress(noise, 1))
    write(folder, "users", b"user:{PLAIN}secret\n")
    os.makedirs(os.path.join(folder, "store"))


def configure(folder):
    """Gives the configuration's path, the ports by name and the sockets that listen on them."""
    texts = {}
    for name in ("nginx.conf", "locations.conf"):
        with open(os.path.join(HERE, name), encoding="utf-8") as file:
            texts[name] = file.read()
    names = dict.fromkeys(re.findall(r"listen 127\.0\.0\.1:\{(\w+)\}", texts["nginx.conf"]))
    listeners = [watched.listen() for _ in names]
    ports = dict(zip(names, map(watched.port_of, listeners)))
    values = {"folder": folder, **ports}
    for name, text in texts.items():
        filled = re.sub(r"\{(\w+)\}", lambda match: str(values[match[1]]), text)
        write(folder, name, filled.encode())
    return os.path.join(folder, "nginx.conf"), ports, listeners


def start(folder, path, listeners):
    descriptors = [listener.fileno() for listener in listeners]
    environment = dict(os.environ, NGINX="".join(f"{number};" for number in descriptors))
    return subprocess.Popen(
        ["nginx", "-p", folder, "-c", path, "-e", os.path.join(folder, "error.log")],
        env=environment, pass_fds=descriptors, stdin=subprocess.DEVNULL, stdout=2)


def wait_until_it_answers(folder, port):
    """Only nginx can answer what the sockets have taken in the meantime."""
    try:
        with socket.create_connection((watched.HOST, port), 10) as stream:
            stream.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
            if stream.recv(1):
                return
    except OSError:
        pass
    with open(os.path.join(folder, "error.log"), encoding="utf-8") as file:
        sys.exit("nginx does not answer\n" + file.read())


def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run(folder):
    certificates.make(folder)
    make_files(folder)
    path, ports, listeners = configure(folder)
    process = start(folder, path, listeners)
    try:
        for listener in listeners:
            listener.close()
        wait_until_it_answers(folder, ports["http"])
        watched.tell(folder=folder, pid=process.pid, **ports)
        watched.wait_for_end(os.pidfd_open(process.pid))
        if process.poll() is not None:
            sys.exit(f"nginx ended with status {process.returncode}")
    finally:
        stop(process)


if __name__ == "__main__":
    with watched.folder() as own_folder:
        run(own_folder)
