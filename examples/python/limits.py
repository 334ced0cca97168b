"""A run that goes wild is ended for good: it has a process of its own, with limits of time and memory.

    doshit dev limits.py     # in one terminal; set DOSHIT_REDIS in the other, as it says there
    python limits.py

prints

    time-limit
    memory-limit
    exited
    still here
"""

import os

from doshit import TaskFailed, task


@task(time_limit=0.5)
def spin() -> None:
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue  # heeds nothing, so it is killed


@task(memory_limit="100MB")
def hoard() -> int:
    kept = []
    while True:
        kept.append(bytearray(1_000_000))


@task
def leave() -> None:
    os._exit(3)


@task
def answer() -> str:
    return "still here"


if __name__ == "__main__":
    for function in (spin, hoard, leave):
        try:
            function.enqueue().result(timeout=20)
        except TaskFailed as failed:
            print(failed.code)
    print(answer.enqueue().result(timeout=20))
