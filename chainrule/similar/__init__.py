"""Who is suspiciously alike: answers compared across a class and with past terms, to be read by a person."""
