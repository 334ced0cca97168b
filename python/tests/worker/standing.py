"""One worker that several tests share, with a world of its own. Empties no server: what others do there is theirs."""

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import redis

from doshit.server import EmbeddedServer
from worker.conftest import await_ready
from worker.workers import FOLDER, PATIENCE, Worker, World, command, until

LIMITED = f"{FOLDER / 'tasks_limits.py'}:app"


class Stage(World):
    """The world of a worker, and the worker. Each task that is started here gets an id of its own."""

    worker: Worker

    def __init__(self, client: Any, prefix: str, url: str, folder: Path, stack: ExitStack) -> None:
        super().__init__(client, prefix)
        self.url, self._folder, self._stack = url, folder, stack

    def begin_worker(self, target: str = LIMITED, children: int = 1, url: str | None = None, **more: Any) -> Worker:
        """One more worker, ready. `more` as in workers.command."""
        words = command(target, url or self.url, self.prefix, ["default"], children, **more)
        self.worker = Worker(self._folder / f"worker-{uuid.uuid4().hex[:8]}.log", words)
        self._stack.callback(self.worker.end)
        await_ready(self.worker, self.url, self.prefix)
        return self.worker

    def start(self, function: str, fields: dict[str, Any] | None = None, **args: Any) -> str:
        """Pushes a task as any producer does. fields: further ones of its hash. Answers its id."""
        id = uuid.uuid4().hex[:12]
        self.push(id, function, args, **(fields or {}))
        return id

    def starts(self, function: str, count: int, **args: Any) -> list[str]:
        """Many of the same at once."""
        return self.push_all([(uuid.uuid4().hex[:12], function, args) for _ in range(count)])

    def failed(self, id: str, code: str, seconds: float = PATIENCE) -> dict[str, str]:
        """The hash of a task once it has failed with this code; the test fails if it ended in another way."""
        task = self.ended(id, seconds)
        assert (task["result"], task.get("error-code")) == ("failed", code), task
        return task

    def running(self, id: str) -> None:
        """Waits until a worker has it."""
        until(lambda: self.task(id).get("state") == "executing", what=f"task {id} runs; {self.task(id)}")

    def cancel(self, *ids: str) -> None:
        """Asks by one plain command."""
        self.client.lpush(self.key("cancel"), *ids)

    def output(self, id: str) -> list[tuple[str, str]]:
        """What is kept of what it wrote: (stream, text)."""
        entries = self.client.xrange(self.key("log", id))
        return [(fields[b"s"].decode(), fields[b"m"].decode()) for _, fields in entries]

    def text(self, id: str) -> str:
        """The same in one piece, whatever the stream."""
        return "".join(text for _, text in self.output(id))

    def progress(self, id: str) -> Any:
        raw = self.client.hget(self.task_key(id), "progress")
        return raw and json.loads(raw)


@contextmanager
def standing(server: EmbeddedServer, folder: Path, worker: bool = True, **more: Any) -> Iterator[Stage]:
    """A stage, with a worker on it unless told otherwise. Its workers end with it."""
    with redis.Redis.from_url(server.url, protocol=2) as client, ExitStack() as stack:
        stage = Stage(client, f"stage-{uuid.uuid4().hex[:12]}", server.url, folder, stack)
        if worker:
            stage.begin_worker(**more)
        yield stage
