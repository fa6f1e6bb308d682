"""Makes a certificate authority and what it signs: certificates.py FOLDER. There is NAME.pem and
NAME.key for each of:
  ca           the authority
  good         for localhost and 127.0.0.1
  expired      for the same, but it has expired
  wrong_name   for elsewhere.test only
  self_signed  for localhost and 127.0.0.1, but signed by nobody else
  client       of a client
  stranger     of a client, but signed by nobody else"""
import os
import subprocess
import sys

HERE = "DNS:localhost,IP:127.0.0.1"
SIGNED = {
    "good": ("localhost", HERE, "2"),
    "expired": ("localhost", HERE, "-1"),
    "wrong_name": ("elsewhere.test", "DNS:elsewhere.test", "2"),
    "client": ("client", "DNS:client.test", "2"),
}
SELF_SIGNED = {"self_signed": ("localhost", HERE), "stranger": ("stranger", "DNS:stranger.test")}
NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def make(folder):
    def path(name):
        return os.path.join(folder, name)

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    def request(name, subject, *rest):
        openssl("req", "-new", *NEW_KEY, "-keyout", path(name + ".key"), "-subj", "/CN=" + subject,
                *rest)

    request("ca", "lull spec CA", "-x509", "-days", "2", "-out", path("ca.pem"))
    for name, (subject, names) in SELF_SIGNED.items():
        request(name, subject, "-x509", "-days", "2", "-addext", "subjectAltName=" + names,
                "-addext", "basicConstraints=critical,CA:false", "-out", path(name + ".pem"))
    for name, (subject, names, days) in SIGNED.items():
        request(name, subject, "-addext", "subjectAltName=" + names, "-out", path("request"))
        openssl("x509", "-req", "-in", path("request"), "-CA", path("ca.pem"),
                "-CAkey", path("ca.key"), "-CAcreateserial", "-copy_extensions", "copy",
                "-days", days, "-out", path(name + ".pem"))


if __name__ == "__main__":
    make(sys.argv[1])
