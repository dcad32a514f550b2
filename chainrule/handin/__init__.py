"""From a finished notebook to what the handout asks to be handed in."""
