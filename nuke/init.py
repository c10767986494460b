"""Run by Nuke when it starts, with and without a GUI: makes ``lumivid_nuke`` importable.

Nothing in here may stop Nuke from starting: what is wrong is one line on the console.
"""

try:
    import sys
    from pathlib import Path

    _here = str(Path(__file__).absolute().parent)
    if _here not in sys.path:
        sys.path.append(_here)

    from lumivid_paths import add_paths

    _missing = add_paths(_here)
    if _missing:
        print("lumivid: " + _missing)
except Exception as _error:
    print(f"lumivid: the node cannot be used ({_error}); run `lumivid nuke doctor`")
