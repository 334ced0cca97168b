"""Finds and imports what TARGETs name: tasks.py, a module, or module:app. Runs nothing of them but their import."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from doshit.client import Doshit, default_app
from doshit.errors import ConfigurationError

_FORMS = "give a file of tasks, a module, or module:app"


class ImportFailed(Exception):
    """The user's module raised while it was imported; the text is its own traceback, target what was asked for."""

    target = ""


def load_all(targets: Sequence[str]) -> Doshit:
    """The one app that a worker serves: the target's, or one with the tasks and hooks of all of them.

    Raises ConfigurationError, also for targets that do not fit together, or ImportFailed.
    """
    apps = list(dict.fromkeys(_load_named(target) for target in targets))
    first = apps[0]
    if len(apps) == 1:
        return first
    together = Doshit(first.url, prefix=first.prefix, queue=first.queue)
    for app in apps:
        if (app.url, app.prefix, app.queue) != (first.url, first.prefix, first.queue):
            raise ConfigurationError(
                f"{' '.join(targets)} name apps with different servers, prefixes or queues; run a worker for each"
            )
        for name, task in app.registry.items():
            if together.registry.setdefault(name, task) is not task:
                raise ConfigurationError(f"two of {' '.join(targets)} have a task {name!r}; rename one of them")
        together.child_start_hooks += app.child_start_hooks
    return together


def _load_named(target: str) -> Doshit:
    try:
        return load(target)
    except ImportFailed as error:
        error.target = target
        raise


def load(target: str) -> Doshit:
    """The app that a target names, with at least one task.

    Raises ConfigurationError, or ImportFailed with the user's own traceback.
    """
    where, _, name = target.partition(":")
    if sys.path[0] != os.getcwd():
        sys.path.insert(0, os.getcwd())
    module = _import_file(Path(where)) if where.endswith(".py") or os.sep in where else _import_module(where)
    app = _named(module, name, target) if name else _only(module, target)
    if not app.registry:
        raise ConfigurationError(f"{target} has no task; decorate a function with @task from doshit")
    return app


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigurationError(f"no file {path}; {_FORMS}")
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{path} is no Python file; {_FORMS}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:  # also a sys.exit() in the module
        raise ImportFailed(_own_traceback(error)) from None
    return module


def _import_module(name: str) -> ModuleType:
    if not all(name.split(".")):
        raise ConfigurationError(f"{name!r} is neither a file of tasks nor a module; {_FORMS}")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            hint = f"; did you mean {name}.py?" if Path(name + ".py").is_file() else ""
            raise ConfigurationError(f"no module {name!r} here (looked from {os.getcwd()}){hint}") from None
        raise ImportFailed(_own_traceback(error)) from None
    except BaseException as error:  # also a sys.exit() in the module
        raise ImportFailed(_own_traceback(error)) from None


def _own_traceback(error: BaseException) -> str:
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename.startswith(("<frozen importlib", __file__)):
        tb = tb.tb_next
    while tb is not None and tb.tb_frame.f_globals.get("__name__", "").startswith(("importlib", "doshit.worker")):
        tb = tb.tb_next
    return "".join(traceback.format_exception(type(error), error, tb))


def _named(module: ModuleType, name: str, target: str) -> Doshit:
    app = getattr(module, name, None)
    if not isinstance(app, Doshit):
        found = sorted(key for key, value in vars(module).items() if isinstance(value, Doshit))
        near = f"; it has {', '.join(found)}" if found else ""
        raise ConfigurationError(f"{target}: {name} is no Doshit app in {module.__name__}{near}")
    return app


def _only(module: ModuleType, target: str) -> Doshit:
    apps = {id(value): value for value in vars(module).values() if isinstance(value, Doshit)}
    default = default_app
    if default.registry:
        apps.setdefault(id(default), default)
    serving = [app for app in apps.values() if app.registry]
    if len(serving) > 1:
        names = sorted(key for key, value in vars(module).items() if isinstance(value, Doshit))
        listed, first = ", ".join(names) or "and the default one", (names or ["app"])[0]
        raise ConfigurationError(f"{target} has several apps ({listed}); name one: {target}:{first}")
    return serving[0] if serving else default
