"""Starts a worker from its settings: has the target imported, checks the server, serves."""

from __future__ import annotations

import logging

from doshit.transport import SyncFace
from doshit.transport.connect import redact
from doshit.values.names import check_prefix, check_queue
from doshit.worker.supervisor.logs import set_up
from doshit.worker.supervisor.nursery import Nursery
from doshit.worker.supervisor.settings import Settings, default_concurrency
from doshit.worker.supervisor.supervisor import Supervisor, serve

log = logging.getLogger("doshit.worker")


def run(settings: Settings) -> int:
    """Serves until a signal, or until the queues are empty with burst. 0: stopped in order.

    Raises ConfigurationError for a target, a name or a URL that cannot be used, ServerError when Redis is not there or
    will not do: before anything was fetched.
    """
    set_up(settings.log_format, settings.verbose)
    nursery = Nursery(settings)
    try:
        nursery.wait_for_hello()
        hello = nursery.hello
        url, prefix = (
            settings.url or hello["url"],
            check_prefix(settings.prefix or hello["prefix"]),
        )
        queues = tuple(dict.fromkeys(check_queue(queue) for queue in settings.queues or (hello["queue"],)))
        server = SyncFace(url)
        server.check(prefix)
        server.close()
    except BaseException:
        nursery.close()
        raise
    concurrency = settings.concurrency or default_concurrency()
    supervisor = Supervisor(settings, nursery, url, prefix, queues, concurrency)
    functions = ", ".join(sorted(hello["catalog"]))
    log.info(
        "worker %s serves %s on %s with %d %s (%s)",
        supervisor.membership.id,
        ", ".join(queues),
        redact(url),
        concurrency,
        "child" if concurrency == 1 else "children",
        functions,
    )
    if hello["by_exec"]:
        log.warning(
            "the import of %s starts threads, so each child imports it anew instead of being forked: they start slower",
            " ".join(settings.targets),
        )
    return serve(settings, supervisor)
