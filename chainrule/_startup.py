"""Imported by each of our programs first.

nbformat doesn't tell people who only grade them that cells of a notebook lack ids, which it repairs itself.
"""

import warnings

# by message, because importing nbformat's categories would import all of it
for message in ("Cell is missing an id field", "Non-unique cell id"):
    warnings.filterwarnings("ignore", message=message, category=FutureWarning)
