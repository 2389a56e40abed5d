"""The README of an export: ten lines of Python that need onnxruntime, tokenizers and numpy, and how it compares.

Which lines they are follows from what the graph reads and gives (`Runtime`), and from how many texts a row has.
"""

from __future__ import annotations

from collections.abc import Sequence

from deepen.exporting.parity import Parity, Step
from deepen.models.runtimes.form import FILE, Runtime
from deepen.problem.regression import LABELS as SCORES
from deepen.problem.task import Task

_START = """\
import json, {more}numpy as np, onnxruntime
from tokenizers import Tokenizer

{rows}
tokenizer = Tokenizer.from_file("FOLDER/tokenizer.json")
tokenizer.enable_truncation({max_tokens})
tokenizer.enable_padding()
labels = json.load(open("FOLDER/labels.json", encoding="utf-8"))
session = onnxruntime.InferenceSession("FOLDER/{file}")
"""
_ALL = "read = tokenizer.encode_batch({texts})\n"
_FEED = """\
parts = {parts}
feed = {{name: np.array([getattr(one, part) for one in read], np.int64) for name, part in parts.items()}}
"""
_RUN = "{out} = session.run(None, feed){pick}\n"
_PARTS = {"input_ids": "ids", "attention_mask": "attention_mask"}
_SEGMENTS = {"token_type_ids": "type_ids"}
_TAGS = """\
starts = np.cumsum([0, *(len(word) + 1 for word in words[:-1])])
places = [read[0].char_to_token(int(start)) for start in starts]
print([labels[logits[0, at].argmax()] for at in places])
"""
_ANSWER = """\
spots = [found.span() for found in re.finditer(r"\\w+|[^\\w\\s]", context)]
places = [read[0].char_to_token(start, 1) for start, _ in spots]
pairs = [(a, b) for a in range(len(spots)) for b in range(a, min(a + 30, len(spots))) if None not in places[a : b + 1]]
best = max((logits[0, places[a], 0] + logits[0, places[b], 1], spots[a][0], spots[b][1]) for a, b in pairs)
print(context[best[1] : best[2]]{unless})
"""


def code(task: Task, labels: tuple[str, ...], runtime: Runtime, max_tokens: int) -> str:
    """A program that cuts texts at `max_tokens`; `FOLDER` stands for the export's, and it first assigns the rows."""
    texts = [need.name for need in task.needs if need.name != "label" and not need.optional]
    parts = str(_PARTS | (_SEGMENTS if runtime.segments else {})).replace("'", '"')
    feed, run, more = _FEED.format(parts=parts), {"out": "logits", "pick": "[0]"}, ""
    if runtime.per == "text":
        rows, read, end = 'texts = ["a question", "an answer", "another answer"]', "texts", _ranked()
        run |= {"out": "queries, documents", "pick": ""}
    elif "spans" in runtime.named:
        rows, read, end = 'texts = ["the @ cat @ sat on the # mat #"]', "texts", _decision(task, labels)
        feed += 'places = [[one.char_to_token(text.index(mark)) for mark in "@#"] for text, one in zip(texts, read)]\n'
        feed += 'feed["spans"] = np.arange(len(read))[:, None] * len(read[0].ids) + np.array(places)\n'
    elif "pairs" in runtime.named:
        rows, read = 'rows = [("a text", "another")]', "[text for row in rows for text in row]"
        feed += 'feed["pairs"] = np.arange(len(read)).reshape(-1, 2)\n'
        end = _decision(task, labels)
    elif runtime.per == "token" and len(texts) > 1:
        rows, read = 'question, context = "who sat?", "the cat sat on the mat"', "[(question, context)]"
        end, more = _ANSWER.format(unless=' if best[0] > 0 else ""' if task.shift is not None else ""), "re, "
    elif runtime.per == "token":
        rows, read, end = 'words = ["Marie", "Curie", "was", "born"]', '[" ".join(words)]', _TAGS
    else:
        two = len(texts) > 1
        rows, read = ('rows = [("a text", "another")]', "rows") if two else ('texts = ["a text"]', "texts")
        end = _decision(task, labels)
        if runtime.windows:
            feed += 'feed["windows"] = np.eye(len(read), dtype=np.float32)\n'
    start = _START.format(more=more, rows=rows, max_tokens=max_tokens, file=FILE)
    if runtime.per == "text":
        start = start.replace('labels = json.load(open("FOLDER/labels.json", encoding="utf-8"))\n', "")
        start = start.replace("import json, ", "import ")
    return start + _ALL.format(texts=read) + feed + _RUN.format(**run) + end


def _decision(task: Task, labels: tuple[str, ...]) -> str:
    """From logits to an answer."""
    if labels == SCORES:
        return "print(logits[:, 0].tolist())\n"
    if task.shift is not None:
        return "print([[label for label, logit in zip(labels, row) if logit > 0] for row in logits])\n"
    return "print([labels[at] for at in logits.argmax(1)])\n"


def _ranked() -> str:
    return "print((queries[:1] @ documents[1:].T).tolist())  # how well each of the others answers the first\n"


def readme(program: str, form: str, source: str, steps: Sequence[Step], found: Parity) -> str:
    """The page in Markdown: `program` as `code` gave it, `source` says of what the export was made."""
    columns = ["model", "largest gap of a logit", "answers changed", "rows a second, beside the trained one"]
    rows = [[one.name, f"{one.largest_gap:.2g}", str(one.flipped), times(one, steps, found)] for one in steps]
    told = f"{found.integer_matmuls} products with weights run in 8-bit integers; another processor may differ."
    more = [told, ""] if found.integer_matmuls else []
    packages = "onnxruntime tokenizers numpy"
    return page(f"{source}, as {form}", packages, program, [columns, *rows], found.rows) + "\n".join(more)


def page(title: str, packages: str, program: str, table: Sequence[Sequence[str]], num_rows: int) -> str:
    """The README of an export: how it is run, and how it compares; the first row of `table` has its columns."""
    first, *rows = (f"| {' | '.join(row)} |" for row in table)
    lines = [
        f"# {title}",
        "",
        f"It answers without Deepen, torch or transformers: `pip install {packages}`.",
        "`FOLDER` is this folder.",
        "",
        "```python",
        program.rstrip(),
        "```",
        "",
        "Deepen reads it as it reads a run: `deepen predict FOLDER --text ...`.",
        "",
        f"## The same answers? Measured where it was made, on {num_rows} validation rows",
        "",
        first,
        "|---" * len(table[0]) + "|",
        *rows,
        "",
    ]
    return "\n".join([*lines, ""])


def times(step: Step, steps: Sequence[Step], found: Parity) -> str:
    """How many rows a second, beside the trained model."""
    trained = steps[-1].rows_per_second / max(found.speedup, 1e-9)
    return f"{step.rows_per_second / trained:.1f} times"
