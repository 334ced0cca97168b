"""Sizes as people write them."""

import pytest

from doshit.values.sizes import size_of


@pytest.mark.parametrize(
    ("written", "size"),
    [
        (0, 0),
        (4096, 4096),
        ("4096", 4096),
        ("1B", 1),
        ("64KiB", 65536),
        ("1 MiB", 1 << 20),
        ("200MB", 200_000_000),
        ("200mb", 200_000_000),
        ("1.5GB", 1_500_000_000),
        (" 2GiB ", 2 << 30),
        (10**15 - 1, 10**15 - 1),
    ],
)
def test_a_size_is_bytes_or_text_with_a_unit(written, size):
    assert size_of(written) == size


@pytest.mark.parametrize(
    "written", [-1, "-1", "", "MB", "1K", "1TB", "1e3", "٣", "nan", 1.5, None, True, 10**15, "999999999GB", [1]]
)
def test_what_is_no_size_is_refused(written):
    with pytest.raises(ValueError, match="no size"):
        size_of(written)
