"""A folder for ``sys.path``: it holds the ``nuke`` of the tests."""
