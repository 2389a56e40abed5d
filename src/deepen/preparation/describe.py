"""What a person should know of the rows and the model before a climb."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deepen.data.table import Part
from deepen.models.find import DEFAULT_MODEL
from deepen.preparation.rows import Rows
from deepen.problem.work import Work


def describe(rows: Rows, work: Work) -> Rows:
    """The rows with notes of what the model does not read: another language, or what is too long."""
    notes = [*_language(work), *(note for part in rows.given.values() for note in _truncation(work, part))]
    return rows.noting(*notes)


def _language(work: Work) -> Iterator[str]:
    if work.base.model.name == DEFAULT_MODEL and work.problem.language == "zh":
        yield (
            f"most of the text is Chinese and {DEFAULT_MODEL} reads English: pass a multilingual or Chinese encoder, "
            "e.g. --model intfloat/multilingual-e5-small"
        )


def _truncation(work: Work, part: Part) -> Iterator[str]:
    cut = int(np.asarray(work.tokens(part.table).truncated_N).sum())
    if cut:
        name, num, limit = part.table.name, len(part.table), work.base.max_tokens
        share = f"{cut:,} of {num:,} texts ({100 * cut / num:.1f} %)"
        task = work.problem.task
        where = "at the beginning" if task.writes is not None and task.writes.turns else "at the end"
        where = "in the middle" if getattr(task.settings, "long", "head") == "ends" else where
        yield f"{name}: {share} are longer than {limit} tokens and cut {where} ({_to_read_more(work)})"


def _to_read_more(work: Work) -> str:
    if work.base.most_tokens > work.base.max_tokens:
        return f"--set model.max_tokens={work.base.most_tokens} reads more"
    if hasattr(work.problem.task.settings, "long"):
        return f"--set tasks.{work.problem.task.name}.long=windows reads all of a text"
    return "--model with one that reads more, or shorten the texts"
