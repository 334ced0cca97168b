"""The words, keys and numbers of this package and of the scripts are those of protocol/tables. Needs no server."""

import hashlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

import doshit
from doshit.commands.scripts import NAMES, SCRIPTS
from doshit.values import names, states
from doshit.values.keys import Keys

SHARED = Path(__file__).parents[2] / "protocol"
COPY = Path(doshit.__file__).parent / "_protocol"
HYPHENATED = re.compile(r"'([a-z]+(?:-[a-z]+)+)'")


def table(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((SHARED / "tables" / f"{name}.json").read_text())
    return content


def script(name: str) -> str:
    return (SHARED / "lua" / f"{name}.lua").read_text()


SCRIPT_FILES = sorted(path.stem for path in (SHARED / "lua").glob("*.lua"))
PART_FILES = sorted(f"parts/{path.stem}" for path in (SHARED / "lua" / "parts").glob("*.lua"))
LUA_FILES = SCRIPT_FILES + PART_FILES
ALL_FIELDS = {field["name"]: field for hash in table("fields")["hashes"] for field in hash["fields"]}


def files(folder: Path) -> dict[str, bytes]:
    found = (path for shared in ("lua", "tables") for path in (folder / shared).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_the_packages_copy_is_the_protocol_byte_for_byte():
    assert files(COPY) == files(SHARED), "change protocol/, then run `make sync`"


@pytest.mark.parametrize("path", sorted((SHARED / "tables").glob("*.json")), ids=lambda path: path.name)
def test_each_table_says_what_it_is(path):
    content = json.loads(path.read_text())

    assert content["description"].endswith(".")
    for rows in (value for value in content.values() if isinstance(value, list)):
        assert all(row["description"].endswith(".") for row in rows)


def test_the_states_results_and_version_are_those_of_the_table():
    words = table("states")

    assert words["version"] == states.PROTOCOL_VERSION
    assert [row["name"] for row in words["states"]] == list(states.State)
    assert [row["name"] for row in words["results"]] == list(states.Result)


def test_the_error_codes_are_those_of_the_table():
    assert [row["code"] for row in table("errors")["codes"]] == list(states.ErrorCode)


def test_the_rules_for_names_are_those_of_the_table():
    rules = table("names")

    assert rules["queue"]["pattern"] == names._QUEUE.pattern
    assert rules["prefix"]["pattern"] == names._PREFIX.pattern
    assert rules["id"]["bytes_max"] == names.ID_BYTES
    assert set(rules["queue"]["reserved"]) == names.RESERVED_QUEUES


def test_no_queue_can_take_the_place_of_another_key():
    seconds = {row["pattern"].split(":")[1] for row in table("keys")["keys"]}

    assert {part for part in seconds if "{" not in part} <= names.RESERVED_QUEUES


def spelled(keys: Keys, name: str) -> str:
    """What Keys makes of one name, each argument replaced by its own name in braces."""
    made = getattr(keys, name)
    if callable(made):
        made = made(*(f"{{{parameter}}}" for parameter in inspect.signature(made).parameters))
    return str(made)


def test_every_key_that_the_package_spells_is_in_the_table_under_its_name():
    patterns = {row["name"]: row["pattern"].replace("{app}", "some-app") for row in table("keys")["keys"]}
    spoken = [name for name in dir(Keys) if not name.startswith("_") and name not in ("app", "prefix")]

    assert {name: spelled(Keys("some-app"), name) for name in spoken} == {name: patterns.get(name) for name in spoken}


def test_every_key_that_a_script_spells_is_in_the_table():
    patterns = [row["pattern"].removeprefix("{app}:") for row in table("keys")["keys"]]
    heads = {re.split(r"(?<=:)\{", pattern)[0] for pattern in patterns if not pattern.startswith("{queue}")}
    tails = {
        re.sub(r"\{.*", "", pattern.removeprefix("{queue}")) for pattern in patterns if pattern.startswith("{queue}")
    }
    text = "".join(script(name) for name in LUA_FILES)

    found_heads = set(re.findall(r"\bapp \.\. '([^']+)'", text))
    found_tails = set(re.findall(r"\bapp \.\. [a-z_]+(?:\[i\])? \.\. '([^']+)'", text))

    assert {"task:", "held:"} <= found_heads <= heads
    assert {":pending", ":parked:"} <= found_tails <= tails


def test_every_hyphenated_word_of_a_script_is_a_word_of_the_protocol():
    replies = {word for row in table("transitions")["transitions"] for word in row["replies"]}
    known = ALL_FIELDS.keys() | replies | set(states.ErrorCode)

    assert {word for name in LUA_FILES for word in HYPHENATED.findall(script(name))} <= known


def test_each_transition_has_its_script_and_each_script_its_transition():
    named = [row["name"] for row in table("transitions")["transitions"]]

    assert sorted(named) == sorted(NAMES) == SCRIPT_FILES


def test_every_lua_file_is_a_script_or_a_part():
    found = {path.relative_to(SHARED / "lua").as_posix() for path in (SHARED / "lua").rglob("*") if path.is_file()}

    assert found == {f"{name}.lua" for name in LUA_FILES}


def parts_of(name: str) -> list[str]:
    """The files of the parts that a script is sent behind, in their order."""
    lines = re.findall(r"^-- Parts: (.+)$", script(name), re.MULTILINE)
    return [f"parts/{part}" for line in lines for part in line.split()]


def code(name: str) -> str:
    return re.sub(r"'[^'\n]*'|--.*", "", script(name))


def defined(part: str) -> set[str]:
    """The names that a part gives to what is sent behind it."""
    lists = re.findall(r"^local (?:function )?([a-zA-Z_]\w*(?:, \w+)*)", script(part), re.MULTILINE)
    return {name for names in lists for name in names.split(", ")}


def needed(name: str) -> set[str]:
    """The parts that define a name which this file uses."""
    words = set(re.findall(r"(?<![.\w])[a-zA-Z_]\w*", code(name)))
    return {part for part in PART_FILES if part != name and defined(part) & words}


@pytest.mark.parametrize("name", SCRIPT_FILES)
def test_a_script_is_sent_behind_the_parts_that_it_needs_in_order_and_no_other(name):
    parts = parts_of(name)
    needs = [needed(part) for part in parts]

    assert all(need <= set(parts[:at]) for at, need in enumerate(needs))
    assert set().union(needed(name), *needs) == set(parts)
    assert len(parts) == len(set(parts))


def test_every_part_is_sent_with_some_script():
    assert {part for name in SCRIPT_FILES for part in parts_of(name)} == set(PART_FILES)


@pytest.mark.parametrize("name", SCRIPT_FILES)
def test_the_package_sends_each_part_behind_the_line_that_names_it(name):
    def behind(line: re.Match[str]) -> str:
        return line[0] + "".join(script(f"parts/{part}") for part in line[1].split())

    sent = re.sub(r"^-- Parts: (.+)\n", behind, script(name), flags=re.MULTILINE).encode()

    assert SCRIPTS[name].source == sent
    assert SCRIPTS[name].sha == hashlib.sha1(sent).hexdigest().encode()


@pytest.mark.parametrize("row", table("transitions")["transitions"], ids=lambda row: row["name"])
def test_the_header_of_a_script_names_the_replies_of_the_table(row):
    header = script(row["name"]).partition("-- Replies:")[2].partition("-- Promise:")[0]

    assert set(re.findall(r'"([a-z-]+)"', header)) == set(row["replies"])


def test_the_default_numbers_are_those_of_the_package():
    def constant(row: dict[str, Any]) -> str:
        return str(row["name"]).upper().replace("-", "_") + ("_MS" if row["unit"] == "ms" else "")

    rows = table("limits")["defaults"]
    public = {name for name in vars(states) if name.isupper() and name != "PROTOCOL_VERSION"}

    assert {constant(row): row["value"] for row in rows} == {name: getattr(states, name) for name in public}


def test_the_numbers_of_the_scripts_are_those_of_the_table():
    found = {
        (name, constant): int(value)
        for name in LUA_FILES
        for constant, value in re.findall(r"^local ([A-Z_]+) = (\d+)\b", script(name), re.MULTILINE)
    }

    assert found == {(row["script"], row["name"]): row["value"] for row in table("limits")["scripts"]}


def test_the_fields_have_a_known_form():
    assert {field["form"] for field in ALL_FIELDS.values()} == table("fields")["forms"].keys()


def test_the_writers_of_a_field_are_producers_workers_and_transitions():
    known = {"producer", "worker"} | set(NAMES)

    assert all(set(field["writers"]) <= known for field in ALL_FIELDS.values())


def test_the_spec_speaks_of_every_key_field_code_and_transition():
    spec = (SHARED / "README.md").read_text()
    codes = [row["code"] for row in table("errors")["codes"]]
    patterns = [row["pattern"] for row in table("keys")["keys"]]
    headings = re.findall(r"^### (\w+)", spec, re.MULTILINE)

    missing = [word for word in (*ALL_FIELDS, *codes, *patterns) if f"`{word}`" not in spec]

    assert not missing
    assert {row["name"] for row in table("transitions")["transitions"]} <= set(headings)
