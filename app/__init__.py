"""Potluck: many ordinary computers run large language models together."""

__version__ = "0.1.0"
