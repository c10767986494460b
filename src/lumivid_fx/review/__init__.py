"""Finished plates looked at, measured, trimmed and handed over, without a compositing package.

layers          what a page shows: plates, their source, a reference, as light of one space
frames          their frames as half floats, and a bounded memory of them
views           what turns that light into a picture
session         what the page is told before its first frame
gate            who may ask
server          the page and its frames, to this machine alone
page/           the page itself
measures        numbers of a frame and of a shot
scope           a shot's numbers, histogram and waveform
scope_picture   the same as a picture
sheet           a contact sheet over frames and exposures
reel            the frames of a plate that may have holes, and what is wrong with a file
steps           what changed from one frame to the next
frame_facts     what a frame under inspection is
faults          what counts as a fault
qc              what is wrong with a plate, frame by frame
exr_delivery    a plate written as another, frame by frame
expose          a plate re-exposed
read_back       what came back of a movie
deliver         a plate as what a client asks for
"""
