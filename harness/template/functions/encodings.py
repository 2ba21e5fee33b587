"""JSON, YAML, INI, HCL and the bases: values to text and back."""

from __future__ import annotations

import base64
import json
from typing import Any

from harness.template.functions.table import function


def _finite(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


@function("jsonEncode", "A value as JSON, two spaces deep.", ({"a": 1},), '{\n  "a": 1\n}')
def _json_encode(value: object) -> str:
    return _json_encode_indent("", "  ", value)


@function(
    "jsonEncodeIndent",
    "A value as JSON with a prefix before each further line, and an indent.",
    ("", " ", {"a": 1}),
    '{\n "a": 1\n}',
)
def _json_encode_indent(prefix: str, indent: str, value: object) -> str:
    text = json.dumps(
        value, indent=indent, ensure_ascii=False, sort_keys=True, allow_nan=False, default=_plain
    )
    return text.replace("\n", f"\n{prefix}")


def _plain(value: object) -> object:
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


@function("jsonDecode", "The value that JSON says.", ('{"a": 1}',), {"a": 1})
def _json_decode(text: str) -> object:
    value: object = json.loads(text, parse_constant=_finite)
    return value


@function("yamlEncode", "A value as YAML.", ({"a": [1]},), "a:\n- 1\n")
def _yaml_encode(value: object) -> str:
    import yaml  # noqa: PLC0415 - only those who ask pay for it

    try:
        return yaml.safe_dump(_listed(value), allow_unicode=True)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _listed(value: object) -> object:
    # YAML would mark a tuple as Python's own.
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    return [_listed(item) for item in value] if isinstance(value, list | tuple) else value


@function("yamlDecode", "The value that YAML says.", ("a: [1]",), {"a": [1]})
def _yaml_decode(text: str) -> object:
    import yaml  # noqa: PLC0415 - only those who ask pay for it

    try:
        value: object = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    return value


@function("iniDecode", "An INI text's sections.", ("[a]\nb = c",), {"a": {"b": "c"}})
def _ini_decode(text: str) -> dict[str, dict[str, str]]:
    from configparser import Error, RawConfigParser  # noqa: PLC0415 - only those who ask pay

    parser = RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text)
    except Error as error:
        raise ValueError(str(error)) from error
    return {name: dict(parser.items(name)) for name in parser.sections()}


@function("hclDecode", "The value that HCL says.", ('a = "b"\nc = 1',), {"a": "b", "c": 1})
def _hcl_decode(text: str) -> object:
    import hcl2  # noqa: PLC0415 - 0.2 s, and few ask
    from lark.exceptions import LarkError  # noqa: PLC0415

    options = hcl2.SerializationOptions(strip_string_quotes=True, explicit_blocks=False)
    try:
        value: Any = hcl2.loads(text + "\n", serialization_options=options)
    except LarkError as error:
        raise ValueError(str(error).partition("\n")[0]) from error
    return dict(value)


@function("b64enc", "A text in base 64.", ("a",), "YQ==")
def _b64enc(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@function("b64dec", "The text of a base 64.", ("YQ==",), "a")
def _b64dec(text: str) -> str:
    return base64.b64decode(text, validate=True).decode()


@function("b32enc", "A text in base 32.", ("a",), "ME======")
def _b32enc(text: str) -> str:
    return base64.b32encode(text.encode()).decode()


@function("b32dec", "The text of a base 32.", ("ME======",), "a")
def _b32dec(text: str) -> str:
    return base64.b32decode(text).decode()
