"""Compares answers across a class and with past terms. A person reads the evidence and decides."""
