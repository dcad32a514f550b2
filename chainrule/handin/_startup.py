"""Imported first where students work, on whatever their machine has.

It makes the start seconds faster: nbformat imports jsonschema, which compiles a grammar of URLs if the package
`rfc3987_syntax` is installed. It uses it only to check values with the format "uri", which no notebook's schema has.
"""

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # from now on, importing it fails
