"""From a finished notebook to what the handout asks to be handed in. Imports nothing of the instructor's side."""

from chainrule.handin.here import make_pdf
from chainrule.handin.pdf import PDFError, write_pdf

__all__ = ["PDFError", "make_pdf", "write_pdf"]
