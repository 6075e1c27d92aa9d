"""Figures: each script runs without arguments and prints one JSON object as its last line."""
