"""Forked children: they connect anew, and nothing of the parent's is touched."""

from __future__ import annotations

from tests.client.scripts import Script
from tests.client.stand_in import StandIn

from lumivid_fx.protocol import messages as m

CHILD = """
def in_child(work):
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            sys.stdout.flush()
            os._exit(0)
    assert os.waitpid(child, 0) == (child, 0)
"""


def test_a_child_connects_anew(stand_in: StandIn) -> None:
    """With a session of its own; the parent's jobs and connection go on."""
    stand_in.limit = 4
    text = f"""{CHILD}
job = worker.submit("/show/clip.mp4")
frames = job.frames(20)
print(next(frames).number)

def work():
    print(worker)
    own = worker.submit("/show/other.mp4", frames="1-4")
    print([frame.number for frame in own.frames(20)], worker)
    for ask in (lambda: job.wait(20), lambda: list(frames)):
        try:
            ask()
        except LumividError as error:
            print("the process that this one was forked from" in str(error))
    worker.cancel(own.id)

in_child(work)
print(worker, [next(frames).number for _ in range(3)])
stand_still()
print([frame.number for frame in frames], job.wait(20).frames)
"""
    with Script(stand_in, text) as script:
        for line in (
            "1",
            "<Worker not connected>",
            "[1, 2, 3, 4] <Worker connected>",
            # The child's copy of the loop gives the frames that are at hand, then tells.
            "True",
            "True",
            "<Worker connected> [2, 3, 4]",
        ):
            assert script.line() == line
        script.wait_here()
        stand_in.limit = 8
        script.go_on()
        assert script.end() == "[5, 6, 7, 8] 8\n"
    assert len({hello.session for hello in stand_in.heard(m.Hello)}) == 2


def test_a_child_ends_in_every_way(stand_in: StandIn) -> None:
    """At once, by running off its end, after using the connection, by multiprocessing."""
    text = f"""{CHILD}
import multiprocessing
job = worker.submit("/show/clip.mp4")

def use():
    assert worker.ping().boot

for work in (lambda: None, use):
    in_child(work)
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
    assert process.exitcode == 0

child = os.fork()
if child == 0:
    use()
    sys.exit(0)
assert os.waitpid(child, 0) == (child, 0)
child = os.fork()
if child == 0:
    sys.exit(0)
assert os.waitpid(child, 0) == (child, 0)
use()
print(job.wait(20).frames)
"""
    with Script(stand_in, text) as script:
        assert script.end() == "8\n"


def test_forks_at_any_moment(stand_in: StandIn) -> None:
    """Whatever lock a thread of the parent holds just then, the child hangs on none."""
    text = f"""{CHILD}
ending = threading.Event()

def hammer():
    while not ending.is_set():
        job = worker.submit("/show/clip.mp4", frames="1-30", on_progress=lambda _: None)
        jobs.append(job)
        for frame in job.frames(20):
            pass

def work():
    for job in jobs[-3:]:
        try:
            repr((job.state, job.error, job.done, job.notes, job.progress))
            job.wait(20)
            for frame in job.frames(20):
                pass
        except LumividError:
            pass
    worker.submit("/show/clip.mp4").wait(20)

jobs = []
threads = [threading.Thread(target=hammer) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(25):
    in_child(work)
ending.set()
for thread in threads:
    thread.join()
print("done")
"""
    with Script(stand_in, text) as script:
        assert script.end() == "done\n"


def test_a_child_of_a_child(stand_in: StandIn) -> None:
    """And one whose parent never connected."""
    text = f"""{CHILD}
def work():
    assert worker.ping().boot
    in_child(lambda: print(worker.ping().boot))

worker.close()
worker = client.Worker(Places.of(), "test", 20)
in_child(work)
"""
    with Script(stand_in, text) as script:
        assert script.end() == f"{stand_in.boot}\n"


def test_locks_that_are_held_while_it_forks(stand_in: StandIn) -> None:
    """Every lock there is, held by a thread that the child does not have."""
    text = f"""{CHILD}
job = worker.submit("/show/clip.mp4")
print(job.wait(20).frames)
session, held, done = worker.reach(), threading.Event(), threading.Event()

def hold():
    with worker._lock, session._lock, session.link._questions._changed, job._following.changed:
        held.set()
        done.wait()

thread = threading.Thread(target=hold)
thread.start()
held.wait()

def work():
    try:
        for frame in job.frames(20):
            print(frame.number)
    except LumividError:
        print("the rest is the parent's")
    print(worker.submit("/show/clip.mp4").wait(20).frames)

in_child(work)
done.set()
thread.join()
print([frame.number for frame in job.frames(20)])
"""
    with Script(stand_in, text) as script:
        assert script.end().splitlines() == [
            *["8", "1", "2", "3", "4", "the rest is the parent's", "8"],
            "[1, 2, 3, 4, 5, 6, 7, 8]",
        ]
