"""What reaches a terminal: nothing that could act on it, and readable all the same."""

import json

import pytest

from doshit.cli.text import as_json, duration, many_lines, one_line, shortened, table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("żółć 日本 🙂", "żółć 日本 🙂"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\rc\td", "a\\nb\\rc\\td"),
        ("\x9b31m", "\\x9b31m"),
        ("abc\u202egnp.exe", "abc\\u202egnp.exe"),
        ("\udcff", "\\udcff"),
        ("\x7f\x00", "\\x7f\\x00"),
    ],
)
def test_a_line_shows_what_could_act_on_a_terminal_in_escaped_form(text, shown):
    assert one_line(text) == shown


def test_a_traceback_keeps_its_lines_and_nothing_else_that_acts():
    assert many_lines('File "x"\r\n\traise\x1b[0m') == 'File "x"\n    raise\\x1b[0m'


@pytest.mark.parametrize(
    "value", ["\x1b[2J", "\u202e", "\udcff", "\U000e0001", "a\nb", {"\x9b": ["ü", 1]}, None, 0, False]
)
def test_json_for_a_terminal_is_still_the_same_json(value):
    shown = as_json(value)
    assert shown.isprintable()
    assert json.loads(shown) == value


def test_json_for_a_person_keeps_letters_as_they_are():
    assert as_json({"name": "Zoë"}) == '{"name": "Zoë"}'


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "-"), (-3, "0 ms"), (0.004, "4 ms"), (0.9994, "999 ms"), (0.9996, "1.0 s"), (9.94, "9.9 s"),
        (9.96, "10 s"),
        (90, "90 s"), (150, "2 min"), (3 * 3600, "3 h"), (72 * 3600, "3 d"),
    ],
)  # fmt: skip
def test_a_duration_is_told_in_the_unit_a_person_would_use(seconds, words):
    assert duration(seconds) == words


def test_a_table_is_as_wide_as_its_cells_and_numbers_stand_to_the_right():
    assert table(("queue", "n"), [("a", 5), ("longer", 120)]) == ["queue     n", "a         5", "longer  120"]


def test_what_is_left_out_is_said():
    assert shortened("abcdef", 3) == "abc... (6 characters, --json shows all)"
    assert shortened("abc", 3) == "abc"
