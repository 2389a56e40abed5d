"""What the program says to a person, read from its source, and what of it has no Chinese yet.

    python scripts/messages.py    # counts; then what is missing, each with its file, and what is half translated

A message is a template: an f-string with `{}` for what is filled in, `{s}` for the ending of a plural. Every text of
two words and more counts, whatever it is for, since a list of what to look at would forget something; the catalogue
itself says of a text that no person reads it, by a `=` in place of a translation.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from deepen.core.chinese import ON_PAGES

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "deepen"
ADDED = "words"
"""The part of the catalogue for what is no template: single words, what libraries say, messages put together."""
_PLURALS = ({"", "s"}, {"", "es"})
_WORDS = re.compile(r"[A-Za-z][a-z'’-]*[,;:.]? +[(“\"'`]?[a-zA-Z]")
_BESIDE = re.compile(r"\{\}.*(?:^|[ (,;:])[A-Za-z]{2,}(?: |: \{|$)|(?:^|[ (,;:])[A-Za-z]{2,}(?: |: ).*\{\}")
_PLACE = re.compile(r"\{s?\}")
_NAMES = re.compile(
    r"'[^']*'|\"[^\"]*\"|`[^`]*`|“[^”]*”|<[^<>]*>|\[[^\]]*\]|--?[a-z][\w.-]*(=\S+)?|deepen [a-z]+|pip install \S+"
    r"|[\w*-]*[./_=\\:@\d+][\w*./=\\:@|{}+,-]*|\$\w+"
)
_KNOWN = """
    auto balanced bins brat captum cleanlab cpu cuda data datasets deep deepen density doc end fold gguf gzip hub intent
    label ladder last libsvm list logit logits macro matplotlib mlflow model mps numpy onnx onnxruntime onnxscript
    orient pandas path peft pickle python range rung runs safetensors shallow shell start sum sync tab tensorboard test
    text ties tokenizers torch trackio train transformers unclear validation wandb weights words xls zip zlib zstd
    bool false float int none null str true
"""
_JINJA = re.compile(r"\{#.*?#\}|<style>.*?</style>|<pre.*?</pre>", re.DOTALL)
_QUOTED = re.compile(r'(?:wide\(|[{ ,]|else )"([A-Za-z][^"<>{}]* [^"<>{}]*[a-z])"(?=[ ,)}])')
_CONTROL = re.compile(r"\{%.*?%\}|<[^>]*>", re.DOTALL)
_ATTRIBUTE = re.compile(r'(?:aria-label|data-name|title)="([^"]*)"')


def messages() -> dict[str, str]:
    """Every template with the first file that holds it, in the order of the source."""
    found: dict[str, str] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for text in _of_code(ast.parse(path.read_text(encoding="utf-8"))):
            found.setdefault(text, path.relative_to(SOURCE).as_posix())
    for path in sorted(SOURCE.rglob("*.html.jinja")):
        for text in _of_page(path.read_text(encoding="utf-8")):
            found.setdefault(text, path.relative_to(SOURCE).as_posix())
    for path in sorted(SOURCE.rglob("serving/*.html")):
        for text in map("".join, ON_PAGES.findall(path.read_text(encoding="utf-8"))):
            found.setdefault(text, path.relative_to(SOURCE).as_posix())
    return found


def _of_code(tree: ast.Module) -> Iterator[str]:
    passed = {id(part) for node in ast.walk(tree) for part in _no_message(node)}

    def look(node: ast.AST) -> Iterator[str]:
        if id(node) in passed:
            return
        text = _template(node)
        if text is None:
            for child in ast.iter_child_nodes(node):
                yield from look(child)
            return
        for line in lines(text):
            if _WORDS.search(_PLACE.sub("0", line)) or _BESIDE.search(line):
                yield line
        for part in _parts(node):
            yield from look_inside(part)

    def look_inside(node: ast.AST) -> Iterator[str]:
        """What is filled into a message: single words of ours too."""
        for part in ast.walk(node):
            if isinstance(part, ast.IfExp):
                for branch in (part.body, part.orelse):
                    text = _template(branch)
                    if text is not None and re.search("[A-Za-z]{3}", text) and not _WORDS.search(_PLACE.sub("0", text)):
                        yield from lines(text)
        yield from look(node)

    yield from look(tree)


def lines(text: str) -> Iterator[str]:
    """The paragraphs of a text, each as one line without the mark of a note; examples of commands are none."""
    for paragraph in text.split("\n\n"):
        if not paragraph.startswith("\b"):
            line = " ".join(paragraph.split())
            yield re.sub(r"^(note|warning): ", "", line).lstrip(",;: ")


def _no_message(node: ast.AST) -> Iterator[ast.AST]:
    """Docstrings, types and what is compared or looked up."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node.value
    elif isinstance(node, ast.AnnAssign):
        if not (isinstance(node.annotation, ast.Subscript) and "Annotated" in ast.unparse(node.annotation.value)):
            yield node.annotation
    elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re."):
        yield from node.args


def _template(node: ast.AST) -> str | None:
    """A literal, an f-string, or several of them in a sum, as one template; None for what is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_piece(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = [_template(side) for side in (node.left, node.right)]
        if any(side is None for side in sides) and not any(isinstance(s, str) and " " in s for s in sides):
            return None
        told = zip((node.left, node.right), sides, strict=True)
        return "".join(_piece(side) if text is None else text for side, text in told)
    return None


def _piece(part: ast.AST) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    value = part.value if isinstance(part, ast.FormattedValue) else part
    if isinstance(value, ast.IfExp):
        ends = {branch.value for branch in (value.body, value.orelse) if isinstance(branch, ast.Constant)}
        if ends in _PLURALS:
            return "{s}"
    return "{}"


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """What is filled into a template."""
    if isinstance(node, ast.JoinedStr):
        yield from (part.value for part in node.values if isinstance(part, ast.FormattedValue))
    elif isinstance(node, ast.BinOp):
        for side in (node.left, node.right):
            if _template(side) is None:
                yield side
            else:
                yield from _parts(side)


def _of_page(text: str) -> Iterator[str]:
    plain = _JINJA.sub("<>", text)
    for found in (*_ATTRIBUTE.findall(plain), *_QUOTED.findall(plain)):
        yield from _clean(found)
    for run in _CONTROL.split(plain):
        yield from _clean(run)


def _clean(text: str) -> Iterator[str]:
    said = re.sub(r"\{\{.*?\}\}", "{}", text, flags=re.DOTALL)
    said = " ".join(said.split()).strip(" .,;:×()")
    if re.search("[A-Za-z]{2}", said):
        yield said


def english(text: str) -> list[str]:
    """The English words that are left in a Chinese text: not names of options, settings, files and programs."""
    plain = _NAMES.sub(" ", _PLACE.sub("0", re.sub(r"\{\d*!?\}", "0", text)))
    return [word for word in re.findall(r"[A-Za-z]{3,}", plain) if word.islower() and word not in _technical()]


@cache
def _technical() -> frozenset[str]:
    """Names of what stands on the shelves, and of programs and formats that have no other name in Chinese."""
    shelves = ("tasks", "rungs", "tuning", "diagnosis/questions", "compression/ways")
    names = {path.stem for shelf in shelves for path in (SOURCE / shelf).iterdir()}
    return frozenset((*names, *_KNOWN.split()))


def main() -> None:
    """Prints what is missing, no longer said, and half translated."""
    from deepen.core.chinese import catalogue

    found, lines = messages(), list(catalogue())
    known = {template for _, template, chinese in lines if chinese}
    missing = {text: path for text, path in found.items() if text not in known}
    half = [f"{room}: {chinese}" for room, _, chinese in lines if chinese != "=" and english(chinese)]
    unread = sum(chinese == "=" for _, _, chinese in lines)
    print(f"{len(found):,} messages; {len(lines):,} lines in the catalogue, {unread} of them for no person")
    stale = [f"{room}: {text}" for room, text, _ in lines if room != ADDED and text not in found]
    print(f"{len(missing)} missing, {len(half)} half translated, {len(stale)} no longer said")
    print("\n".join([*(f"missing, {path}: {text}" for text, path in missing.items()), *half, *stale]))
    sys.exit(bool(missing or half))


if __name__ == "__main__":
    main()
