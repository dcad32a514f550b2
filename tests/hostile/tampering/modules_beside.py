# Writes modules with the names of real ones beside its notebook, for whoever starts Python there.
# base: right
# says: tried
# %% square-write
import subprocess
import sys

CODE = "raise SystemExit('hostile was here')\n"
for name in ("ipykernel_launcher", "torch", "json", "chainrule", "sitecustomize", "nbformat", "encodings"):
    open(name + ".py", "w").write(CODE)
print(subprocess.run([sys.executable, "-c", "import json; print('fine')"], capture_output=True))
print("tried")
