# Asks every socket of the grader's that has a name: for a kernel outside the sandbox, for any process, for a neighbour's
# answers, and listens to what a neighbour's kernel tells.
# base: right
# says: tried
# on every tier: yes
# %% square-write
import glob
import json
import socket
import time

import zmq

from chainrule.lesson import wire

READS = "open('@course@/canaries.json').read()"
end = time.time() + 3
tried, context = set(), zmq.Context()
listening = context.socket(zmq.SUB)
listening.subscribe(b"")
while time.time() < end:
    names = {line.split()[-1].replace("@", "\0", 1) for line in open("/proc/net/unix") if "/" in line or "@" in line}
    for command in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            names |= {text for text in open(command).read().split("\0") if text.startswith("/")}
        except OSError:
            pass
    for name in {name for name in names if name.startswith("@scratch@/") and name != "@socket@"} - tried:
        tried.add(name)
        for kind in (socket.SOCK_SEQPACKET, socket.SOCK_STREAM):
            line = socket.socket(socket.AF_UNIX, kind)
            line.settimeout(0.5)
            try:
                line.connect(name)
                print("canary-connected", name)
                request = {"verb": "get", "args": {"name": "square"}}
                wire.send_request(line, wire.pack(request), 1.0)
                line.send(json.dumps({"work": "/tmp/@mark@", "environment": {"READS": READS}}).encode())
                print("answer", line.recv(1000))
            except OSError:
                pass
        if "\0" not in name:
            listening.connect(f"ipc://{name}")
    if listening.poll(200):
        print("canary-heard", listening.recv_multipart())
context.destroy(linger=0)
print("tried", len(tried))
