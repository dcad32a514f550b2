# Prints whatever the environment says about the grader: now, at the start of the process, and in libraries' memories.
# base: right
# says: tried
# on every tier: yes
# %% square-write
import os

import matplotlib

known = "PATH LANG LC_ALL LC_CTYPE USER LOGNAME SHELL HOME TMPDIR MPLBACKEND PYTHONSAFEPATH PYTHONPATH PAGER".split()
known += ["NBGRADER_EXECUTION", "TORCHINDUCTOR_CACHE_DIR", "JPY_PARENT_PID", "GIT_PAGER", "CLICOLOR", "TERM", "CLICOLOR_FORCE", "FORCE_COLOR"]
known += ["ENABLE_RUNTIME_UPTIME_TELEMETRY", "TPU_ML_PLATFORM", "TPU_ML_PLATFORM_VERSION", "TF2_BEHAVIOR", "TF_CPP_MIN_LOG_LEVEL", "HDF5_PLUGIN_PATH"]  # TensorFlow's own
at_start = open("/proc/self/environ").read().split("\0")
for name in {*os.environ, *(line.partition("=")[0] for line in at_start if line)}:
    if name not in known and not name.endswith(("_NUM_THREADS", "OP_THREADS")) and not name.startswith(("KMP_", "PYDEVD_")):
        print("canary-variable", name)
if any(path in text for path in ("@course@", "@cache@") for text in (*at_start, *os.environ.values())):
    print("canary-path")
if matplotlib.get_cachedir().startswith("@cache@"):
    print("canary-cache")
print("tried")
