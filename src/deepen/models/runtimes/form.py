"""What an exported network reads and gives, in the words of deepen.json: what `deepen export` writes, others check."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from deepen.models.head import Per

Export = Literal["onnx", "onnx-int8", "ctranslate2"]
FORMS: tuple[str, ...] = get_args(Export)
Form = Export | Literal["static"]
FILE = "onnx/model.onnx"
"""Where the graph lies in its folder, as other tools look for it."""


class Runtime(BaseModel):
    """How a model folder runs that holds no weights for torch."""

    model_config = ConfigDict(extra="ignore")

    form: Form
    per: Per = "row"
    """What there are numbers for; of `ctranslate2`, which writes, this and all below says nothing."""
    width: int = 0
    """How many numbers that gets."""
    named: tuple[str, ...] = ()
    """The arrays that it reads besides tokens."""
    segments: bool = False
    """Whether it reads which text of a pair a token belongs to."""
    windows: bool = False
    """Whether a row may be several sequences, that are pooled together."""
    reduced: bool = False
    """Whether its integers have 7 bits: right on any CPU; of 8 bits, some overflow in one without VNNI."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """What the graph reads, by name."""
        more = ("token_type_ids",) if self.segments else ()
        return ("input_ids", "attention_mask", *more, *self.named, *(("windows",) if self.windows else ()))

    @property
    def outputs(self) -> tuple[str, ...]:
        """What it gives, by name."""
        return ("queries", "documents") if self.per == "text" else ("logits",)
