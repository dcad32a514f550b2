"""What a class did not understand: a page, a PDF, and the table that every figure of them is drawn from."""
