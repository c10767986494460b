"""A shot on many machines: the plan, its windows as files, and what schedulers want to be told.

plan_file     what a plan holds, read strictly and written whole
planning      a plan from a plate, a model and what the user decided
path_rules    what a plan's folders are called on another machine
planned_model a model as a plan knows it
window_file   one window's codes as a file
window_task   one window of a plan, rendered where it is asked for
stitching     all windows of a plan to finished frames
held_model    a model that stays loaded between the tasks of a session
model_process the process that holds it
job_bundle    a plan as an Open Job Description job bundle
prepare       a request to a plan and a bundle in one folder
openjd_lines  what a task says to an Open Job Description session, and to nobody else
ray_run       a plan on a Ray cluster
ray_worker    what runs on each of its nodes

Nothing here schedules: whoever does runs ``lumivid window`` as often as there are windows, and
``lumivid stitch`` once.
"""
