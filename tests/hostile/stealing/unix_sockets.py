# Talks to whoever listens on this machine's Unix sockets: by name, without a file, and to the system's own services.
# base: right
# needs: sandbox
# says: tried
# %% square-write
import glob
import socket

known = ["\0@abstract@", "@socket@", "/run/docker.sock", "/var/run/docker.sock", "/run/dbus/system_bus_socket"]
listed = [line.split()[-1].replace("@", "\0", 1) for line in open("/proc/net/unix") if "/" in line or "@" in line]
found = glob.glob("/tmp/**/line", recursive=True) + glob.glob("/run/**", recursive=True)
for name in {*known, *listed, *found}:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        try:
            line = socket.socket(socket.AF_UNIX, kind)
            line.settimeout(0.2)
            if not name.startswith("/run/kernel/"):  # its own
                line.connect(name)
                line.send(b'unix_sockets: {"what": "is there"}\n')
                print("answer of", name, line.recv(100))
        except OSError as error:
            pass
print("tried", listed)
