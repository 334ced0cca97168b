"""A task for later, one for a moment, one that is not worth running late, and one id for what must happen once.

    doshit dev schedule.py     # in one terminal; set DOSHIT_REDIS in the other, as it says there
    python schedule.py

prints

    not before its time: True
    at the moment: it is time
    expired
    the same task: True
"""

import time
from datetime import UTC, datetime, timedelta

from doshit import TaskFailed, task


@task
def remind(text: str) -> str:
    return text


if __name__ == "__main__":
    began = time.monotonic()
    remind.options(delay=1).enqueue("tea").result(timeout=20)
    print("not before its time:", time.monotonic() - began >= 1)

    moment = datetime.now(UTC) + timedelta(seconds=1)
    print("at the moment:", remind.options(at=moment).enqueue("it is time").result(timeout=20))

    late = remind.options(delay=1, expires=timedelta(seconds=0.5)).enqueue("the shop closes")
    try:
        late.result(timeout=20)
    except TaskFailed as failed:
        print(failed.code)

    first = remind.options(id="order-7").enqueue("pay")
    again = remind.options(id="order-7").enqueue("pay")
    print("the same task:", first.id == again.id)
