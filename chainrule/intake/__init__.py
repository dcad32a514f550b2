"""From what students handed in to nbgrader's submitted/ folder."""
