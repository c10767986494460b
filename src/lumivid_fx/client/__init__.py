"""Speaks to a worker: submits jobs, follows them, takes their frames.

    from lumivid_fx import client

    with client.connect() as worker:
        job = worker.submit("/show/clip.mp4", deliver="pixels", frames="1-24")
        for frame in job.frames():
            array = numpy.asarray(frame)  # float16 h w c, without a copy

worker     the face: connect, submit, attach, list
job        one job as its submitter sees it
frame      a finished frame
requests   what callers say of a render, made into a request
worker_paths   a path of this machine, as the worker says it
session    what one process has open
following  what is known of one job, between the threads
feed       a job's frames: credit, acknowledgement, order
callbacks  the thread that calls
sending    a plate, in the thread of whoever has it
upload     what of it is under way
link       the thread that owns the socket; connects again
approach   from the connection file to a worker's welcome
dealer     the socket and its monitor
questions  what waits for an answer
keys       this user's key pair
lifetime   forks and the interpreter's end

Runs inside Nuke's own Python (3.10 to 3.13): no numpy, and of libraries pyzmq alone beside the
protocol's.
"""

from __future__ import annotations

from lumivid_fx.client.frame import FinishedFrame
from lumivid_fx.client.job import Job
from lumivid_fx.client.requests import RenderOptions
from lumivid_fx.client.upload import Bytes
from lumivid_fx.client.worker import Worker, connect

__all__ = ["Bytes", "FinishedFrame", "Job", "RenderOptions", "Worker", "connect"]
