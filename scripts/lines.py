"""Prints how long the source is: lines of code, of docstrings, and all with comments and blank ones, by room.

python scripts/lines.py          # the sum
python scripts/lines.py --rooms  # each room of src/deepen/
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "deepen"
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def measured(text: str) -> Counter[str]:
    """Lines of one file: `code`, `docstrings` and `all`."""
    lines = text.splitlines()
    documented: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            documented.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    code = sum(
        at not in documented and bool(line.strip()) and not line.lstrip().startswith("#")
        for at, line in enumerate(lines, 1)
    )
    return Counter({"code": code, "docstrings": len(documented), "all": len(lines)})


def main() -> None:
    """Prints the sums."""
    rooms: dict[str, Counter[str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        room = path.relative_to(SOURCE).parts[0]
        rooms.setdefault(room, Counter()).update(measured(path.read_text(encoding="utf-8")))
    if "--rooms" in sys.argv[1:]:
        for room, counts in sorted(rooms.items(), key=lambda item: -item[1]["all"]):
            print(
                f"{room:<14} {counts['code']:>6,} code  {counts['docstrings']:>6,} docstrings  {counts['all']:>6,} all"
            )
    total = sum(rooms.values(), Counter())
    print(f"src/: {total['code']:,} lines of code, {total['docstrings']:,} of docstrings, {total['all']:,} in all")


if __name__ == "__main__":
    main()
