# Displays a million pictures and updates them.
# base: right
# %% square-write
from IPython.display import display, update_display

picture = "iVBORw0KGgo" + "A" * 1_000_000
for number in range(1_000_000):
    display({"image/png": picture, "text/html": picture}, raw=True, display_id=f"{number % 1000}")
    update_display({"image/png": picture}, raw=True, display_id=f"{number % 1000}")
