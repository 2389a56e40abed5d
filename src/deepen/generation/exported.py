"""An exported network that writes, as a predictor: the same prompts and answers as the rung that it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.errors import ModelError, SettingError
from deepen.core.seed import derive
from deepen.generation.asking import Ids, load_asking
from deepen.generation.constraints import Constraint
from deepen.generation.writer import Writer
from deepen.models.generator import load_reader, window_of
from deepen.models.runtimes.written import WrittenNetwork
from deepen.models.tokenizer import load_tokenizer
from deepen.problem.task import Task


class ExportedWriter(Writer):
    """Writes an answer to each row by CTranslate2."""

    def write(self, prompts: Sequence[list[int]]) -> list[list[int]]:
        """The tokens that it writes after each prompt."""
        how = self.how() | {"max_new_tokens": self.room(max(map(len, prompts), default=0))}
        said = self.network.write(self._names(prompts), how, seed=derive(self.asking.seed, "writing"))
        return [self.reader.convert_tokens_to_ids(tokens) for tokens in said]

    def nats(self, prompts: Sequence[list[int]], answers: Sequence[list[int]]) -> np.ndarray:
        """The log loss of each answer, nats_N; an answer that was cut is taken to its end."""
        ends = self.ids.ends()
        whole = (
            [ids if ids and ids[-1] in ends else [*ids, ends[0]] for ids in answers] if self.asking.encodes else answers
        )
        return np.array(self.network.nats(self._names(prompts), self._names(whole)))

    def held(self, constraint: Constraint | None, *, max_new_tokens: int | None = None) -> Writer:
        """The same with another limit; answers are held to a form only by the network that was exported."""
        if constraint is not None:
            raise SettingError(
                "an export of CTranslate2 can't hold answers to a form: name the run that it was made of"
            )
        return super().held(None, max_new_tokens=max_new_tokens)

    @property
    def window(self) -> int:
        """As of the network that was exported."""
        return window_of(self.network.config)

    def _names(self, rows: Sequence[list[int]]) -> list[list[str]]:
        return [self.reader.convert_ids_to_tokens(ids) for ids in rows]

    def save(self, folder: Path) -> None:
        """An export is a folder already.

        Raises:
            ModelError: Always.
        """
        raise ModelError(f"{self.network.path} is an export: copy its folder")


def load_exported_writer(folder: Path, task: Task) -> ExportedWriter:
    """Reads what `deepen export --form ctranslate2` wrote.

    Raises:
        ModelError: If a file is missing or damaged.
        SettingError: If CTranslate2 is not installed.
    """
    asking, reader = load_asking(folder), load_reader(folder)
    ends: list[str] = reader.convert_ids_to_tokens(Ids(reader, asking).ends())
    network: Any = WrittenNetwork(folder, encodes=asking.encodes, ends=ends)
    return ExportedWriter(network, reader, load_tokenizer(folder), task, asking)
