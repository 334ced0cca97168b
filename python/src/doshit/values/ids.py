"""Ids of tasks: uuid7 as text, sortable by time (RFC 9562, section 5.7). The clock and the randomness are handed in."""

from __future__ import annotations


def uuid7(milliseconds: int, random_74_bits: int) -> str:
    """The id of a moment: milliseconds since 1970 and 74 random bits, as 36 characters."""
    high = random_74_bits >> 62 & 0xFFF
    low = random_74_bits & 0x3FFF_FFFF_FFFF_FFFF
    text = f"{milliseconds & 0xFFFF_FFFF_FFFF:012x}7{high:03x}{low | 1 << 63:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
