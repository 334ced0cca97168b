"""Who acts in a vector: a listener on the channels, and live workers. Judges nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conformance.vectors import Client

END_OF_STEP = b"doshit:end-of-step"
FOLDER = Path(__file__).parent
TARGETS = {"all": "tasks.py:app", "echo": "tasks_echo.py:app"}


class Listener:
    """Hears every message under the prefix; a message of its own marks the end of a step, so nothing waits for time."""

    def __init__(self, client: Client) -> None:
        self._client, self._pubsub = client, client.pubsub()
        self._pubsub.psubscribe("doshit:*")
        assert self._next()["type"] == "psubscribe"

    def _next(self) -> dict[str, Any]:
        message: dict[str, Any] | None = self._pubsub.get_message(timeout=20)
        assert message, "the server sent no message within 20 s"
        return message

    def heard(self) -> list[list[bytes]]:
        """[channel, payload] of every message since the last call, in order."""
        self._client.publish(END_OF_STEP, "")
        messages = []
        while (message := self._next())["channel"] != END_OF_STEP:
            messages.append([message["channel"], message["data"]])
        return messages

    def close(self) -> None:
        self._pubsub.close()


class Worker:
    """A live worker as its users start it: `doshit worker`."""

    def __init__(self, url: str, step: dict[str, Any]) -> None:
        target = str(FOLDER / TARGETS[step.get("functions", "all")])
        words = [
            sys.executable,
            "-m",
            "doshit.cli.main",
            "worker",
            target,
            "--redis",
            url,
            "--prefix",
            "doshit",
        ]
        words += [word for queue in step.get("queues", ["default"]) for word in ("-q", queue)]
        words += [
            "--unknown-grace",
            str(step.get("unknown_grace", 30)),
            "-c",
            str(step.get("concurrency", 2)),
        ]
        self._process = subprocess.Popen(words, start_new_session=True)

    def stop(self) -> None:
        """Asks it to end, as a service manager does, and waits until it has."""
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(30) == 0

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Ends it and whatever it left, when a story is over."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()


@contextmanager
def stage() -> Iterator[dict[str, Worker]]:
    """The workers of one story by name, all ended at its end."""
    workers: dict[str, Worker] = {}
    try:
        yield workers
    finally:
        for worker in workers.values():
            worker.end()
