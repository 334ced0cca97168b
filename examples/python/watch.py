"""A run tells how far it is, and what it prints is kept with it.

    doshit dev watch.py     # in one terminal; set DOSHIT_REDIS in the other, as it says there
    python watch.py

prints

    half-way: 50%
    stdout: reading orders.csv
    done: 100%
"""

import time

from doshit import progress, task


@task(time_limit=30)
def read(path: str) -> None:
    print("reading", path)
    progress(0.5, "half-way")
    time.sleep(1.5)
    progress(1, "done")


if __name__ == "__main__":
    handle = read.enqueue("orders.csv")
    while (seen := handle.progress()) is None:
        time.sleep(0.05)
    print(f"{seen.text}: {seen.fraction or 0:.0%}")
    handle.result(timeout=20)
    for line in handle.output():
        print(f"{line.stream}: {line.text.strip()}")
    if last := handle.progress():
        print(f"{last.text}: {last.fraction or 0:.0%}")
