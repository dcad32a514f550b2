"""The marking room: written answers are marked by question, with the keyboard."""
