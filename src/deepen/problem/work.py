"""What every rung is handed: what is learned, what learns it, and where."""

from __future__ import annotations

from dataclasses import dataclass, replace

from deepen.core.errors import SettingError
from deepen.data.table import Part, Table
from deepen.data.tokens import TokenTable
from deepen.problem.base import Base
from deepen.problem.context import Context
from deepen.problem.problem import Problem
from deepen.problem.reading import form_tokens
from deepen.problem.task import Form


@dataclass(frozen=True)
class Work:
    """One climb. Rungs read it and never change it."""

    problem: Problem
    base: Base
    context: Context

    def __post_init__(self) -> None:
        """Raises SettingError if the head has no place for what was set."""
        if self.base.settings.head == "mlp" and not self.form.head.bends:
            raise SettingError(f"model.head=mlp: the head of {self.problem.task.name} can't have a hidden layer")

    @property
    def form(self) -> Form:
        """How rows are read."""
        return self.base.read_by(self.problem.task.form)

    @property
    def deep_form(self) -> Form:
        """How they are read in the rung `full`."""
        return self.base.read_by(self.problem.task.deep or self.problem.task.form)

    def tokens(self, table: Table, form: Form | None = None) -> TokenTable:
        """The tokens of a table, made once, in a form; None is the first form."""
        base = self.base
        return form_tokens(self.problem.task, form or self.form, table, base.model.tokenizer, base.max_tokens)

    def on(self, train: Part, validation: Part | None = None) -> Work:
        """The same with other rows to learn from, and perhaps to decide by."""
        problem = replace(self.problem, train=train, validation=validation or self.problem.validation)
        return replace(self, problem=problem)

    def above(self, reached: float | None) -> Work:
        """The same, knowing the validation score of the encoder below."""
        return replace(self, context=replace(self.context, reached=reached))

    def until(self, deadline: float | None) -> Work:
        """The same with another deadline, or none."""
        return replace(self, context=replace(self.context, deadline=deadline))
