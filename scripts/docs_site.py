"""What of the site is made from the code while it is built: a hook of mkdocs (mkdocs.yml), and a list for a test.

The reference of commands, settings and Python lies nowhere, so it can't be stale; neither do the list of decisions and
the first pages, which are README.md and README.zh.md. Links out of docs/ become plain words. Start with `made`.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
HOMES = {
    ROOT / "README.md": DOCS / "index.md",
    ROOT / "README.zh.md": DOCS / "zh" / "index.md",
    DOCS / "decisions": DOCS / "decisions" / "index.md",
}
"""Where a page of the site has what a link of the repository names."""
_OUTSIDE = "outside:"
_PARTS = re.compile(r"^(Args|Attributes|Returns|Yields|Raises|Example|Source):$")


def made() -> dict[str, str]:
    """The pages that are made, by their path in docs/, as Markdown."""
    return {
        "index.md": _first_page("README.md"),
        "zh/index.md": _first_page("README.zh.md"),
        "decisions/index.md": "\n".join(_decisions()),
        "reference/commands.md": "\n".join(_commands()),
        "reference/settings.md": "\n".join(_settings()),
        "reference/python.md": "\n".join(_python()),
    }


def navigation(nav: list[Any]) -> list[Any]:
    """The navigation of mkdocs.yml with every decision in its place."""
    pages = ["decisions/index.md", *(f"decisions/{path.name}" for path in _records())]
    return [{"Decisions": pages} if isinstance(entry, dict) and "Decisions" in entry else entry for entry in nav]


def on_config(config: Any) -> Any:
    """Called by mkdocs: the navigation names the decisions, which nobody has to list."""
    config.nav = navigation(config.nav)
    return config


def on_files(files: Any, config: Any) -> Any:
    """Called by mkdocs: adds the pages that are made."""
    from mkdocs.structure.files import File

    for path, text in made().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Called by mkdocs: the links of a page as the site needs them."""
    path = DOCS / page.file.src_uri
    return markdown if page.file.generated_by else linked(markdown, path, path)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Called by mkdocs: a page that loads something from elsewhere is none of ours."""
    from mkdocs.exceptions import PluginError

    if found := foreign(output):
        raise PluginError(f"{page.file.src_uri} loads {found} from elsewhere")
    return output


def foreign(page: str) -> str:
    """The first element of a page that loads something from another place; empty if none does."""
    found = re.search(
        r"""<(?:script|link|img|iframe|source)\b[^>]*(?:src|href)\s*=\s*["']?(?:https?:)?//[^>]*>""", page
    )
    return found[0] if found else ""


def linked(text: str, source: Path, page: Path) -> str:
    """The links of a file of the repository as those of a page of the site; what is not in docs/ is plain words."""

    def put_right(link: re.Match[str]) -> str:
        target, mark, anchor = link[1].partition("#")
        if re.match(r"[a-z]+:", link[1]) or not target:
            return link[0]
        there = Path(os.path.normpath(source.parent / target))
        there = HOMES.get(there, there)
        if not there.is_relative_to(DOCS):
            return f"]({_OUTSIDE})"
        return f"]({os.path.relpath(there, page.parent)}{mark}{anchor})"

    text = re.sub(r"\]\(([^)\s]+)\)", put_right, text)
    return re.sub(rf"\[([^\[\]]*)\]\({_OUTSIDE}\)", r"\1", text)


def _first_page(name: str) -> str:
    return linked((ROOT / name).read_text(encoding="utf-8"), ROOT / name, HOMES[ROOT / name])


def _records() -> list[Path]:
    return sorted((DOCS / "decisions").glob("[0-9]*.md"))


def _decisions() -> Iterator[str]:
    yield "# Decisions\n\nWhy it is as it is: half a page each.\n"
    for path in _records():
        title = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        yield f"- [{title}]({path.name})"


def _commands() -> Iterator[str]:
    from typer.main import get_command

    from deepen.cli.main import app

    yield "# Commands\n\nAs `deepen COMMAND --help` prints them.\n"
    for name, verb in get_command(app).commands.items():  # type: ignore[attr-defined]
        about, _, examples = inspect.cleandoc(verb.help or "").partition("\b\n")
        shown = f"\n```sh\n{inspect.cleandoc(examples)}\n```\n" if examples.strip() else ""
        yield f"## deepen {name}\n\n{about}{shown}\n| option | default | what it does |\n| --- | --- | --- |"
        for option in verb.params:
            words = option.opts if option.param_type_name == "option" else [(option.metavar or option.name).upper()]
            called = " ".join(f"`{word}`" for word in words)
            default = "" if option.default in (None, False, ()) or callable(option.default) else f"`{option.default}`"
            yield f"| {called} | {default} | {_cell(getattr(option, 'help', '') or '')} |"
        yield ""


def _settings() -> Iterator[str]:
    from deepen.diagnosis import settings_type
    from deepen.preparation.recipe import recipe_type

    sys.path.append(str(ROOT / "scripts"))
    from interface import kind_of

    yield "# Settings\n\nOf a recipe, or after `--set`, as `--set rungs.full.learning_rate=1e-4`.\n"
    for title, schema in (("", recipe_type().model_json_schema()), ("diagnosis.", settings_type().model_json_schema())):
        for section, about, rows in _sections(schema, kind_of):
            head = "| setting | kind | default | why |\n| --- | --- | --- | --- |"
            yield f"## {title}{section or 'recipe'}\n\n{about}\n\n{head}"
            yield from rows
            yield ""


def _sections(schema: dict[str, Any], kind_of: Any) -> Iterator[tuple[str, str, list[str]]]:
    """Each section of a schema that has settings of its own: dotted name, what it is, rows of a table."""

    def walk(name: str, about: str, node: dict[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
        rows, inner = [], []
        for key, value in node.get("properties", {}).items():
            reference = value.get("$ref") or next((part.get("$ref") for part in value.get("allOf", [])), None)
            below = schema["$defs"][reference.rsplit("/", 1)[1]] if reference else {}
            if "properties" in below:
                told = value.get("description") or below.get("description") or ""
                inner.append((f"{name}.{key}" if name else key, told, below))
            else:
                default = _cell(json.dumps(value.get("default"), ensure_ascii=False))
                kind = _cell(kind_of(below or value))
                rows.append(f"| `{key}` | {kind} | `{default}` | {_cell(value.get('description', ''))} |")
        if rows:
            yield name, about, rows
        for part in inner:
            yield from walk(*part)

    yield from walk("", schema.get("description", ""), schema)


def _python() -> Iterator[str]:
    import deepen

    yield "# Python\n\nWhat `import deepen` gives; `from deepen import train` loads what it needs and no more.\n"
    for name in deepen.__all__:
        value = getattr(deepen, name)
        if not callable(value):
            continue
        yield f"## deepen.{name}\n\n{_called(name, value)}\n{_told(value)}\n"
        for inner, method in vars(value).items() if inspect.isclass(value) else ():
            if not inner.startswith("_") and (inspect.isfunction(method) or isinstance(method, property)):
                head = f"### {name}.{inner}\n\n"
                yield f"{head}{_called(inner, method) if inspect.isfunction(method) else ''}\n{_told(method)}\n"


def _called(name: str, value: Any) -> str:
    """The signature, one argument a line where they are many."""
    try:
        text = str(inspect.signature(value))
    except ValueError:
        return ""
    if len(text) > 80:
        text = re.sub(r", (?=\*?\*?\w+(?::|,|\)|$))", ",\n    ", text)
    return f"```python\n{name}{text}\n```\n"


def _told(value: Any) -> str:
    """A docstring as Markdown: its parts in bold, arguments as a list, examples as code."""
    out: list[str] = []
    part = ""
    for line in (inspect.getdoc(value) or "").splitlines():
        if found := _PARTS.match(line):
            part = found[1]
            out.append(f"\n**{part}**\n" + ("\n```pycon" if part == "Example" else ""))
        elif part == "Example":
            out.append(line.strip())
        elif part in ("Args", "Attributes", "Raises") and re.match(r"    \S", line):
            name, _, text = line.strip().partition(": ")
            out.append(f"- `{name}`: {text}")
        else:
            out.append(line if not part else f"  {line.strip()}" if line.strip() else "")
        if part == "Example" and not line.strip():
            out[-1], part = "```", ""
    return "\n".join([*out, "```"] if part == "Example" else out)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
