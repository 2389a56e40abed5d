"""The rules of the house, as functions from parsed files to problems. `docs/decisions/0001-the-house.md` says why.

Imports are read from the source, wherever they stand: at the top, inside a function, under TYPE_CHECKING, or as the
text of `import_module("deepen....")`. A budget (lines, arguments) is raised by a line in docs/decisions/, which
`budgets` reads:

    - budget: `src/deepen/api.py::train` arguments 12: mirrors the command line
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FLOORS: tuple[tuple[str, ...], ...] = (
    ("core",),
    ("data", "models", "training"),
    ("evaluation", "shallow", "tuning"),
    ("problem", "reporting", "monitoring", "registry"),
    ("tasks", "generation"),
    ("finetuning", "pretraining"),
    ("prompting",),
    ("rungs",),
    ("preparation",),
    ("ladder", "inference"),
    ("diagnosis", "search", "exporting", "making.py"),
    ("compression", "continual", "watching"),
    ("serving", "cluster"),
    ("api.py", "applications"),
    ("cli", "__init__"),
    ("__main__",),
)
SHELVES = {
    "models/heads": "HEAD",
    "tuning": "METHOD",
    "tasks": "TASK",
    "rungs": "RUNG",
    "diagnosis/questions": "QUESTION",
    "compression/ways": "WAY",
    "continual/methods": "METHOD",
    "watching/signals": "SIGNAL",
    "data/corruptions": "CORRUPTION",
    "evaluation/none_of_these": "SCORE",
}
FILE_LINES, FUNCTION_LINES, ARGUMENTS = 400, 60, 7
NO_PICKLE = ("pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve")

FLOOR = {room.removesuffix(".py"): number for number, rooms in enumerate(FLOORS) for room in rooms}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Problem:
    """One place where one rule is broken."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True)
class Source:
    """One file under src/."""

    path: str
    text: str
    modules: frozenset[str]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def module(self) -> str:
        return module_name(self.path)

    @cached_property
    def room(self) -> str:
        return room_of(self.module)

    @cached_property
    def functions(self) -> list[tuple[str, Function]]:
        """Every function with its qualified name, inner ones too."""
        return list(_functions(self.tree, ""))

    @cached_property
    def imports(self) -> list[tuple[int, str]]:
        """Line and module for every import of deepen."""
        return list(_imports(self))


def module_name(path: str) -> str:
    """`src/deepen/core/types.py` -> `deepen.core.types`; a folder's `__init__.py` is the folder."""
    parts = Path(path).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """`deepen.core.types` -> `core`; `deepen` itself -> `__init__`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def read(root: Path) -> list[Source]:
    """Every Python file under root/src/deepen."""
    paths = sorted((root / "src" / "deepen").rglob("*.py"))
    names = {path: path.relative_to(root).as_posix() for path in paths}
    modules = frozenset(module_name(name) for name in names.values())
    return [Source(name, path.read_text(encoding="utf-8"), modules) for path, name in names.items()]


def budgets(root: Path) -> dict[tuple[str, str], int]:
    """(path or path::function, `lines` or `arguments`) -> the limit a decision record gives it."""
    form = re.compile(r"^- budget: `([^`]+)` (lines|arguments) (\d+): \S", re.MULTILINE)
    records = sorted((root / "docs" / "decisions").glob("*.md"))
    found = (form.findall(path.read_text(encoding="utf-8")) for path in records)
    return {(what, kind): int(limit) for matches in found for what, kind, limit in matches}


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield f"{prefix}{child.name}", child
            yield from _functions(child, f"{prefix}{child.name}.<inside>.")
        else:
            yield from _functions(child, f"{prefix}{child.name}." if isinstance(child, ast.ClassDef) else prefix)


def _imports(source: Source) -> Iterator[tuple[int, str]]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if _is_ours(alias.name))
        elif isinstance(node, ast.ImportFrom) and not node.level and _is_ours(node.module or ""):
            inner = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from {(node.lineno, name if name in source.modules else str(node.module)) for name in inner}
        elif isinstance(node, ast.Call) and _last_name(node.func) in ("import_module", "__import__") and node.args:
            text = _leading_text(node.args[0])
            if _is_ours(text):
                yield node.lineno, text.rstrip(".")


def _is_ours(module: str) -> bool:
    return module.split(".")[0] == "deepen"


def _last_name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _leading_text(node: ast.AST) -> str:
    """The text of a string, or of an f-string up to its first value."""
    first = node.values[0] if isinstance(node, ast.JoinedStr) and node.values else node
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


# --- rules: imports -------------------------------------------------------------------------------------------------


def arrows(sources: list[Source]) -> Iterator[Problem]:
    """An import goes to a lower floor or stays in its room."""
    for source in sources:
        here = FLOOR.get(source.room)
        for line, target in source.imports:
            room = room_of(target)
            there = FLOOR.get(room)
            if room != source.room and here is not None and there is not None and there >= here:
                where = "a neighbour of" if there == here else "above"
                yield Problem(source.path, line, f"imports {target}: {room} is {where} {source.room}")


def unknown_rooms(sources: list[Source]) -> Iterator[Problem]:
    """Every file is in a room that has a floor, and so is everything that is imported."""
    for source in sources:
        if source.room not in FLOOR:
            yield Problem(source.path, 1, f"'{source.room}' is not a room of the house")
        for line, target in source.imports:
            if room_of(target) not in FLOOR:
                yield Problem(source.path, line, f"imports {target}: '{room_of(target)}' is not a room of the house")


def relative_imports(sources: list[Source]) -> Iterator[Problem]:
    """Imports name the whole path."""
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                yield Problem(source.path, node.lineno, "relative import")


def cycles(sources: list[Source]) -> Iterator[Problem]:
    """No module reaches itself through imports."""
    paths = {source.module: source.path for source in sources}
    graph = {s.module: sorted({to for _, to in s.imports if to in paths and to != s.module}) for s in sources}
    done: set[str] = set()

    def walk(module: str, trail: list[str]) -> Iterator[Problem]:
        if module in trail:
            knot = [*trail[trail.index(module) :], module]
            yield Problem(paths[module], 1, f"import cycle: {' -> '.join(knot)}")
        elif module not in done:
            for to in graph[module]:
                yield from walk(to, [*trail, module])
            done.add(module)

    for module in graph:
        yield from walk(module, [])


def shelf_files(sources: list[Source]) -> Iterator[Problem]:
    """On a shelf every file (or folder) stands alone; what two need lives lower down or in the shelf's __init__."""
    for source in sources:
        shelf, feature = _on_a_shelf(source.module)
        for line, target in source.imports:
            other, its = _on_a_shelf(target)
            if feature and its and shelf == other and feature != its:
                yield Problem(source.path, line, f"imports {target}: files on the shelf {shelf}/ stand alone")


def shelf_values(sources: list[Source]) -> Iterator[Problem]:
    """What stands on a shelf says what it is in one value; a folder does so in its __init__."""
    for source in sources:
        shelf, feature = _on_a_shelf(source.module)
        value = SHELVES.get(shelf, "")
        if (
            value
            and source.module == f"deepen.{shelf.replace('/', '.')}.{feature}"
            and value not in _bound(source.tree)
        ):
            yield Problem(source.path, 1, f"has no {value}, by which the shelf {shelf}/ knows it")


def _bound(tree: ast.Module) -> set[str]:
    """Names that the top of a module assigns or imports."""
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    imported = [name for node in tree.body if isinstance(node, ast.ImportFrom) for name in node.names]
    return {*map(_last_name, targets), *(alias.asname or alias.name for alias in imported)}


def _on_a_shelf(module: str) -> tuple[str, str]:
    """The shelf that a module stands on, and the feature (a file, or a folder with all that is in it) it is part of."""
    path = "/".join(module.split(".")[1:])
    for shelf in SHELVES:
        if path == shelf or path.startswith(f"{shelf}/"):
            return shelf, path[len(shelf) + 1 :].partition("/")[0]
    return "", ""


# --- rules: size and shape ------------------------------------------------------------------------------------------


def _is_command(source: Source, name: str) -> bool:
    return source.room == "cli" and "." not in name and not name.startswith("_")


def file_length(sources: list[Source]) -> Iterator[Problem]:
    """A file has at most 400 lines, docstrings and all."""
    for source in sources:
        num_lines = len(source.text.splitlines())
        if num_lines > FILE_LINES:
            yield Problem(source.path, num_lines, f"{source.path} lines {num_lines}, at most {FILE_LINES}")


def function_length(sources: list[Source]) -> Iterator[Problem]:
    """A function has at most 60 lines without its docstring; of a command in cli/ only the body counts."""
    for source in sources:
        for name, node in source.functions:
            start = node.body[0].lineno if _is_command(source, name) else node.lineno
            num_lines = (node.end_lineno or start) - start + 1
            if ast.get_docstring(node, clean=False) is not None:
                num_lines -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
            if num_lines > FUNCTION_LINES:
                message = f"{source.path}::{name} lines {num_lines} without its docstring, at most {FUNCTION_LINES}"
                yield Problem(source.path, node.lineno, message)


def argument_count(sources: list[Source]) -> Iterator[Problem]:
    """A function takes at most 7 arguments, self not counted; the commands in cli/ are excepted."""
    for source in sources:
        for name, node in source.functions:
            names = [argument for argument in _argument_names(node) if argument not in ("self", "cls")]
            if len(names) > ARGUMENTS and not _is_command(source, name):
                message = f"{source.path}::{name} arguments {len(names)}, at most {ARGUMENTS}"
                yield Problem(source.path, node.lineno, message)


def open_keywords(sources: list[Source]) -> Iterator[Problem]:
    """A public function says what it takes: no **kwargs."""
    for source in sources:
        for name, node in source.functions:
            hidden = any(part.startswith(("_", "<")) and not part.endswith("__") for part in name.split("."))
            if node.args.kwarg and not hidden:
                yield Problem(source.path, node.lineno, f"{name} takes **{node.args.kwarg.arg}")


def _argument_names(node: Function) -> list[str]:
    rest = [extra.arg for extra in (node.args.vararg, node.args.kwarg) if extra]
    return [item.arg for item in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)] + rest


def _field_names(node: ast.ClassDef) -> list[str]:
    return [_last_name(field.target) for field in node.body if isinstance(field, ast.AnnAssign)]


def stale_docstrings(sources: list[Source]) -> Iterator[Problem]:
    """`Args:` names only arguments that are there; of a class, those of `__init__` or else its fields."""
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef):
                made_by = next((f for f in node.body if isinstance(f, Function) and f.name == "__init__"), None)
                known = _argument_names(made_by) if made_by else _field_names(node)
            elif isinstance(node, Function):
                known = _argument_names(node)
            else:
                continue
            for name in documented(ast.get_docstring(node) or ""):
                if name not in known:
                    message = f"{node.name}: docstring names '{name}', which is not there"
                    yield Problem(source.path, node.lineno, message)


def documented(docstring: str) -> list[str]:
    """The names in the `Args:` section of a Google docstring; `a, b: ...` names two."""
    names: list[str] = []
    inside = False
    for line in docstring.splitlines():
        if line.strip() and not line.startswith(" "):
            inside = line.strip() == "Args:"
        elif inside and (entry := re.match(r" {4}((?:\*{0,2}\w+)(?:, \*{0,2}\w+)*)(?: \([^)]*\))?:", line)):
            names += [name.lstrip("*") for name in entry.group(1).split(", ")]
    return names


# --- rules: what is never there -------------------------------------------------------------------------------------


def no_utils(sources: list[Source]) -> Iterator[Problem]:
    """A file is named after what it does."""
    for source in sources:
        if {"utils", "util", "helpers"} & set(source.module.split(".")):
            yield Problem(source.path, 1, "named after nothing: say what it does")


def no_foreign_code(sources: list[Source]) -> Iterator[Problem]:
    """Reading a model or data never runs its code: no trust_remote_code, no pickle."""
    for source in sources:
        for node in ast.walk(source.tree):
            for banned in _runs_foreign_code(node):
                if banned == "torch.load reads pickles" and source.module == CONVERTER and _tensors_only(source.tree):
                    continue
                yield Problem(source.path, getattr(node, "lineno", 1), banned)


CONVERTER = "deepen.models.convert"
"""What turns pickles into safetensors: it alone opens one, and only for tensors."""


def _tensors_only(tree: ast.AST) -> bool:
    """Whether every call of `load` says weights_only=True."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _last_name(node.func) == "load"]
    said = [key for call in calls for key in call.keywords if key.arg == "weights_only"]
    return len(said) == len(calls) and all(isinstance(k.value, ast.Constant) and k.value.value is True for k in said)


def _imported(node: ast.AST) -> list[str]:
    """The modules that an import statement names, absolute ones only."""
    if isinstance(node, ast.ImportFrom):
        return [node.module] if node.module and not node.level else []
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def _runs_foreign_code(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from (f"imports {name}" for name in _imported(node) if name.split(".")[0] in NO_PICKLE)
        if isinstance(node, ast.ImportFrom) and node.module == "torch":
            yield from ("imports torch.load" for alias in node.names if alias.name == "load")
    elif isinstance(node, ast.Attribute) and node.attr == "load" and _last_name(node.value) == "torch":
        yield "torch.load reads pickles"
    elif isinstance(node, ast.keyword) and node.arg in ("trust_remote_code", "allow_pickle"):
        if not (isinstance(node.value, ast.Constant) and node.value.value is False):
            yield f"{node.arg} may be true"
    elif isinstance(node, ast.Dict):
        keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
        yield from (f"{key} in a dictionary" for key in keys if key in ("trust_remote_code", "allow_pickle"))


# --- rules: kinds of task -------------------------------------------------------------------------------------------

KIND_SHELVES = ("tasks", "models/heads")  # a kind's own file; the names looked for are those of the files there
KIND_VALUES = ("HEAD", "TASK", "CLASS", "MANY", "SCORE")  # and of values of problem/ that say what is learned
KIND_QUESTIONS = ("are_scores", "are_many", "documents")  # what was asked of tasks and targets once
KIND_OWNERS = ("task", "head", "kind", "target", "pooling")  # whose `name` no one compares with anything
HEAD_OWNERS = ("head", "pooling", "network")  # what a name of a head is compared with
KIND_FILES = {
    "deepen.inference.chain": "a chain is a tagger before a relation model, and nothing else",
    "deepen.reporting.shown": "a run of 0.1.0 says nothing of its task but the name",
}


def kinds_told_apart(sources: list[Source]) -> Iterator[Problem]:
    """Kinds of task and head are not told apart outside their own files: what differs is asked of their values.

    Looked for, whatever a variable is called: names of tasks in a comparison, a `match` or as keys of a dictionary;
    values of the shelves in a comparison; `.name` of a task or head in one; questions that only one kind answers;
    and, above problem/, the type or shape of targets. Names of heads (`mean`, `last`) are words
    too: they are looked for in a comparison with something that is called a head, or after what one belongs to.
    """
    tasks, heads = (
        {s.module.removeprefix(shelf) for s in sources if s.module.startswith(shelf)}
        for shelf in (f"deepen.{name.replace('/', '.')}." for name in KIND_SHELVES)
    )
    for source in sources:
        if source.module not in KIND_FILES and not source.module.startswith(("deepen.tasks.", "deepen.models.heads.")):
            above = FLOOR.get(source.room, 0) > FLOOR["problem"]
            for node in ast.walk(source.tree):
                for what in _kind_asked(node, tasks, heads, above=above):
                    yield Problem(source.path, getattr(node, "lineno", 1), f"asks for a kind of task: {what}")


def _kind_asked(node: ast.AST, tasks: set[str], heads: set[str], *, above: bool) -> Iterator[str]:
    if isinstance(node, ast.Attribute):
        form = above and node.attr in ("dtype", "ndim") and _last_name(node.value) == "labels_M"
        if node.attr in KIND_QUESTIONS or form:
            yield node.attr
    elif isinstance(node, ast.Compare | ast.MatchValue):
        operands = [node.value] if isinstance(node, ast.MatchValue) else [node.left, *node.comparators]
        called = {_last_name(inner) for one in operands for inner in ast.walk(one)}
        names = tasks | heads if called & {*HEAD_OWNERS} else tasks
        for one in operands:
            inner = one.elts if isinstance(one, ast.Tuple | ast.List | ast.Set) else [one]
            yield from (str(each.value) for each in inner if isinstance(each, ast.Constant) and each.value in names)
            yield from (_last_name(each) for each in inner if _last_name(each) in KIND_VALUES)
            if isinstance(one, ast.Attribute) and one.attr == "name" and _last_name(one.value) in KIND_OWNERS:
                yield f"{_last_name(one.value)}.name"
    elif isinstance(node, ast.Dict):
        yield from (str(key.value) for key in node.keys if isinstance(key, ast.Constant) and key.value in tasks)


# --- what the project says it needs ---------------------------------------------------------------------------------

NAMED_OTHERWISE = {
    "yaml": "pyyaml",
    "sklearn": "scikit-learn",
    "pycrfsuite": "python-crfsuite",
    "mlflow": "mlflow-skinny",
    "stdnum": "python-stdnum",
}


def requirements(root: Path) -> dict[str, set[str]]:
    """Names of packages in pyproject.toml: for each extra, and under `` what is always needed."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"": project["dependencies"], **project.get("optional-dependencies", {})}
    return {group: {re.split(r"[^\w.-]", item)[0].lower() for item in items} for group, items in groups.items()}


def undeclared(root: Path, *, sources: list[Source] | None = None) -> list[Problem]:
    """Imports of packages that pyproject.toml names neither as always needed nor in an extra that users install."""
    known = {name for group, names in requirements(root).items() if group != "dev" for name in names}
    return [
        Problem(source.path, getattr(node, "lineno", 1), f"imports {top}, which is not declared")
        for source in sources or read(root)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for top in {name.split(".")[0] for name in _imported(node)} - {"deepen", "", *sys.stdlib_module_names}
        if NAMED_OTHERWISE.get(top, top.replace("_", "-")) not in known
    ]


RULES: dict[str, Callable[[list[Source]], Iterator[Problem]]] = {
    rule.__name__: rule
    for rule in (
        arrows,
        unknown_rooms,
        relative_imports,
        cycles,
        shelf_files,
        shelf_values,
        file_length,
        function_length,
        argument_count,
        open_keywords,
        stale_docstrings,
        no_utils,
        no_foreign_code,
        kinds_told_apart,
    )
}


def broken(rule: str, root: Path, *, sources: list[Source] | None = None) -> list[Problem]:
    """What a rule finds under root/src/deepen, less what a decision record allows.

    Args:
        sources: Its files, if they are read and parsed already.
    """
    allowed = budgets(root)

    def over(problem: Problem) -> bool:
        found = re.match(r"(\S+) (lines|arguments) (\d+)", problem.message)
        return not found or int(found.group(3)) > allowed.get((found.group(1), found.group(2)), 0)

    return [problem for problem in RULES[rule](read(root) if sources is None else sources) if over(problem)]
