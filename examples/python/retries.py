"""A task that fails is run again after a while, and tells at the end what went wrong on the way.

    doshit dev retries.py     # in one terminal; set DOSHIT_REDIS in the other, as it says there
    python retries.py

prints

    got it at attempt 3
    attempt 1: ConnectionError: the line is busy
    attempt 2: ConnectionError: the line is busy
    exception: ValueError: no such number
"""

from doshit import TaskFailed, current_task, task


@task(retries=5, retry_delay=0.1, retry_backoff=1, retry_on=ConnectionError)
def call(number: str) -> str:
    run = current_task()
    assert run is not None  # it is None only outside of a worker
    if number == "":
        raise ValueError("no such number")  # not worth another run
    if run.attempt < 3:
        raise ConnectionError("the line is busy")
    return f"got it at attempt {run.attempt}"


if __name__ == "__main__":
    handle = call.enqueue("555-0100")
    print(handle.result(timeout=20))
    for failure in handle.info().failures:
        print(f"attempt {failure.attempt}: {failure.reason}")
    try:
        call.enqueue("").result(timeout=20)
    except TaskFailed as failed:
        print(f"{failed.code}: {failed.reason}")
