"""Go's template language, held against what Go 1.19 itself writes for the same text."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from harness import template
from harness.errors import InvalidInputError
from harness.template import Language, MissingKey, Options

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GO = Options(language=Language.GO)
CONTEXT = {
    "a": 1,
    "s": "it's <b>",
    "empty": "",
    "no": False,
    "f": 1.5,
    "list": ["x", "y", "z"],
    "none": [],
    "map": {"b": {"c": "deep"}, "a": {"c": "first"}},
}
# Everything here was also run by Go's own text/template; `test_go_itself_agrees` does it again.
RENDERS = [
    ('{{ printf "%#x %#X %x" "q" "q" "q" }}', "0x71 0X71 71"),
    ("plain", "plain"),
    ("{{/* a comment */}}x", "x"),
    ("a {{- /* trims */ -}} b", "ab"),
    ("{{.a}}", "1"),
    ("{{ .s }}", "it's <b>"),
    ("{{ $.a }}", "1"),
    ("{{ 3 }} {{ -3 }} {{ 0x1F }} {{ 1.5 }} {{ 1e3 }} {{ 'a' }} {{ 010 }} {{ 1_000 }}",
     "3 -3 31 1.5 1000 97 8 1000"),
    ("{{ 1e21 }} {{ 100000.5 }} {{ 1234567.5 }} {{ 0.00001 }} {{ 0.0001 }}",
     "1e+21 100000.5 1.2345675e+06 1e-05 0.0001"),
    (r'{{ "a\tb\x41\u00e9\"" }}', 'a\tbAé"'),
    ("{{ `raw {{ }} \\n` }}", "raw {{ }} \\n"),
    ("{{ true }} {{ false }}", "true false"),
    ("a  {{- 3 -}}  b", "a3b"),
    ("a\n{{- 3 }}\n b", "a3\n b"),
    ("{{ if .a }}y{{ end }}", "y"),
    ("{{ if .empty }}y{{ else }}n{{ end }}", "n"),
    ("{{ if .no }}1{{ else if .empty }}2{{ else if .a }}3{{ else }}4{{ end }}", "3"),
    ("{{ if and .a .s }}y{{ end }}{{ if or .no .empty }}n{{ end }}", "y"),
    ("{{ and 1 0 2 }} {{ or 0 2 }} {{ not 0 }}", "0 2 true"),
    ("{{ range .list }}[{{ . }}]{{ end }}", "[x][y][z]"),
    ("{{ range $i, $e := .list }}{{ $i }}={{ $e }};{{ end }}", "0=x;1=y;2=z;"),
    ("{{ range $k, $v := .map }}{{ $k }}={{ $v.c }};{{ end }}", "a=first;b=deep;"),
    ("{{ range $e := .list }}{{ $e }}{{ end }}", "xyz"),
    ("{{ range .none }}x{{ else }}nothing{{ end }}", "nothing"),
    ('{{ range .list }}{{ if eq . "y" }}{{ break }}{{ end }}{{ . }}{{ end }}', "x"),
    ('{{ range .list }}{{ if eq . "y" }}{{ continue }}{{ end }}{{ . }}{{ end }}', "xz"),
    ("{{ with .map.b }}{{ .c }}{{ end }}", "deep"),
    ("{{ with .empty }}x{{ else }}{{ $.a }}{{ end }}", "1"),
    ("{{ with $x := .s }}{{ $x }}{{ end }}", "it's <b>"),
    ("{{ $x := 1 }}{{ $x = 2 }}{{ $x }}", "2"),
    ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"),
    ("{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}", "21"),
    ('{{ define "t" }}<{{ . }}>{{ end }}{{ template "t" .a }}{{ template "t" "x" }}', "<1><x>"),
    ('{{ block "b" .map }}{{ .a.c }}{{ end }}', "first"),
    ('{{ define "t" }}{{ $.a }}{{ end }}{{ template "t" . }}', "1"),
    ('{{ (index .map "b").c }}', "deep"),
    ("{{ (.map).b.c }}", "deep"),
    ('{{ index .list 1 }} {{ index .map "a" "c" }}', "y first"),
    ('{{ slice .s 0 2 }} {{ slice .list 1 }} {{ len .s }} {{ len "é" }} {{ len .map }}',
     "it [y z] 8 2 2"),
    ("{{ .list }} {{ .map }}", "[x y z] map[a:map[c:first] b:map[c:deep]]"),
    ('{{ print 1 2 "a" 3 }} {{ print "a" "b" }}', "1 2a3 ab"),
    ('{{ println "a" 1 }}', "a 1\n"),
    ('{{ printf "%s-%d-%5.2f|%-4s|%04d|%q|%v|%t|%%|%x" "a" 7 1.239 "b" 42 "q\\"" .list true 255 }}',
     'a-7- 1.24|b   |0042|"q\\""|[x y z]|true|%|ff'),
    ("{{ eq 1 1 }} {{ eq 1 2 3 1 }} {{ ne 1 2 }} {{ lt 1 2 }}", "true true true true"),
    ("{{ le 2 2 }} {{ gt 1 2 }} {{ ge 1 2 }}", "true false false"),
    ('{{ lt "a" "b" }} {{ eq "a" "a" }}', "true true"),
    ("{{ html .s }} {{ .s | html }}", "it&#39;s &lt;b&gt; it&#39;s &lt;b&gt;"),
    ("{{ js .s }}", "it\\'s \\u003Cb\\u003E"),
    ('{{ urlquery "a b&c" }}', "a+b%26c"),
    ('{{ "a" | printf "%s%s" "b" }}', "ba"),
    ("{{ len (print 12 34) }}", "5"),
    ('{{ "x" | print | printf "%s!" }}', "x!"),
    ("{{ not (and .a .no) }}", "true"),
]  # fmt: skip
FAULTS = [
    ("{{ if 0 }}{{ $x := 1 }}{{ else }}{{ $x = 2 }}{{ end }}",
     "line 1, column 37: undefined variable: $x"),
    ("{{ if 0 }}{{ $x := 1 }}{{ else }}{{ range $x = .list }}{{ end }}{{ end }}",
     "line 1, column 43: undefined variable: $x"),
    ("{{ eq }}", "line 1, column 4: eq: missing a required argument: 'first'"),
    ("{{ not 1 2 }}", "line 1, column 4: not: too many positional arguments"),
    ("{{ 09 }}", "line 1, column 4: bad number syntax: '09'"),
    ("\n{{ nosuchfunc }}", 'line 2, column 4: function "nosuchfunc" not defined'),
    ("{{ if .a }}", "line 1, column 12: unexpected EOF: an `end` is missing"),
    ("{{ end }}", "line 1, column 4: unexpected {{end}}"),
    ("x{{ .a", "line 1, column 2: unclosed action"),
    ("{{/* x", "line 1, column 1: unclosed comment"),
    ('{{ "a }}', "line 1, column 4: unterminated quoted string"),
    ("{{ `a }}", "line 1, column 4: unterminated raw quoted string"),
    ("{{ 3a }}", "line 1, column 4: bad number syntax: '3a'"),
    ("{{ }}", "line 1, column 4: missing value for command"),
    ("{{ if }}{{ end }}", "line 1, column 7: missing value for if"),
    ("{{ $x }}", 'line 1, column 4: undefined variable "$x"'),
    ("{{ $x = 1 }}", 'line 1, column 4: undefined variable "$x"'),
    ("{{ break }}", "line 1, column 4: {{break}} outside {{range}}"),
    ("{{ (1 }}", "line 1, column 4: unclosed left paren"),
    ("{{ 1 | 2 }}", "line 1, column 8: non executable command in pipeline: `2`"),
    ("{{ nil }}", "line 1, column 4: nil is not a command"),
    ("{{ 1.x }}", "line 1, column 4: bad number syntax: '1.x'"),
    ("{{ .nope }}", "line 1, column 4: map has no entry for key 'nope'"),
    ("\n {{ .map.nope.c }}", "line 2, column 5: map has no entry for key 'nope'"),
    ("{{ .a.b }}", "line 1, column 4: can't evaluate field b in type int"),
    ("{{ .s.format }}", "line 1, column 4: can't evaluate field format in type string"),
    ("{{ range .a }}{{ end }}", "line 1, column 10: range can't iterate over a value of kind int"),
    ('{{ eq 1 "1" }}', "line 1, column 4: incompatible types for comparison: int and string"),
    ("{{ index .list 9 }}", "line 1, column 4: index out of range: 9"),
    ("{{ lt .list 1 }}", "line 1, column 4: incompatible types for comparison: slice and int"),
    ('{{ template "none" }}', 'line 1, column 1: template "none" not defined'),
    ('{{ define "a" }}1{{ end }}{{ define "a" }}2{{ end }}',
     "line 1, column 30: template: multiple definition of template 'a'"),
    ("{{ if .a }}{{ else }}{{ else }}{{ end }}", "line 1, column 25: expected end; found {{else}}"),
    ("{{ .a 1 }}", "line 1, column 4: a is not a method but has arguments"),
    ("{{ 1 2 }}", "line 1, column 4: can't give argument to non-function 1"),
    ('{{ printf "%d" "a" }}', "line 1, column 4: `%d` is not for a value of kind string"),
    ('{{ printf "%s" }}', "line 1, column 4: printf has no value for `%s`"),
    ('{{ printf "" 1 }}', "line 1, column 4: printf has 1 values too many"),
    ("{{ .a ! }}", "line 1, column 7: unrecognized character in action: '!'"),
    (r'{{ "\z" }}', r"line 1, column 4: Go knows no escape `\z`"),
    ("{{ ''' }}", "line 1, column 4: unterminated character constant"),
    ("{{ 'ab' }}", "line 1, column 4: 'ab' is not one character"),
    ("{{ len 3 }}", "line 1, column 4: len of type int"),
    ("{{ call .a }}", "line 1, column 4: non-function of type int"),
    ("{{ and }}", "line 1, column 4: wrong number of args for and: want at least 1"),
    ("{{ template }}", "line 1, column 13: unexpected <}}> in template clause"),
    ('{{ if .a }}{{ define "x" }}{{ end }}{{ end }}',
     "line 1, column 15: unexpected {{define}}: it stands in no other block"),
    ("{{ .list | jsonDecode }}", "line 1, column 12: jsonDecode: text must be text, not slice"),
]  # fmt: skip

GO_PROGRAM = """package main
import ("encoding/json"; "fmt"; "os"; "strings"; "text/template")
func plain(v interface{}) interface{} {
  switch x := v.(type) {
  case float64: if x == float64(int(x)) { return int(x) }
  case map[string]interface{}: for k := range x { x[k] = plain(x[k]) }
  }
  return v
}
func main() {
  var in struct { Texts []string; Context map[string]interface{} }
  json.NewDecoder(os.Stdin).Decode(&in)
  plain(in.Context)
  out := []string{}
  for _, text := range in.Texts {
    var b strings.Builder
    t, err := template.New("main.sh").Option("missingkey=error").Parse(text)
    if err == nil { err = t.Execute(&b, in.Context) }
    answer := b.String()
    if err != nil { answer = fmt.Sprintf("!%v", err) }
    out = append(out, answer)
  }
  json.NewEncoder(os.Stdout).Encode(out)
}
"""
# Where we say more than Go does: it wraps, prints its mistakes into the text, or stays silent.
STRICTER = ("printf", "jsonDecode", "nosuchfunc")


def rendered(folder: Path, text: str, options: Options = GO, **more: object) -> str:
    file = folder / "main.sh"
    file.write_text(text, encoding="utf-8")
    return template.render(file, {**CONTEXT, **more}, options)


@pytest.mark.parametrize(("text", "expected"), RENDERS)
def test_a_text_renders_as_go_renders_it(text: str, expected: str, tmp_path: Path) -> None:
    assert rendered(tmp_path, text) == expected


@pytest.mark.parametrize(("text", "expected"), FAULTS)
def test_a_fault_has_line_and_column(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError) as caught:
        rendered(tmp_path, text)
    (problem,) = caught.value.problems
    assert f"{problem.path}: {problem.message}" == expected
    assert problem.file == str(tmp_path / "main.sh")


def test_go_itself_agrees(tool: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text(GO_PROGRAM)
    texts = [text for text, _ in [*RENDERS, *FAULTS]]
    done = subprocess.run(
        [tool("go"), "run", tmp_path / "main.go"],
        input=json.dumps({"Texts": texts, "Context": CONTEXT}),
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "GOFLAGS": "-mod=mod"},
        capture_output=True,
        check=True,
        text=True,
    )
    answers = json.loads(done.stdout)
    for (text, expected), answer in zip(RENDERS, answers, strict=False):
        assert answer == expected, text
    for (text, _), answer in zip(FAULTS, answers[len(RENDERS) :], strict=True):
        assert answer.startswith("!") or any(word in text for word in STRICTER), text


def test_templates_in_a_circle_end(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="templates are nested too deeply"):
        rendered(tmp_path, '{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}')


def test_missing_keys_print_upstreams_words_where_asked(tmp_path: Path) -> None:
    options = Options(language=Language.GO, missing_key=MissingKey.DEFAULT)
    assert rendered(tmp_path, "{{ .nope }}{{ if .nope }}x{{ end }}", options) == "<no value>"


def test_names_of_the_context_are_functions(tmp_path: Path) -> None:
    text = '{{ INDEX.Group }},{{ INDEX.Sequence }} {{ ADDON "network" }} {{ "x" | ADDON }}'
    index = {"Group": "group", "Sequence": 100}
    found = rendered(tmp_path, text, INDEX=index, ADDON=lambda kind: f"<{kind}>")
    assert found == "group,100 <network> <x>"


def test_a_value_takes_no_arguments(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="`BIND_PORT` takes no arguments"):
        rendered(tmp_path, "{{ BIND_PORT 1 }}", BIND_PORT=6443)
