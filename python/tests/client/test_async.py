"""The async twin: the same promises in an event loop."""

import asyncio
import inspect

import pytest

from doshit import BadArguments, Doshit, Handle, IdConflict, Task, TaskFailed, TaskVanished, WaitTimeout
from doshit.client import ending


def run(main):
    return asyncio.run(main)


@pytest.fixture
def app(redis_url, prefix):
    return Doshit(redis_url, prefix=prefix)  # closed by each test, in its loop


@pytest.mark.parametrize("kind", [Doshit, Task, Handle])
def test_every_call_that_talks_to_redis_has_a_twin(kind):
    blocking = {
        Doshit: {"enqueue", "enqueue_many", "close", "cancel_queue", "cancel_function", "retry_failed", "drop_failed"},
        Task: {"enqueue", "enqueue_many"},
        Handle: {"result", "state", "info", "cancel", "retry", "progress", "output"},
    }
    for name in blocking[kind]:
        twin = getattr(kind, f"a{name}")
        assert inspect.iscoroutinefunction(twin)
        assert list(inspect.signature(twin).parameters) == list(inspect.signature(getattr(kind, name)).parameters)


def test_every_part_of_an_operator_works_in_a_loop(app, plain, prefix):
    async def main():
        async with app:
            handle = await app.aenqueue("any", id="one", delay=100)
            plain.hset(f"{prefix}:task:one", "progress", '{"fraction":0.5,"text":""}')
            assert (await handle.aprogress()).fraction == 0.5
            assert await handle.aoutput() == []
            assert await handle.acancel() == "cancelled"
            assert await handle.aretry() is True
            for id in ("two", "three"):
                failed = {"state": "finished", "result": "failed", "function": "any", "error-code": "exited"}
                plain.hset(f"{prefix}:task:{id}", mapping=failed)
                plain.zadd(f"{prefix}:default:failed", {id: 1})
            assert {task.id async for task in app.afailed()} == {"two", "three"}
            assert [task.id async for task in app.afailed(limit=1)] != []
            assert await app.aretry_failed(code="exited") == 2
            assert await app.adrop_failed() == 0
            await app.acancel_queue("mail")
            await app.acancel_function("any")

    run(main())
    assert set(plain.hkeys(f"{prefix}:cutoffs")) == {b"queue:mail", b"function:any"}


def test_enqueue_and_result_in_a_loop(app, foreign):
    @app.task
    def add(a: int, b: int = 2) -> int:
        raise NotImplementedError

    async def main():
        async with app:
            with pytest.raises(BadArguments):
                await add.aenqueue("x")
            handle = await add.aenqueue(1, b=3)
            assert await handle.astate() == "pending"
            assert (await handle.ainfo()).args == {"a": 1, "b": 3}
            foreign.succeed(handle.id, 4)
            return await handle.aresult(90)

    assert run(main()) == 4


def test_many_and_by_name_in_a_loop(app, plain, prefix):
    async def main():
        async with app:
            handles = await app.aenqueue_many(app.job("any", {"at": at}) for at in range(1201))
            assert plain.llen(f"{prefix}:default:pending") == 1201
            await app.aenqueue("any", {"a": 1}, id="order-7")
            with pytest.raises(IdConflict):
                await app.aenqueue("any", {"a": 2}, id="order-7")
            return handles

    assert len(run(main())) == 1201


def test_what_a_wait_can_raise_in_a_loop(app, foreign, plain, monkeypatch):
    monkeypatch.setattr(ending, "NEVER_SEEN", 0.05)

    async def main():
        async with app:
            handle = await app.aenqueue("any")
            with pytest.raises(WaitTimeout):
                await handle.aresult(0)
            with pytest.raises(WaitTimeout):
                await handle.aresult(0.05)
            foreign.fail(handle.id, error_code="exception", error_reason="no")
            with pytest.raises(TaskFailed, match="no"):
                await handle.aresult(90)
            plain.flushdb()
            with pytest.raises(TaskVanished):
                await handle.aresult(90)
            with pytest.raises(TaskVanished):
                await app.handle("never").aresult()

    run(main())


async def until_listened_to(plain, pattern):
    while not plain.pubsub_channels(pattern):
        await asyncio.sleep(0)


def test_many_coroutines_wait_on_one_connection(app, foreign, plain, prefix, aside):
    worker = aside(lambda: foreign.serve("default", lambda task: task["args"]))

    async def work(number):
        return [await (await app.aenqueue("any", {"n": number, "at": at})).aresult(90) for at in range(20)]

    async def main():
        async with app:
            done = await asyncio.gather(*(work(number) for number in range(16)))
            subscribers = [client for client in plain.client_list() if int(client["sub"])]
            await app.aenqueue("stop")
            return done, len(subscribers)

    done, subscribers = run(main())
    worker.join()
    assert done == [[f'{{"n":{number},"at":{at}}}' for at in range(20)] for number in range(16)]
    assert subscribers == 1


def test_who_has_waited_once_hears_on_a_channel_of_its_own(app, foreign, plain, prefix):
    async def main():
        async with app:
            with pytest.raises(WaitTimeout):
                await (await app.aenqueue("any")).aresult(0.05)
            handle = await app.aenqueue("any")
            assert foreign.hash(handle.id)["reply-to"].startswith(f"{prefix}:reply:")
            waiting = asyncio.create_task(handle.aresult(90))
            await asyncio.sleep(0)
            foreign.succeed(handle.id, 7)
            assert await waiting == 7
            while plain.pubsub_channels(f"{prefix}:results"):
                await asyncio.sleep(0)

    run(main())


def test_a_cancelled_wait_harms_no_other(app, foreign, plain, prefix):
    async def main():
        async with app:
            first, second = await app.aenqueue("any"), await app.aenqueue("any")
            cancelled, kept = asyncio.create_task(first.aresult(90)), asyncio.create_task(second.aresult(90))
            await until_listened_to(plain, f"{prefix}:results")
            cancelled.cancel()
            foreign.succeed(second.id, 2)
            assert await kept == 2
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            foreign.succeed(first.id, 1)
            assert await first.aresult(90) == 1

    run(main())


def test_a_cut_connection_while_waiting_is_mended_in_a_loop(redis_url, prefix, start_proxy, foreign, plain):
    proxy = start_proxy(redis_url)

    async def main():
        async with Doshit(proxy.url, prefix=prefix) as app:
            handle = await app.aenqueue("any")
            waiting = asyncio.create_task(handle.aresult(90))
            await until_listened_to(plain, f"{prefix}:results")
            foreign.write(handle.id, result="successful", result_value="7")
            proxy.cut()
            return await waiting

    assert run(main()) == 7


def test_a_lost_reply_submits_the_task_once_in_a_loop(redis_url, prefix, start_proxy, plain):
    proxy = start_proxy(redis_url, drop_every=3)

    async def main():
        async with Doshit(proxy.url, prefix=prefix) as app:
            return {(await app.aenqueue("any", {"at": at})).id for at in range(20)}

    ids = run(main())
    assert proxy.dropped >= 6
    assert sorted(id.decode() for id in plain.lrange(f"{prefix}:default:pending", 0, -1)) == sorted(ids)


def test_one_app_serves_several_loops_one_after_the_other(app, foreign):
    async def main(value):
        handle = await app.aenqueue("any")
        foreign.succeed(handle.id, value)
        try:
            return await handle.aresult(90)
        finally:
            await app.aclose()

    assert [run(main(value)) for value in range(3)] == [0, 1, 2]


def test_a_handle_made_in_a_loop_may_be_asked_outside_it(app, foreign):
    async def main():
        async with app:
            return await app.aenqueue("any")

    handle = run(main())
    foreign.succeed(handle.id, 7)
    with app:
        assert handle.result(90) == 7


def test_async_tasks_give_their_result_not_a_coroutine(app, foreign):
    @app.task
    async def fetch(url: str) -> list[int]:
        raise NotImplementedError

    async def main():
        async with app:
            handle = await fetch.aenqueue("x")
            foreign.succeed(handle.id, [1])
            return await handle.aresult(90)

    assert run(main()) == [1]
