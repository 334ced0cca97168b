"""A task is cancelled from anywhere, before it runs or while it does; it hears of it and may clean up.

    doshit dev cancel.py     # in one terminal; set DOSHIT_REDIS in the other, as it says there
    python cancel.py

prints

    waiting: cancelled
    running: asked
    cancelled
    stdout: stops and cleans up
"""

import time

from doshit import TaskCancelled, TaskFailed, progress, task


@task
def work(seconds: float) -> None:
    try:
        progress(0, "begun")
        time.sleep(seconds)
    except TaskCancelled:
        print("stops and cleans up")  # half a second is left for this
        raise


if __name__ == "__main__":
    waiting = work.options(delay=3600).enqueue(1)
    print("waiting:", waiting.cancel())
    running = work.enqueue(3600)
    while running.progress() is None:  # "executing" says that a worker has it, not yet that it has begun
        time.sleep(0.05)
    print("running:", running.cancel())
    try:
        running.result(timeout=20)
    except TaskFailed as failed:
        print(failed.code)
    for line in running.output():
        print(f"{line.stream}: {line.text.strip()}")
