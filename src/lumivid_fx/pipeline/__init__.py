"""One shot, start to end: windows, reference, sampling, tiles, detail, files."""
