"""What the course decides about a student: dates, excuses, deductions, points; and who is on the roster."""
