"""Tests of how computers reach each other."""
