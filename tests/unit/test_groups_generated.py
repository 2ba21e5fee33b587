"""Generated group files, right and broken: a plan, or a listed problem; never a traceback.

`tox -e generated` makes ten thousand; the default keeps the suite quick.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from harness import groups, plan, render
from harness.errors import InvalidInputError
from harness.sources import Source
from harness.spec import ClusterPlan, ProviderName
from tests.samples import BUNDLE, CONTAINER, ROOT, SECRETS

if TYPE_CHECKING:
    from collections.abc import Callable

WORDS = st.text(max_size=6) | st.sampled_from(
    ["192.168.2.200", "192.168.2.1", "10.0.0.0/8", "0.0.0.0/0", "lab", "no", "1e3", "../x", "", "*"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 66)
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=4)  # half characters too
    | WORDS
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)
ADD_ON = st.sampled_from(
    [
        {"Name": "lab", "Type": "network", "Path": ""},
        {"Name": "flannel", "Type": "network"},
        {"Name": "own", "Type": "visualise", "Path": "https://example.invalid/a.yaml"},
    ]
)
UPDATING = st.sampled_from(
    [{}, {"Count": 2}, {"Duration": "1m30s", "SkipBeforeInstanceDestroy": "drain"}]
)
LINES = st.lists(st.sampled_from(["echo hello", "true", ""]), max_size=2)


@st.composite
def right_group(draw: st.DrawFn, name: str, role: str) -> dict[str, Any]:
    """Draw a group that is right beside the others of `right_file`."""
    octet = draw(st.integers(100, 105))
    ids = [f"192.168.2.{octet + number}" for number in range(draw(st.integers(1, 3)))]
    if role == "manager":
        ids = ["192.168.2.200", *ids]
    told: dict[str, Any] = {"KubeJoinIP": "192.168.2.200", "KubeClusterID": "demo"}
    told |= draw(
        st.fixed_dictionaries(
            {},
            optional={
                "KubeAddOns": st.lists(ADD_ON, max_size=2),
                "SkipManagerValidation": st.booleans(),
                "Attachments": st.just({"*": [{"ID": "a", "Type": "t"}]}),
                "InitScriptTemplateURL": st.just(f"../scripts/{role}-init.sh"),
            },
        )
    )
    flavor: dict[str, Any] = {"Plugin": f"flavor-kubernetes/{role}", "Properties": told}
    if draw(st.booleans()):
        own = {"Plugin": "vanilla", "Properties": {"Init": draw(LINES), "Tags": {"a": "b"}}}
        flavor = {"Plugin": "combo", "Properties": {"Flavors": [own, flavor]}}
    by_size = role == "worker" and draw(st.booleans())
    properties = {
        "Allocation": {"Size": draw(st.integers(1, 3))} if by_size else {"LogicalIDs": ids},
        "Flavor": flavor,
        "Instance": {"Plugin": "vagrant", "Properties": {"CPUs": draw(st.integers(1, 64))}},
        "Updating": draw(UPDATING),
    }
    group = {"ID": name, "Properties": properties}
    return draw(st.sampled_from([group, {"Plugin": "group", "Properties": group}]))


@st.composite
def right_file(draw: st.DrawFn) -> list[Any]:
    """Draw a manager group, and perhaps a worker group that shares no address with it."""
    document = [draw(right_group("managers", "manager"))]
    if draw(st.booleans()):
        worker = draw(right_group("workers", "worker"))
        text = json.dumps(worker)
        for octet in range(107, 99, -1):
            text = text.replace(f"192.168.2.{octet}", f"192.168.2.{octet + 20}")
        document.append(json.loads(text))
    return document


def places(value: object) -> list[tuple[Any, Any]]:
    """Return every container and key in a document."""
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    else:
        return []
    return [place for key, inner in pairs for place in [(value, key), *places(inner)]]


@st.composite
def broken_file(draw: st.DrawFn) -> Any:  # noqa: ANN401 - JSON can be anything
    """Draw a right file and spoil it in one to three places."""
    document = copy.deepcopy(draw(right_file()))
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(places(document)))
        match draw(st.sampled_from(["remove", "replace", "rename", "repeat"])):
            case "remove" if isinstance(holder, dict):
                del holder[key]
            case "rename" if isinstance(holder, dict):
                holder[draw(WORDS)] = holder.pop(key)
            case "repeat" if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[key]))
            case _:
                holder[key] = draw(ANYTHING)
        if not places(document):
            break
    return document


def resolve(text: str, *, is_yaml: bool) -> ClusterPlan:
    source = Source("generated", text, is_yaml=is_yaml, folder=ROOT / "groups")
    decided = plan.resolve(
        groups.load(["generated"], read=lambda _name: source),
        provider=ProviderName.LXC,
        supply=BUNDLE,
        traits=CONTAINER,
        default_box="b",
    )
    # Every machine's script is rendered as another one's of its group and role is.
    for machine in {(one.group, one.role): one for one in decided.machines}.values():
        assert render.init_script(decided, machine, SECRETS).strip()
    return decided


def outcome(text: str, *, is_yaml: bool) -> str:
    """Return what came of it, in a word; whatever else happens is a traceback."""
    try:
        decided = resolve(text, is_yaml=is_yaml)
    except InvalidInputError as error:
        problems = error.problems
    else:
        assert decided.machines
        return "plan"
    assert problems
    assert all(problem.message for problem in problems)
    assert all(problem.path.startswith(("$", "line ")) for problem in problems)
    assert all(str(problem).encode() for problem in problems)
    return "problems"


WRITERS: list[Callable[[Any], str]] = [json.dumps, yaml.safe_dump]

# Of a profile's examples, since each one renders scripts; all three together are one profile's.
QUARTER = settings(
    max_examples=settings().max_examples // 4,
    suppress_health_check=[HealthCheck.too_slow],
    deadline=None,
)
HALF = settings(QUARTER, max_examples=settings().max_examples // 2)


@QUARTER
@given(document=right_file(), is_yaml=st.booleans())
def test_a_right_file_gives_a_plan(document: list[Any], *, is_yaml: bool) -> None:
    resolve(WRITERS[is_yaml](json.loads(json.dumps(document))), is_yaml=is_yaml)


@HALF
@given(document=broken_file(), is_yaml=st.booleans())
def test_a_broken_file_gives_a_plan_or_a_problem(document: object, *, is_yaml: bool) -> None:
    # As YAML it is JSON still, which YAML contains: PyYAML cannot write half characters.
    event(outcome(json.dumps(document), is_yaml=is_yaml))


@QUARTER
@given(document=right_file(), data=st.data())
def test_a_spoilt_text_gives_a_plan_or_a_problem(document: list[Any], data: st.DataObject) -> None:
    is_yaml = data.draw(st.booleans())
    text = WRITERS[is_yaml](json.loads(json.dumps(document)))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    event(outcome(text[:start] + data.draw(st.text(max_size=4)) + text[end:], is_yaml=is_yaml))
