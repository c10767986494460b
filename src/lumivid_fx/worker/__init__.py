"""The worker: takes jobs over ZeroMQ, renders them in processes of their own, loses nothing.

The server, which never imports torch:

server        owns the socket; one thread, one loop
gate          whose key is let in
desk          messages to answers; callers are who is connected
admission     what a request is refused for; roots are where its paths may lie
delivery      what followers of a job are owed
dispatch      jobs to runners, reports to the jobs
jobs          every job as the journal has it, and what goes with it
line          which job is next
journal       jobs and finished frames in SQLite (journal_file, _store, _tables; state_folder)
spool         pixels on their way in and out
supervisor    starts, watches and ends the processes that render
log, metrics  what it tells of itself

What the two say to each other: orders.

A runner, one a device:

runner        holds the model and takes one order after another (server_line, loaded_model)
sandbox       what the kernel lets it touch
one_job       a job from its order to its end (job_reports, pixel_files)
memory_ladder what is tried when memory runs out
result_cache  finished frames by content
"""
