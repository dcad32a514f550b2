"""Import this first in a program of our own: it saves more than a second.

jsonschema, which nbformat imports, compiles a grammar of URLs if it finds this package. It checks the format of
URLs with it, and no notebook's schema has one.
"""

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # an import of it fails from now on
