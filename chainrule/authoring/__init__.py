"""For authors of assignments: answers that the checks are tried on, and their rehearsal without a kernel."""
