"""name=value and --args become one object, or a usage error that names what is wrong."""

import pytest

from doshit.cli.arguments import read_arguments
from doshit.cli.parser import UsageError


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("x=1", 1), ("x=-5", -5), ("x=1.5", 1.5), ("x=true", True), ("x=null", None), ('x=["a"]', ["a"]),
        ('x={"k": 1}', {"k": 1}),
        ('x="5"', "5"), ("x=hello", "hello"), ("x=", ""), ("x=a=b", "a=b"), ("x=007", "007"), ("x=NaN", "NaN"),
        ("x=True", "True"),
        ("x=[1", "[1"), ("x= 1 ", 1), ("x=123456789012345678901234567890", 123456789012345678901234567890),
    ],
)  # fmt: skip
def test_a_value_is_json_where_it_parses_as_json_else_text(assignment, value):
    read = read_arguments([assignment], None)
    assert read == {"x": value}
    assert type(read["x"]) is type(value)


def test_assignments_add_to_the_object_given_whole():
    assert read_arguments(["b=2"], '{"a": 1}') == {"a": 1, "b": 2}


def test_nothing_given_is_an_empty_object():
    assert read_arguments([], None) == {}


@pytest.mark.parametrize(
    ("assignments", "whole", "named"),
    [
        (["a=1", "a=2"], None, "'a' is given twice"),
        (["a=1"], '{"a": 1}', "'a' is given twice"),
        (["hello"], None, "'hello': write name=value"),
        (["=1"], None, "'=1': write name=value"),
        ([], "[1]", "--args: expected a JSON object"),
        ([], "{", "--args"),
        ([], '{"a": NaN}', "--args"),
    ],
)
def test_what_cannot_be_read_is_a_usage_error_that_names_it(assignments, whole, named):
    with pytest.raises(UsageError, match=named.replace("(", r"\(")):
        read_arguments(assignments, whole)
