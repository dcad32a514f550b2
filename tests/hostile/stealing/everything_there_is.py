# Walks through all files it may open, in search of notebooks, databases, keys and texts that are worth something.
# base: right
# needs: sandbox
# says: tried
# worked against: no sandbox
# %% square-write
import os
import re
import time

end, looked = time.time() + 3, 0
wanted = re.compile(rb"canar[y]-[a-z]+-[0-9a-f]{16}|NEVER-HIN[T]|LATE-HIN[T]|THE-MODEL-ANSWE[R]")
for top in ("@course@", "@project@", "/tmp", "/run", "/dev/shm", "/home", "/root", "/work", "/mnt", "/srv", "/var", "/"):
    for folder, folders, files in os.walk(top):
        if folder.startswith(("/usr/lib", "/usr/share", "/proc", "/sys")) or time.time() > end:
            folders.clear()
            continue
        for name in files:
            path = os.path.join(folder, name)
            try:
                if os.path.isfile(path) and os.path.getsize(path) < 1e6:
                    looked += 1
                    for found in wanted.findall(open(path, "rb").read()):
                        print(path, found)
            except OSError:
                pass
print("tried", looked, "files")
