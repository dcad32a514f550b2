"""Import this before nbformat in each of our programs.

It makes the start more than a second faster: nbformat imports jsonschema, which compiles a grammar of URLs if the
package `rfc3987_syntax` is installed. It uses it only to check values with the format "uri", which no notebook's schema
has.

And nbformat doesn't tell people who only grade them that cells of a notebook lack ids, which it repairs itself.
"""

import sys
import warnings

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # from now on, importing it fails

# by message, because importing nbformat's categories would import all of it
for message in ("Cell is missing an id field", "Non-unique cell id"):
    warnings.filterwarnings("ignore", message=message, category=FutureWarning)
