"""Puts the Nuke node, its client and the client's wheels into one folder, and takes them away.

targets       which Pythons and systems there are
payload       what of this package goes into the folder
wheels        the client's libraries, fetched by pip and unpacked
manifest      what was written, with its hashes; what is no longer so
place         install and uninstall, whole or not at all
register      the line in ~/.nuke/init.py
interpreters  Pythons of this machine that can try the client
examine       what `lumivid nuke doctor` says

It runs where nothing but the base install is there, and names no library but the standard one.
"""
