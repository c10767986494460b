"""Tests mirror src; real parts throughout."""
