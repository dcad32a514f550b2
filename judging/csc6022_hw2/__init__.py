"""Homework 2 of CSC6022."""
