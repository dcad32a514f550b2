"""What the notebooks are given: data and code that students read and use as they are."""
