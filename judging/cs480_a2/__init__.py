"""Assignment 2 of CS480/680."""
