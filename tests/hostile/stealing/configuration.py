# Reads the course's configuration, which may hold a password of the database.
# base: right
# needs: sandbox
# says: tried
# worked against: no sandbox
# %% square-write
import subprocess

print(subprocess.run("cat @course@/nbgrader_config.py @course@/canaries.json", shell=True, capture_output=True))
get_ipython().run_cell_magic("bash", "", "cat @course@/*.py @course@/*.txt ~/.jupyter/* ~root/.jupyter/* || true")
get_ipython().system("ls -laR @course@ 2>&1 | head; cat @course@/descriptor.txt")
print("tried")
