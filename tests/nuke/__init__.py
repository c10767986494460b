"""Tests of the LumiVid node, in a host of our own that keeps Nuke's rules."""
