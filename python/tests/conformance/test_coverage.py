"""Holds that every edge and every printed command of the protocol has a case."""

from conformance.vectors import cases, read


def test_every_edge_and_every_printed_command_is_a_case() -> None:
    found = [case for folder in ("values", "commands", "stories") for case in cases(folder).values()]
    covered = {case["covers"] for case in found if "covers" in case}
    assert covered == set(read("rows.json")["rows"])
