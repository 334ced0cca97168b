"""The consumer of the bare chain: takes an id, ends it, says so. A process of its own, without the library."""

import sys
from typing import Any

import redis


def main() -> None:
    client: Any = redis.Redis.from_url(sys.argv[1], protocol=2, socket_timeout=None)
    print("ready", flush=True)
    while (id := client.blmove("bare:default:pending", "bare:default:executing", 0, "RIGHT", "LEFT")) != b"stop":
        key = b"bare:task:" + id
        pipeline = client.pipeline(transaction=False)
        pipeline.hset(key, mapping={"state": "finished", "result": "successful", "result-value": "3"})
        pipeline.lrem("bare:default:executing", 1, id)
        pipeline.publish("bare:results", key)
        pipeline.execute()


if __name__ == "__main__":
    main()
