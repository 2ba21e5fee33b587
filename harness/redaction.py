"""Redaction: takes out of a text what must not leave the host.

Two ways, each where the other is blind: values that are known to be secret are found in any
form and any wrapping; shapes that secrets have are found whosoever's they are. It rather
takes out too much. Every pattern here costs time in proportion to the text, whatever the
text is: what machines say is not ours.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REMOVED = "(removed)"

# A part of a secret is recognised by any GRAM of its characters in a row. Looked for at
# every GRAM-th place of a word, none is missed that is twice as long less one.
GRAM = 8
# Shorter than this and it may be part of ordinary words.
SHORTEST = 8
# What is longer is found by its parts; what is shorter, also where lines are broken within it.
LONGEST_WHOLE = 64

_WORD = re.compile(rf"[A-Za-z0-9+/=_.-]{{{2 * GRAM - 1},}}+")
_GAP = r"(?:\s|\\[nr]){0,3}"
_NAMES = (
    r"(?:token|passw(?:or)?d|passphrase|cookie|(?:api|access|private|secret|certificate)[_-]?key"
    r"|client[_-]?secret|token-secret|secret(?==)|(?<=_)pwd"
    r"|(?:client-key|certificate-authority|client-certificate)-data)"
)
# Within a word nothing begins; but JSON writes the end of a line as `\n`.
_BEGINS = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"
_OPTION = r"--(?:[a-z]{1,20}-){0,5}(?:token|passw(?:or)?d|certificate-key|secret)"
_LOGIN = r"-(?<![\w-]-)(?:u|-user|-[a-z]{1,10}-creds)"
_ASSIGNS = r"\\?[\"']?\s{0,4}[:=]\s{0,4}"
_ANSI_C = r"\$'(?:[^'\\\n]|\\.)*+'?"
_VALUE = rf"(?:{_ANSI_C}|\\?\"[^\"\n]*+\"?|'[^'\n]*+'?|[^\s\"'({{\[](?:(?!\\[nr])\S)*+)"
_KEPT = rf"\g<1>{REMOVED}"
_SHAPES = (
    # PEM, whatever it holds and whatever a log puts before its lines; then one that lacks its
    # end, or its beginning, because the text was cut. (Lines of 60 and more are `_BLOB`s.)
    (
        r"-----BEGIN ([A-Z0-9 ]{1,60})-----(?:(?!-----BEGIN )[\s\S]){0,16000}?-----END \1-----",
        REMOVED,
    ),
    (r"-----BEGIN [A-Z0-9 ]{1,60}-----(?:(?:\s|\\[nr])*+[A-Za-z0-9+/=]{16,}+)*+", REMOVED),
    (r"(?m)^[^\n]*+\n(?=[^\n]*?-----END [A-Z0-9 ]{1,60}-----)", f"{REMOVED}\n"),
    # A JSON Web Token, as service accounts have.
    (
        rf"{_BEGINS}(?<![_-])eyJ[A-Za-z0-9_-]{{8,}}+\.[A-Za-z0-9_-]{{8,}}+(?:\.[A-Za-z0-9_-]++)?",
        REMOVED,
    ),
    # kubeadm's bootstrap tokens.
    (rf"{_BEGINS}[a-z0-9]{{6}}\.[a-z0-9]{{16}}(?![a-z0-9])", REMOVED),
    # GitHub's, GitLab's and Vault's say themselves what they are.
    (r"\b(?:gh[pousr]_|glpat-|hvs\.)[A-Za-z0-9_-]{16,}+", REMOVED),
    # A key in YAML's folded or literal style.
    (r"(-data:\s{1,4})[>|][-+]?(?:(?:\s|\\[nr]){1,40}[A-Za-z0-9+/=]{8,}+(?![^\s\\\"]))++", _KEPT),
    # `curl -u me:…`, `--src-creds me:…`, but not `--user 1000:1000`; `login … -p …`.
    (rf"({_LOGIN}[= ]'?[^\s:'\"]{{1,64}}:)(?!\d+\b)[^\s'\"]++", _KEPT),
    (rf"(login\s[^\n]{{0,100}}?\s-p[= ]){_VALUE}", _KEPT),
    # Of registries, and of keys that encrypt what etcd keeps: base64, which a name is not.
    (r"(\\?\"auth\\?\"\s{0,4}:\s{0,4}\\?\")[A-Za-z0-9+/=]++", _KEPT),
    (r"(secret:\s{1,4})(?=[a-z]*+[A-Z0-9])[A-Za-z0-9+/]{16,}+=*+(?!\S)", _KEPT),
    # `Authorization: Bearer …`, `--token …`, `"token": "…"`, `PASSWORD=…`, `https://user:…@host`.
    (rf"(?i)(authorization{_ASSIGNS}(?:\\?[\"']?[a-z]+\s{{1,4}})?+){_VALUE}", _KEPT),
    (r"(?i)(bearer\s{1,4})[a-z0-9._~+/=-]{16,}+", _KEPT),
    (rf"(?i)({_OPTION}(?:[= ]|[\"'],\s?))(?!-){_VALUE}", _KEPT),
    (rf"(?i)({_NAMES}{_ASSIGNS}){_VALUE}", _KEPT),
    (r"(?<=://)[^/\s@\"'<>]{1,400}@", f"{REMOVED}@"),
)
_PATTERNS = tuple((re.compile(pattern), instead) for pattern, instead in _SHAPES)
# Keys, certificates and whole files in base64. Digests and ids have no capitals, paths have
# dots, words have no figures.
_BLOB = re.compile(r"(?<![\w+/-])(?:[A-Za-z0-9+/]{60,}+|[A-Za-z0-9_-]{60,}+)={0,2}")
_MIXED = (re.compile("[A-Z]"), re.compile("[a-z]"), re.compile("[0-9]"))


class Redactor:
    """Takes secrets out of texts.

    Args:
        secrets: Values that are known to be secret: tokens, PEM texts. Of one with several
            lines each counts, since logs break it up and indent it.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST}
        self._grams = {form[at : at + GRAM] for form in forms for at in range(len(form) - GRAM + 1)}
        whole = sorted((form for form in forms if len(form) <= LONGEST_WHOLE), key=len)
        wrapped = [_GAP.join(map(re.escape, form)) for form in reversed(whole)]
        self._whole = re.compile("|".join(wrapped)) if wrapped else None

    def __call__(self, text: str) -> str:
        """Return the text without secrets; doing it again changes nothing more."""
        if self._whole:
            text = self._whole.sub(REMOVED, text)
        text = _WORD.sub(self._judged, text)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return _BLOB.sub(_unless_plain, text)

    def _judged(self, found: re.Match[str]) -> str:
        word = found[0]
        parts = (word[at : at + GRAM] for at in range(0, len(word) - GRAM + 1, GRAM))
        return word if self._grams.isdisjoint(parts) else REMOVED


def _forms(secret: str) -> Iterator[str]:
    """Yield how a secret may stand in a text, with no white space in it."""
    lines = [line.strip() for line in secret.splitlines()]
    yield "".join(line for line in lines if not line.startswith("-----"))
    raw = secret.strip().encode()
    for shift in range(3):  # base64 of anything that it stands in
        encoded = base64.b64encode(bytes(shift) + raw).decode()
        # Only the characters that it alone decides.
        yield encoded[-(-shift * 4 // 3) : (shift + len(raw)) * 4 // 3]


def _unless_plain(found: re.Match[str]) -> str:
    return REMOVED if all(kind.search(found[0]) for kind in _MIXED) else found[0]
