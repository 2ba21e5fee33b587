"""Renders docs/troubleshooting.md from the catalogue of known failures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from harness import errors
from harness.known_issues import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.known_issues import KnownIssue

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "troubleshooting.md"
UPSTREAM = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)#(?P<number>\d+)")
WIDTH = 100

INTRODUCTION = """\
# Troubleshooting

When a run fails, its message, its hint and what machines and API server say of it are searched
for failures that are known; each that is found is told as one more sentence, with its id. In
`events.jsonl` the ids stand at the failed phase. The likelier cause comes first.

Generated from `harness/known_issues/` and `tests/replays/` by
`pytest --update-golden tests/unit/test_known_issues.py`; a change here is lost. To add a failure
add an entry, and its real output to `tests/replays/`.
"""


def document(said: Mapping[str, str]) -> str:
    """Return docs/troubleshooting.md: by exit code, then by id.

    Args:
        said: Issue → all that was told when it was made to happen.
    """
    return "\n".join([INTRODUCTION, *_sections(said)])


def _sections(said: Mapping[str, str]) -> Iterator[str]:
    issues = sorted(CATALOGUE, key=lambda issue: issue.id)
    for codes in sorted({issue.exit_codes for issue in issues}):
        yield f"## {_heading(codes)}\n"
        yield from (_entry(issue, said[issue.id]) for issue in issues if issue.exit_codes == codes)


def _heading(codes: tuple[int, ...]) -> str:
    names = {error.exit_code: error.__name__ for error in errors.HarnessError.__subclasses__()}
    return "Exit code " + " or ".join(f"{code} ({names[code]})" for code in codes)


def _entry(issue: KnownIssue, said: str) -> str:
    sources = " · ".join(
        UPSTREAM.sub(r"[\g<0>](https://github.com/\g<repository>/issues/\g<number>)", source)
        for source in issue.sources
    )
    return f"""\
### {issue.id}

{issue.title}

```text
{_seen(issue, said)}
```

- **Why:** {issue.why}
- **What to do:** {issue.cure}
- **Source:** {sources}
"""


def _seen(issue: KnownIssue, text: str) -> str:
    """Return the lines by which the issue is recognised, cut to what tells."""
    match = issue.match(text)
    assert match, f"{issue.id} is not recognised in what is told of it"
    begin = text.rfind("\n", 0, match.start()) + 1
    end = text.find("\n", match.end())
    lines = text[begin : end if end >= 0 else None].splitlines()
    return "\n".join(_cut(line, match[0].splitlines()[0]) for line in lines)


def _cut(line: str, telling: str) -> str:
    line = line.strip()
    if len(line) <= WIDTH:
        return line
    begin = max(0, min(line.find(telling), len(line) - WIDTH))
    end = begin + WIDTH
    begin = line.rfind(" ", 0, begin) + 1
    part = line[begin:end] if end >= len(line) else f"{line[begin:end].rpartition(' ')[0]} …"
    return f"… {part}" if begin else part
