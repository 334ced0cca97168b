"""Decorating functions: what stays as it was, what is refused, what is registered."""

import inspect
from typing import Any

import pytest

from doshit import BadArguments, BadTask, ConfigurationError, Doshit, Task


@pytest.fixture
def app() -> Doshit:
    return Doshit("redis://nobody.invalid")  # never connected to


def test_a_task_is_still_the_plain_call(app):
    @app.task
    def add(a: int, b: int = 2) -> int:
        """Adds."""
        return a + b

    assert add(1) == 3
    assert add(1, b=5) == 6
    assert (add.__name__, add.__doc__, add.__wrapped__) == ("add", "Adds.", add.function)
    assert list(inspect.signature(add).parameters) == ["a", "b"]


def test_a_task_is_known_by_its_functions_name_or_by_a_given_one(app):
    @app.task
    def add(): ...

    @app.task(name="math.add", queue="math")
    def add2(): ...

    assert app.registry == {"add": add, "math.add": add2}
    assert (add.name, add.queue, add2.name, add2.queue) == ("add", "", "math.add", "math")


def test_async_functions_are_tasks_and_known_as_such(app):
    @app.task
    async def fetch(url: str) -> bytes:
        return url.encode()

    @app.task
    def add(): ...

    call = fetch("x")
    assert inspect.iscoroutine(call)
    call.close()
    assert fetch.is_async
    assert not add.is_async


def test_two_tasks_of_one_name_are_refused_with_both_places(app):
    def make(line):
        namespace: dict[str, Any] = {}
        exec(compile("\n" * line + "def add(): ...", f"/code/{line}.py", "exec"), namespace)
        return namespace["add"]

    app.task(make(3))
    with pytest.raises(BadTask, match=r"'add', at /code/3.py:4 and at /code/7.py:8; give one of them another name"):
        app.task(make(7))
    assert isinstance(app.registry["add"], Task)


def test_a_module_that_is_imported_again_may_register_its_tasks_again(app):
    code = compile("def add(): ...", "/code/tasks.py", "exec")
    for _ in range(2):
        namespace: dict[str, Any] = {}
        exec(code, namespace)
        task = app.task(namespace["add"])
    assert app.registry["add"] is task


def test_what_cannot_be_a_task_is_refused_at_decoration(app):
    with pytest.raises(BadTask, match=r"\*numbers"):

        @app.task
        def total(*numbers: int): ...

    with pytest.raises(BadTask, match="positional-only"):

        @app.task
        def half(a, /): ...

    with pytest.raises(ConfigurationError, match="queue name 'no queue'"):

        @app.task(queue="no queue")
        def add(): ...

    assert app.registry == {}


def test_a_bad_call_names_the_function_and_the_parameter(app):
    @app.task
    def add(a: int, b: int = 2) -> int:
        raise NotImplementedError

    for call, parameter in [
        (lambda: add.job("one"), "a"),
        (lambda: add.job(), "a"),
        (lambda: add.job(1, c=3), "c"),
        (lambda: app.job("add", {"a": 1, "b": None}), "b"),
    ]:
        with pytest.raises(BadArguments) as refused:
            call()
        assert (refused.value.function, refused.value.parameter) == ("add", parameter)


def test_arguments_by_name_must_be_a_json_object(app):
    with pytest.raises(BadArguments, match="expected one member per parameter, by name"):
        app.job("elsewhere", [1, 2])
    with pytest.raises(BadArguments, match=r"elsewhere: args\.x: NaN"):
        app.job("elsewhere", {"x": float("nan")})
    with pytest.raises(BadArguments, match="__proto__"):
        app.job("elsewhere", {"x": {"__proto__": 1}})
    with pytest.raises(BadArguments, match="give the name of a function"):
        app.job("", {})
    assert app.job("elsewhere").args == b"{}"


def test_child_start_hooks_are_kept_in_order_and_stay_functions(app):
    @app.on_child_start
    def connect(): ...

    @app.on_child_start
    def warm(): ...

    assert app.child_start_hooks == [connect, warm]


def test_settings_come_from_the_environment_at_first_use(monkeypatch):
    app = Doshit()
    monkeypatch.setenv("REDIS_URL", "redis://second")
    monkeypatch.setenv("DOSHIT_APP_PREFIX", "shop")
    monkeypatch.setenv("DOSHIT_QUEUE", "mails")
    assert (app.url, app.prefix, app.queue) == ("redis://second", "shop", "mails")
    monkeypatch.setenv("DOSHIT_REDIS", "redis://first")
    assert app.url == "redis://second"
    assert Doshit().url == "redis://first"
    given = Doshit("redis://given", prefix="p", queue="q")
    assert (given.url, given.prefix, given.queue) == ("redis://given", "p", "q")


def test_without_any_setting_there_are_defaults():
    app = Doshit()
    assert (app.url, app.prefix, app.queue) == ("redis://localhost:6379/0", "doshit", "default")


def test_names_that_cannot_be_are_refused_at_once():
    with pytest.raises(ConfigurationError, match="prefix"):
        Doshit(prefix="a b")
    with pytest.raises(ConfigurationError, match="queue"):
        Doshit(queue="task")
