"""The interface that other programs and recipes rely on, as a list: commands, options, settings with their defaults.

Every line of tests/contracts/interface.txt ends with the number of the decision that brought it. A test compares the
list with the program; after a change that a decision in docs/decisions/ explains, write the list anew, and the schema
that editors check recipes/ by:

    python scripts/interface.py NNNN
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import typer

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "recipes" / "recipe.schema.json"
LIST = ROOT / "tests" / "contracts" / "interface.txt"
DECISIONS = ROOT / "docs" / "decisions"
_MARK = "  # "


def interface() -> list[str]:
    """Every command with its arguments and options, every setting of a recipe, of a diagnosis and of a server."""
    from deepen import diagnosis
    from deepen.cli.main import VERBS
    from deepen.preparation.recipe import recipe_type
    from deepen.serving.settings import ServeSettings

    found = [
        f"deepen {name} {_option(parameter)}"
        for name, module in sorted(VERBS.items())
        for parameter in inspect.signature(module.command, eval_str=True).parameters.values()
    ]
    found += _settings("recipe", recipe_type().model_json_schema())
    found += _settings("diagnosis", diagnosis.settings_type().model_json_schema())
    found += _settings("serving", ServeSettings.model_json_schema())
    return found


def _option(parameter: inspect.Parameter) -> str:
    """An option with its names, type and default; an argument in capitals."""
    kind, about = get_args(parameter.annotation)
    names = (about.default, *(about.param_decls or ()))  # in Annotated the first name is where a default would be
    called = " ".join(name for name in names if isinstance(name, str))
    if isinstance(about, typer.models.ArgumentInfo):
        called = about.metavar or parameter.name.upper()
    elif not called:
        called = f"--{parameter.name.replace('_', '-')}"
    default = "" if parameter.default in (parameter.empty, None, False) else f" = {parameter.default!r}"
    said = kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "").replace("pathlib.", "")
    return f"{called}: {said}{default}"


def _settings(prefix: str, schema: dict[str, Any]) -> Iterator[str]:
    """Dotted names of the settings under an object of a JSON schema, with type and default."""
    defs = schema.get("$defs", {})

    def walk(name: str, node: dict[str, Any]) -> Iterator[str]:
        reference = node.get("$ref") or next((part.get("$ref") for part in node.get("allOf", [])), None)
        inner = defs[reference.rsplit("/", 1)[1]] if reference else node
        if "properties" in inner:
            for key, value in inner["properties"].items():
                yield from walk(f"{name}.{key}", value)
        else:
            yield f"{name}: {kind_of(inner)} = {json.dumps(node.get('default'), ensure_ascii=False)}"

    yield from walk(prefix, schema)


def kind_of(node: dict[str, Any]) -> str:
    """What values a setting takes, in short."""
    if "anyOf" in node:
        return " | ".join(kind_of(part) for part in node["anyOf"])
    if "enum" in node:
        return "|".join(map(str, node["enum"]))
    if "const" in node:
        return str(node["const"])
    if node.get("type") == "array":
        return f"list[{kind_of(node['items'])}]" if isinstance(node.get("items"), dict) else "list"
    return str(node.get("type", "object" if "$ref" in node else "any"))


def listed() -> dict[str, str]:
    """The list as it was written: each line of the interface and the decision that brought it."""
    lines = LIST.read_text(encoding="utf-8").splitlines() if LIST.is_file() else []
    return dict(line.rsplit(_MARK, 1) for line in lines if line)


def main() -> None:
    """Writes the list; what is new in it gets the decision that is named."""
    decision = sys.argv[1] if len(sys.argv) == 2 else ""
    if not list(DECISIONS.glob(f"{decision or '?'}-*.md")):
        raise SystemExit(f"usage: python scripts/interface.py NNNN, the number of a decision in {DECISIONS.name}/")
    from deepen.preparation.recipe import recipe_schema

    before = listed()
    now = {line: before.get(line, decision) for line in interface()}
    SCHEMA.write_text(recipe_schema(), encoding="utf-8")
    LIST.write_text("".join(f"{line}{_MARK}{why}\n" for line, why in now.items()), encoding="utf-8")
    for line in now.keys() - before.keys():
        print(f"+ {line}")
    for line in before.keys() - now.keys():
        print(f"- {line}")


if __name__ == "__main__":
    main()
