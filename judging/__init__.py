"""How this course's answers are judged: right values, known mistakes, judges. For instructors; never released."""
