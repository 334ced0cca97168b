"""The only place that spells a key."""

from __future__ import annotations

from doshit.values.names import check_prefix


class Keys:
    """The keys of one application prefix, as protocol/tables/keys.json lists them."""

    __slots__ = (
        "app",
        "cancel",
        "cmd",
        "cutoffs",
        "duties",
        "prefix",
        "protocol",
        "queues",
        "results",
        "workers",
    )

    def __init__(self, prefix: str = "doshit") -> None:
        self.prefix = check_prefix(prefix)
        self.app = app = prefix + ":"
        self.protocol = app + "protocol"
        self.workers = app + "workers"
        self.queues = app + "queues"
        self.results = app + "results"
        self.cmd = app + "cmd"
        self.cancel = app + "cancel"
        self.cutoffs = app + "cutoffs"
        self.duties = app + "duties"

    def task(self, id: str) -> str:
        return f"{self.app}task:{id}"

    def pending(self, queue: str) -> str:
        return f"{self.app}{queue}:pending"

    def arrived(self, queue: str) -> str:
        """What waits have brought for the claims behind them."""
        return f"{self.app}{queue}:arrived"

    def executing(self, queue: str) -> str:
        return f"{self.app}{queue}:executing"

    def scheduled(self, queue: str) -> str:
        return f"{self.app}{queue}:scheduled"

    def failed(self, queue: str) -> str:
        return f"{self.app}{queue}:failed"

    def quarantine(self, queue: str) -> str:
        return f"{self.app}{queue}:quarantine"

    def worker(self, worker: str) -> str:
        return f"{self.app}worker:{worker}"

    def held(self, worker: str) -> str:
        return f"{self.app}held:{worker}"

    def stop(self, worker: str) -> str:
        return f"{self.app}stop:{worker}"

    def log(self, id: str) -> str:
        return f"{self.app}log:{id}"

    def catalog(self, sha: str) -> str:
        return f"{self.app}catalog:{sha}"

    def reply(self, token: str) -> str:
        """The channel on which one client hears of its own tasks (their `reply-to`)."""
        return f"{self.app}reply:{token}"
