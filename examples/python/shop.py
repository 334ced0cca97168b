"""Functions that examples/node/call-python.js calls. Serve them with `doshit worker shop.py`."""

from dataclasses import dataclass
from typing import Literal

from doshit import task


@dataclass
class Line:
    item: str
    count: int = 1


@task
def price(lines: list[Line], currency: Literal["EUR", "USD"] = "EUR") -> float:
    """What an order costs."""
    return 9.5 * sum(line.count for line in lines)
