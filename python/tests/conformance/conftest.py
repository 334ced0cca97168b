"""Tells which case of protocol/conformance a test runs, so that those that pass can be counted."""

from collections.abc import Callable

import pytest


@pytest.fixture(autouse=True)
def _told(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    if "name" in request.fixturenames:
        folder = request.path.stem.removeprefix("test_")
        record_property("case", (folder, request.getfixturevalue("name")))
