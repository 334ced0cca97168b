"""What runs tell before their end: output and progress. Gathers it and sends it on while the run is held."""

from __future__ import annotations

import codecs
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from doshit.commands import Claimed, note
from doshit.commands.calls import Entry, Note
from doshit.values.keys import Keys
from doshit.values.states import FAILED_TTL
from doshit.values.times import format_timestamp
from doshit.worker.supervisor.children import Child, Told
from doshit.worker.supervisor.logs import about, readable
from doshit.worker.supervisor.session import Refused, Session
from doshit.worker.wire import OUTPUT, PROGRESS

log = logging.getLogger("doshit.worker")
_decoder = codecs.getincrementaldecoder("utf-8")

_EVERY = 0.1  # seconds between two calls for what runs tell meanwhile
_LIVE_AFTER = 0.05  # seconds of one run after which its descriptors are read while it goes on
_MORE = "\n[more was written than is kept]\n"
_READS = 16  # of 64 KiB, from one child and turn


class _Page:
    """What one run has told and Redis has not heard. captured: bytes of output so far; decoders: of its raw streams."""

    __slots__ = ("captured", "decoders", "entries", "progress", "task")

    def __init__(self, task: Claimed) -> None:
        self.task, self.captured = task, 0
        self.decoders: dict[str, codecs.IncrementalDecoder] = {}
        self.progress: bytes | str = ""
        self.entries: list[Entry] = []


class Notes:
    """The pages of all runs, by claim. cap: bytes of output kept of one run."""

    def __init__(self, session: Session, keys: Keys, worker: Callable[[], str], cap: int) -> None:
        self._session, self._keys, self._worker, self._cap = session, keys, worker, cap
        self._pages: dict[bytes, _Page] = {}
        self._next = self._listen_at = 0.0
        self._told_on = -1

    def take(self, told: Iterable[Told]) -> None:
        """Takes what runs told."""
        for task, kind, payload in told:
            page = self._page(task)
            if kind == PROGRESS:
                page.progress = payload
            elif kind == OUTPUT:
                stream, micros, text = payload
                self._write_raw(page, *payload) if isinstance(text, bytes) else self._write(page, stream, micros, text)

    def _page(self, task: Claimed) -> _Page:
        page = self._pages.get(task.claim)
        if page is None:
            page = self._pages[task.claim] = _Page(task)
        return page

    def _write(self, page: _Page, stream: str, micros: int, text: str) -> None:
        data = text.encode("utf-8", "backslashreplace")
        room = self._cap - page.captured
        page.captured += len(data)
        if room < 0 or not data:
            return
        kept = text if len(data) <= room else data[:room].decode("utf-8", "ignore") + _MORE
        at = format_timestamp(datetime.fromtimestamp(micros / 1e6, UTC))
        page.entries.append(Entry(stream, at, kept))
        for line in kept.splitlines():
            log.info("task %s %s: %s", readable(page.task.id), stream, line, extra=about(page.task.id))

    def listen(self, children: Mapping[int, Child], now: float) -> bool:
        """Reads what long runs write to their descriptors. Was there any? Then more may come soon."""
        if now < self._listen_at:
            return False
        more = False
        for child in children.values():
            if child.slots:
                more = self._read_nobodys(child) or more
            elif len(child.runs) == 1 and child.ready and now - child.progress_at >= _LIVE_AFTER:
                more = self._read_raw(child, child.runs[child.head]) or more
        self._listen_at = now if more else now + _LIVE_AFTER / 2
        return more

    def _read_raw(self, child: Child, task: Claimed) -> bool:
        for nth in range(_READS):
            found = child.read_raw()
            if not found:
                return nth > 0
            for stream, data in found:
                self._write_raw(self._page(task), stream, time.time_ns() // 1000, data)
        return True

    def _write_raw(self, page: _Page, stream: str, micros: int, data: bytes) -> None:
        """Takes bytes from a descriptor, whoever read them. A character may begin in one piece and end in the next."""
        if page.captured > self._cap:
            page.captured += len(data)
            return
        if stream not in page.decoders:
            page.decoders[stream] = _decoder(errors="backslashreplace")
        if text := page.decoders[stream].decode(data):
            self._write(page, stream, micros, text)

    def _read_nobodys(self, child: Child) -> bool:
        """What C code writes beside many runs is no one's: it goes to the log."""
        found = child.read_raw()
        for stream, data in found:
            for line in data.decode("utf-8", "backslashreplace").splitlines():
                log.info("child %d %s: %s", child.number, stream, line)
        return bool(found)

    def tick(self, now: float) -> None:
        """Sends what runs have told meanwhile."""
        if self._pages and now >= self._next:
            self._next = now + _EVERY
            self._send([page for page in self._pages.values() if page.entries or page.progress])

    def close(self, claim: bytes) -> int:
        """A run is over: sends what is left of it, so before its end. The bytes of output that it wrote."""
        page = self._pages.pop(claim, None) if self._pages else None
        if page is None:
            return 0
        for stream, decoder in page.decoders.items():
            if text := decoder.decode(b"", final=True):
                self._write(page, stream, time.time_ns() // 1000, text)
        if page.entries or page.progress:
            self._send([page])
        return page.captured

    def _send(self, pages: list[_Page]) -> None:
        if not pages:
            return
        notes = [Note(page.task.id, page.task.claim, page.progress, tuple(page.entries)) for page in pages]
        for page in pages:
            page.entries, page.progress = [], ""
        call = note(self._keys, self._worker(), notes, keep=FAILED_TTL, output_cap=self._cap)
        # Whole on each new connection: a script that is not there yet would be sent again behind the end of the run.
        made = self._session.link.made
        self._session.call(call if made == self._told_on else call.eval(), self._heard)
        self._told_on = made

    def _heard(self, reply: list[str] | Refused) -> None:
        if isinstance(reply, Refused):
            log.warning("what runs told was refused: %s", reply)
