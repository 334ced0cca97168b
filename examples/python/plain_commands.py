"""Two plain Redis commands make a task, and a subscription hears of its end: no client of doshit is needed.

    doshit dev plain_commands.py     # in one terminal; set DOSHIT_REDIS in the other, as it says there
    python plain_commands.py

prints

    doshit:task:greeting-1
    Hello, Ada
"""

import json
import os

import redis

from doshit import task


@task
def greet(name: str) -> str:
    return f"Hello, {name}"


if __name__ == "__main__":
    prefix = os.environ.get("DOSHIT_APP_PREFIX", "doshit")
    key = f"{prefix}:task:greeting-1"
    plain = redis.Redis.from_url(os.environ["DOSHIT_REDIS"], decode_responses=True)
    plain.delete(key)  # of an earlier try: an id is used once

    with plain.pubsub(ignore_subscribe_messages=True) as ends:  # type: ignore[no-untyped-call]  # redis-py is half typed
        ends.subscribe(f"{prefix}:results")
        plain.hset(key, mapping={"function": "greet", "state": "pending", "args": json.dumps({"name": "Ada"})})
        plain.lpush(f"{prefix}:default:pending", "greeting-1")
        for message in ends.listen():
            if message["data"] == key:
                break
    print(key.replace(prefix, "doshit"))
    print(json.loads(plain.hget(key, "result-value") or "null"))
