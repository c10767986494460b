"""What a client and a worker say to each other: plain data and bytes, no socket.

messages    every message and its fields, checked when it is read
wire        bytes <-> messages
job_state   what a job can be, and what may follow
codes       how things fail, who can mend it, whether to try again
places      where keys, the worker's address and its state lie

Runs inside Nuke's own Python (3.10 to 3.13) with msgpack and msgspec alone. The written spec is
``docs/protocol.md``.
"""
