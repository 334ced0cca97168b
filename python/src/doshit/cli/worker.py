"""The command `doshit worker`: hands its options to the supervisor. Runs no task itself."""

from __future__ import annotations

import argparse

from doshit.values.names import check_prefix, check_queue
from doshit.worker.supervisor import Settings
from doshit.worker.supervisor import run as run_worker


def run(args: argparse.Namespace) -> int:
    return run_worker(
        Settings(
            targets=tuple(args.target),
            queues=queues_of(args),
            concurrency=args.concurrency,
            url=args.redis,
            prefix=prefix_of(args),
            burst=args.burst,
            result_ttl=args.result_ttl,
            unknown_grace=args.unknown_grace,
            time_limit_cap=args.time_limit,
            memory_limit_cap=args.memory_limit,
            output_cap=args.output_cap,
            args_cap=args.args_cap,
            result_cap=args.result_cap,
            reason_cap=args.reason_cap,
            traceback_cap=args.traceback_cap,
            grace=args.grace,
            recycle_runs=args.recycle_runs,
            async_slots=args.async_slots,
            reload=args.reload,
            verbose=args.verbose,
            log_format=args.log_format,
        )
    )


def queues_of(args: argparse.Namespace) -> tuple[str, ...]:
    """The queues to serve, each once, in the order given; none for the app's own. Raises ConfigurationError."""
    return tuple(dict.fromkeys(check_queue(name) for name in args.queues or ()))


def prefix_of(args: argparse.Namespace) -> str | None:
    return None if args.prefix is None else check_prefix(args.prefix)
