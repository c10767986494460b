"""Plates judged, trimmed and handed over, without a compositing package.

layers           what is looked at: plates, their source, a reference, as light of one space
frames           their frames as half floats, and a bounded memory of them
views            what turns that light into a picture, and what a page has to know of it
server           the page and its frames, to this machine alone
page/            the page itself
"""
