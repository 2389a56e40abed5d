"""The house keeps its rules, and every rule is shown to be able to fail."""

from __future__ import annotations

import re
from pathlib import Path

import house
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sources() -> list[house.Source]:
    """The files of this house, parsed once for all rules."""
    return house.read(ROOT)


@pytest.mark.parametrize("rule", house.RULES)
def test_the_house_keeps(rule: str, sources: list[house.Source]) -> None:
    found = house.broken(rule, ROOT, sources=sources)
    assert not found, f"{house.RULES[rule].__doc__}\n" + "\n".join(map(str, found))


def test_floors_are_those_of_the_decision_record() -> None:
    record = (ROOT / "docs" / "decisions" / "0001-the-house.md").read_text(encoding="utf-8")
    block = re.search(r"```\n(core\b.*?)```", record, re.DOTALL)
    assert block, "the record shows the floors in a block that starts with core"
    written = tuple(tuple(room.strip() for room in floor.split(",")) for floor in block.group(1).split("<"))
    assert written == house.FLOORS


def test_what_is_imported_is_declared_and_explained(sources: list[house.Source]) -> None:
    assert not house.undeclared(ROOT, sources=sources)
    record = (ROOT / "docs" / "decisions" / "0002-dependencies.md").read_text(encoding="utf-8").lower()
    for group, names in house.requirements(ROOT).items():
        assert {name for name in names if name not in record} == set(), f"not explained: extra '{group}'"


def test_an_undeclared_import_would_be_seen(tmp_path: Path) -> None:
    tree(tmp_path, {"core/a.py": "import json\nfrom yaml import x\nimport some_thing.b\ndef f():\n    import pytest"})
    toml = '[project]\ndependencies = ["PyYAML>=6"]\n[project.optional-dependencies]\n'
    (tmp_path / "pyproject.toml").write_text(toml + 'x = ["some-thing"]\ndev = ["pytest"]', encoding="utf-8")
    assert [problem.line for problem in house.undeclared(tmp_path)] == [5]


def test_no_budget_is_stale(sources: list[house.Source]) -> None:
    files = {source.path: source for source in sources}
    for what, _ in house.budgets(ROOT):
        path, _, name = what.partition("::")
        there = path in files and (not name or name in dict(files[path].functions))
        assert there, f"a decision record raises a budget of {what}, which is gone"


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / "src" / "deepen" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def lines(number: int) -> str:
    return "\n".join(f"    x = {i}" for i in range(number))


def documented(names: str, body: str = "") -> str:
    return f'"""S.\n\n    Args:\n        {names}: One of these is gone.\n    """\n    {body}'


BAD: list[tuple[str, str, dict[str, str]]] = [
    ("arrows", "up", {"core/a.py": "from deepen.data.b import c", "data/b.py": ""}),
    ("arrows", "up, by package", {"core/a.py": "from deepen import data", "data/__init__.py": ""}),
    ("arrows", "up, plain import", {"data/a.py": "import deepen.ladder.climb", "ladder/climb.py": ""}),
    ("arrows", "neighbour", {"data/a.py": "from deepen.models import load", "models/load.py": ""}),
    ("arrows", "inside a function", {"core/a.py": "def f():\n    from deepen.data import b", "data/b.py": ""}),
    ("arrows", "under TYPE_CHECKING", {"core/a.py": "if TYPE_CHECKING:\n    import deepen.tasks.b", "tasks/b.py": ""}),
    ("arrows", "by text", {"core/a.py": "import importlib\nimportlib.import_module('deepen.rungs.full')"}),
    ("arrows", "by f-string", {"tuning/__init__.py": "import_module(f'deepen.rungs.{name}')"}),
    ("arrows", "the front door", {"core/a.py": "import deepen", "__init__.py": ""}),
    ("arrows", "api to an application", {"api.py": "import deepen.applications.a", "applications/a.py": ""}),
    ("arrows", "api to cli", {"api.py": "from deepen.cli.main import main", "cli/main.py": ""}),
    ("arrows", "cli to the front door", {"cli/main.py": "from deepen import __version__", "__init__.py": ""}),
    ("unknown_rooms", "a folder", {"shed/a.py": ""}),
    ("unknown_rooms", "a file", {"tools.py": ""}),
    ("unknown_rooms", "imported", {"core/a.py": "from deepen.shed.a import b"}),
    ("relative_imports", "one dot", {"core/a.py": "from .b import c", "core/b.py": ""}),
    ("relative_imports", "two dots", {"core/a.py": "from .. import data"}),
    ("cycles", "of two", {"core/a.py": "import deepen.core.b", "core/b.py": "def f():\n    import deepen.core.a"}),
    (
        "cycles",
        "of three",
        {
            "core/a.py": "from deepen.core import b",
            "core/b.py": "from deepen.core.c import x",
            "core/c.py": "import deepen.core.a",
        },
    ),
    ("shelf_files", "two files", {"tuning/lora.py": "from deepen.tuning.full import f", "tuning/full.py": ""}),
    ("shelf_files", "two folders", {"tasks/a/b.py": "import deepen.tasks.c.d", "tasks/c/d.py": ""}),
    (
        "shelf_files",
        "on a shelf in a room",
        {
            "diagnosis/questions/cues/ask.py": "from deepen.diagnosis.questions import depth",
            "diagnosis/questions/depth.py": "",
        },
    ),
    ("shelf_values", "a file", {"rungs/full.py": "ORDER = 40"}),
    ("shelf_values", "a folder", {"diagnosis/questions/cues/__init__.py": "", "diagnosis/questions/cues/ask.py": ""}),
    ("file_length", "401 lines", {"core/a.py": "x = 1\n" * 401}),
    ("function_length", "61 lines", {"core/a.py": f"def f():\n{lines(60)}\n"}),
    ("function_length", "a method", {"core/a.py": "class A:\n    def f(self):\n" + "        x = 1\n" * 60}),
    ("function_length", "a command's body", {"cli/main.py": f"def f(\n    a,\n):\n{lines(61)}\n"}),
    ("argument_count", "8", {"core/a.py": "def f(a, b, /, c, *d, e, g, h, **i): ..."}),
    ("argument_count", "a method", {"core/a.py": "class A:\n    def f(self, a, b, c, d, *, e, f, g, h): ..."}),
    ("argument_count", "not a command", {"cli/main.py": "def _f(a, b, c, d, e, f, g, h): ..."}),
    ("open_keywords", "a function", {"core/a.py": "def f(**kwargs): ..."}),
    ("open_keywords", "a method", {"core/a.py": "class A:\n    def f(self, **options): ..."}),
    ("open_keywords", "a constructor", {"core/a.py": "class A:\n    def __init__(self, **options): ..."}),
    ("stale_docstrings", "a function", {"core/a.py": f"def f(b):\n    {documented('a')}"}),
    ("stale_docstrings", "typed", {"core/a.py": f"def f(b):\n    {documented('a (int)')}"}),
    ("stale_docstrings", "two names", {"core/a.py": f"def f(b):\n    {documented('b, a')}"}),
    ("stale_docstrings", "a class", {"core/a.py": f"class A:\n    {documented('a', 'b: int')}"}),
    ("no_utils", "a file", {"core/utils.py": ""}),
    ("no_utils", "a folder", {"data/utils/read.py": ""}),
    *(
        ("kinds_told_apart", what, {"rungs/a.py": text, "tasks/toy.py": "TASK = 1", "models/heads/bag.py": "HEAD = 1"})
        for what, text in (
            ("a task", "if work.problem.task.name == x: pass"),
            ("a task, renamed", "if whatever == 'toy': pass"),
            ("a list of tasks", "if whatever in ('a', 'toy'): pass"),
            ("a table of tasks", "known = {'toy': 1}"),
            ("a match", "match whatever:\n    case 'toy': pass"),
            ("a head", "if network.kind.name == x: pass"),
            ("a head, by its word", "if network.how == 'bag': pass"),
            ("a value", "if work.form.head is bag.HEAD: pass"),
            ("what is learned", "if task.target == CLASS: pass"),
            ("a question of one kind", "if task.documents: pass"),
            ("the shape of targets", "if targets.labels_M.ndim == 2: pass"),
        )
    ),
    ("no_foreign_code", "remote code", {"models/a.py": "f(trust_remote_code=True)"}),
    ("no_foreign_code", "remote code, a variable", {"models/a.py": "f(trust_remote_code=trusted)"}),
    ("no_foreign_code", "remote code, a dictionary", {"models/a.py": "f(**{'trust_remote_code': True})"}),
    ("no_foreign_code", "pickle", {"core/a.py": "def f():\n    import pickle"}),
    ("no_foreign_code", "joblib", {"core/a.py": "from joblib import load"}),
    ("no_foreign_code", "torch.load", {"models/a.py": "import torch\ntorch.load('x', weights_only=True)"}),
    ("no_foreign_code", "load from torch", {"models/a.py": "from torch import load"}),
    ("no_foreign_code", "numpy", {"data/a.py": "np.load('x', allow_pickle=True)"}),
]

GOOD: dict[str, str] = {
    "__init__.py": "from deepen.api import train\n__all__ = ['train']\n",
    "api.py": "from importlib import import_module\nfrom deepen.ladder import climb\nimport deepen.core.a\n",
    "applications/monitor.py": "def f():\n    from deepen.core.a import x\n",
    "cli/main.py": "from deepen.api import go\n\n\ndef train(\n    a, b, c,\n    d, e, f, g, h, i,\n):\n" + lines(60),
    "core/a.py": "import json\nx = 1\n" + "\n" * 398,
    "core/b.py": "from deepen.core.a import x\n\n\nclass A:\n    def _f(self, **rest): ...\n",
    "diagnosis/questions/cues/__init__.py": "from deepen.diagnosis.questions.cues.ask import QUESTION\n",
    "diagnosis/questions/cues/ask.py": "from deepen.diagnosis import case\nimport deepen.diagnosis.questions.cues.find",
    "diagnosis/questions/cues/find.py": "from deepen.core.a import x\n",
    "diagnosis/case.py": "x = 1\n",
    "ladder/climb.py": "from deepen.rungs import lexical\n\n\ndef g(n):\n    import_module(f'deepen.rungs.{n}')\n",
    "rungs/__init__.py": "def load(name):\n    return import_module(f'deepen.rungs.{name}')\n",
    "rungs/lexical.py": "from deepen.rungs import load\nfrom deepen.tasks.classification import score\nRUNG = 1\n",
    "tasks/classification.py": (
        'def score(a, b, c, *d, e, f, g):\n    """S.\n\n    It has notes: like this.\n\n    Args:\n        a: One.\n'
        "        b, c: Two,\n            note: wrapped.\n        *d: More.\n\n"
        '    Returns:\n        z: A number.\n    """\n' + lines(59) + "\nTASK = 1\n"
    ),
    "models/load.py": "from torch import nn\nf(trust_remote_code=False)\nsafetensors.torch.load_file('x')\n",
}


@pytest.mark.parametrize(("rule", "files"), [pytest.param(r, f, id=f"{r}: {what}") for r, what, f in BAD])
def test_rule_can_fail(rule: str, files: dict[str, str], tmp_path: Path) -> None:
    assert house.broken(rule, tree(tmp_path, files))


def test_every_rule_is_shown_to_fail() -> None:
    assert {rule for rule, _, _ in BAD} == set(house.RULES)


@pytest.mark.parametrize("rule", house.RULES)
def test_rule_lets_a_good_house_be(rule: str, tmp_path: Path) -> None:
    assert not house.broken(rule, tree(tmp_path, GOOD))


def test_a_decision_record_raises_a_budget_and_no_further(tmp_path: Path) -> None:
    tree(tmp_path, {"core/a.py": "x = 1\n" * 410, "core/b.py": "def f(a, b, c, d, e, f, g, h): ..."})
    record = tmp_path / "docs" / "decisions" / "0009-room.md"
    record.parent.mkdir(parents=True)
    record.write_text("- budget: `src/deepen/core/a.py` lines 410\n", encoding="utf-8")
    assert house.broken("file_length", tmp_path), "a budget without a reason is not raised"
    record.write_text(
        "- budget: `src/deepen/core/a.py` lines 410: a table\n- budget: `src/deepen/core/b.py::f` arguments 8: a sum\n",
        encoding="utf-8",
    )
    assert not house.broken("file_length", tmp_path)
    assert not house.broken("argument_count", tmp_path)
    tree(tmp_path, {"core/a.py": "x = 1\n" * 411})
    assert house.broken("file_length", tmp_path)
