"""Who is told what: the bookkeeping that threads and loops share."""

import pytest

from doshit.client.board import UNHEARD, Board, Ticket
from doshit.values.keys import Keys


class Rung(Ticket):
    __slots__ = ("rings",)

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self.rings = 0

    def ring(self) -> None:
        self.rings += 1


@pytest.fixture
def board() -> Board[Rung]:
    return Board(Keys("app"))


def message(key: bytes) -> tuple[bytes, bytes, bytes]:
    return b"message", b"app:results", key


SUBSCRIBED = (b"subscribe", b"app:results", 2)


def test_a_message_rings_for_all_who_wait_for_that_task_and_for_no_other(board):
    mine, too, other = Rung(b"app:task:1"), Rung(b"app:task:1"), Rung(b"app:task:2")
    for ticket in (mine, too, other):
        board.enter(ticket, board.epoch)
    board.hear(message(b"app:task:1"))
    assert [(ticket.due, ticket.rings) for ticket in (mine, too, other)] == [(True, 1), (True, 1), (False, 0)]


def test_nothing_is_due_at_once_only_if_nothing_was_heard_since_the_invitation(board):
    invited = board.invite()
    calm = Rung(b"app:task:1")
    board.enter(calm, invited)
    assert not calm.due
    board.hear(message(b"app:task:9"))
    late = Rung(b"app:task:2")
    board.enter(late, invited)
    assert late.due


def test_a_gap_makes_everybody_due_and_old_invitations_void(board):
    invited = board.invite()
    waiting = Rung(b"app:task:1")
    board.enter(waiting, invited)
    board.gap()
    assert (waiting.due, waiting.rings) == (True, 1)
    late = Rung(b"app:task:2")
    board.enter(late, invited)
    assert late.due


def test_the_channel_of_all_is_asked_for_by_the_first_and_left_by_the_last(board):
    first, second = Rung(b"app:task:1"), Rung(b"app:task:2")
    assert board.enter(first, None) is True
    assert board.enter(second, None) is False
    assert board.leave(first) is False
    assert board.leave(second) is True
    assert board.enter(first, None) is True


def test_what_ended_before_the_subscription_stood_is_looked_at_when_it_does(board):
    early = Rung(b"app:task:1")
    board.enter(early, None)
    assert not early.due
    board.hear(SUBSCRIBED)
    assert (early.due, early.rings) == (True, 1)


def test_who_comes_while_the_channel_of_all_is_heard_looks_at_once(board):
    board.enter(Rung(b"app:task:1"), None)
    board.hear(SUBSCRIBED)
    later = Rung(b"app:task:2")
    board.enter(later, None)
    assert later.due


def test_a_confirmation_that_comes_after_everybody_has_left_counts_for_nobody(board):
    gone = Rung(b"app:task:1")
    board.enter(gone, None)
    board.leave(gone)
    board.hear(SUBSCRIBED)
    later = Rung(b"app:task:2")
    assert board.enter(later, None) is True
    assert not later.due


def test_tasks_that_nobody_waits_for_are_invited_a_thousand_times(board):
    assert [board.invite() for _ in range(UNHEARD + 1)] == [0] * UNHEARD + [None]
    board.attend()
    assert board.invite() == 0
