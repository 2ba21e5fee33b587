"""JSON and YAML mean the same here: what a JSON reader would make of it, or a clear error."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness import documents, groups
from harness.errors import InvalidInputError, Problem
from harness.sources import Source
from tests.samples import WALKTHROUGH
from tests.unit.test_groups import flavor, group

if TYPE_CHECKING:
    from pathlib import Path


def read(text: str) -> Any:  # noqa: ANN401 - YAML can be anything
    problems: list[Problem] = []
    document = documents.parse(Source("a.yaml", text, is_yaml=True, folder=None), problems)
    assert problems == []
    return document


def refused(text: str) -> str:
    with pytest.raises(InvalidInputError) as caught:
        read(text)
    (problem,) = caught.value.problems
    return f"{problem.path}: {problem.message}"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("True", "True"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("", None),
        ("~", "~"),
        ("12", 12),
        ("-0", 0),
        ("1e3", 1000.0),
        ("1.5", 1.5),
        ("'12'", "12"),
        ('"true"', "true"),
        ("010", "010"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2001-12-14", "2001-12-14"),
        (".inf", ".inf"),
        ("192.168.2.200", "192.168.2.200"),
        ("=", "="),
    ],
)
def test_a_word_is_what_a_json_reader_expects(text: str, meant: object) -> None:
    found = read(f"key: {text}")["key"]
    assert (found, type(found)) == (meant, type(meant))


def test_keys_are_words() -> None:
    assert read("{no: 1, 2: a, <<: b, null: c}") == {"no": 1, "2": "a", "<<": "b", "null": "c"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: b\n c: d", "line 2 column 3: not valid YAML: mapping values are not allowed here"),
        ("a: &x 1", "line 1 column 4: not valid YAML: anchors and aliases are not taken here"),
        ("a: *x", "line 1 column 4: not valid YAML: anchors and aliases are not taken here"),
        ("a: !!python/name:os.system ''", "the tag `tag:yaml.org,2002:python/name:os.system`"),
        ("? [a]\n: b", "line 1 column 3: not valid YAML: a key must be a word"),
        ("a: 1\n---\nb: 2", "line 2 column 1: not valid YAML: but found another document"),
        ("a: \x00", "$: not valid YAML: unacceptable character"),
        ("a: " + "9" * 5000, "$: not valid YAML: Exceeds the limit"),
        ("# nothing", "$: not valid YAML: there is nothing in it"),
        ("[" * 2000 + "]" * 2000, "$: nested too deeply to be a group"),
        (r'a: "\ud800"', "$: half a character"),
        ("a: [1, 2", "line 1 column 9: not valid YAML"),
    ],
)
def test_what_is_not_json_in_yaml_clothes_is_refused_with_its_line(text: str, said: str) -> None:
    assert said in refused(text)


def test_a_key_that_is_said_twice_is_told_with_its_place() -> None:
    problems: list[Problem] = []
    text = "a:\n  - b: 1\n    b: 2\n"
    documents.parse(Source("a.yaml", text, is_yaml=True, folder=None), problems)
    assert [str(one) for one in problems] == [
        "a.yaml: $.a[0].b: key `b` is given more than once",
    ]


def test_a_yaml_word_where_json_wants_a_boolean_is_a_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "group.yaml"
    document = yaml.safe_dump(group(flavor(SkipManagerValidation="XX")))
    file.write_text(document.replace("XX", "no"))
    with pytest.raises(InvalidInputError, match='should be true or false, not "no"'):
        groups.load([file])


def test_the_walkthrough_in_yaml_is_the_walkthrough(tmp_path: Path) -> None:
    (tmp_path / "groups").mkdir()
    (tmp_path / "scripts").symlink_to(WALKTHROUGH[0].parents[1] / "scripts")
    files = []
    for path in WALKTHROUGH:
        files.append(tmp_path / "groups" / f"{path.stem}.yml")
        files[-1].write_text(yaml.safe_dump(json.loads(path.read_text())))
    for ours, theirs in zip(groups.load(files), groups.load(WALKTHROUGH), strict=True):
        assert (ours.id, ours.flavor, ours.allocation) == (
            theirs.id,
            theirs.flavor,
            theirs.allocation,
        )


def test_many_keys_are_no_trouble() -> None:
    keys = {f"key{number}": number for number in range(20_000)}
    problems: list[Problem] = []
    source = Source("a.json", json.dumps(keys), is_yaml=False, folder=None)
    began = time.process_time()
    assert documents.parse(source, problems) == keys
    assert time.process_time() - began < 2  # 0.02 s; 5 s if each key were compared with each


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


@given(document=st.dictionaries(st.text(max_size=4), JSON))
def test_json_read_as_yaml_is_the_same(document: dict[str, Any]) -> None:
    assert read(json.dumps(document)) == document
