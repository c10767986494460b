"""Finished plates looked at, measured, trimmed and handed over.

measures        numbers of a frame and of a shot
scope           a shot's numbers, histogram and waveform
scope_picture   the same as a picture
sheet           a contact sheet over frames and exposures
reel            the frames of a plate that may have holes, and what is wrong with a file
steps           what changed from one frame to the next
qc              what is wrong with a plate, frame by frame
exr_delivery    a plate written as another, frame by frame
expose          a plate re-exposed
read_back       what came back of a movie
deliver         a plate as what a client asks for
"""
