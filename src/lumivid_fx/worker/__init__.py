"""The worker: takes jobs over ZeroMQ, renders them in processes of their own, loses nothing.

server        owns the socket; one thread, one loop; never imports torch
desk          answers messages: who may do what to which job
journal       jobs and finished frames in SQLite, committed before anybody hears of them
line          which job is next
spool         pixels on their way in and out
supervisor    starts, watches and ends the processes that render
orders        what server and such a process say to each other
runner        such a process: holds the model, renders, reports
sandbox       what the kernel lets it touch
result_cache  finished frames by content
"""
