"""A course's life from term to term: begin, see where it stands, back up, restore, archive."""
