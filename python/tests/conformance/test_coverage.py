"""Holds that every edge and every printed command of the protocol has a case, and says how many cases there are."""

from conformance.vectors import cases, read


def test_every_edge_and_every_printed_command_is_a_case(record_property) -> None:
    folders = {folder: cases(folder) for folder in ("values", "commands", "stories")}
    covered = {case["covers"] for found in folders.values() for case in found.values() if "covers" in case}
    assert covered == set(read("rows.json")["rows"])
    counts = {folder: len(found) for folder, found in folders.items()}
    listed = ", ".join(f"{count} {folder}" for folder, count in counts.items())
    record_property("summary", f"conformance: {sum(counts.values())} cases, {listed}")
    assert sum(counts.values()) >= 80
