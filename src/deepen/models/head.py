"""What a head is: a way from hidden states to one vector a unit, and from there to logits. Nothing here loads torch.

Shape legend: B sequences, T tokens, M units, D hidden size, F features of a unit, C outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from deepen.models.encoder import Encoder, Layout

State = dict[str, Any]


@dataclass(frozen=True)
class Inputs:
    """What the network reads: token ids, or the hidden states below the layer it starts from.

    Attributes:
        lengths_B: Tokens of each sequence.
        ids_T: Token ids; None when `hidden_TD` is given.
        hidden_TD: The output of layer `start` - 1, from a cache.
        segments_T: The part of a pair each token belongs to.
        units_M: The token of each unit, counted from the batch's first token; None where the example is the unit.
        start: The first layer to run.
        windows_R: How many sequences each row consists of, one after the other; None: one each.
        again_S: For a head that shares texts, which of the sequences is the next of the rows' texts: one that is
            there more than once is run once. None: all are there.
    """

    lengths_B: Tensor
    ids_T: Tensor | None = None
    hidden_TD: Tensor | None = None
    segments_T: Tensor | None = None
    units_M: Tensor | None = None
    start: int = 0
    windows_R: Tensor | None = None
    again_S: Tensor | None = None

    def to(self, device: torch.device) -> Inputs:
        """The same on another device."""
        move = lambda x: None if x is None else x.to(device)  # noqa: E731
        return Inputs(
            self.lengths_B.to(device),
            move(self.ids_T),
            move(self.hidden_TD),
            move(self.segments_T),
            move(self.units_M),
            self.start,
            move(self.windows_R),
            move(self.again_S),
        )


def flat_layer(size: int, num_outputs: int) -> nn.Linear:
    """A layer of zeros, which says nothing yet."""
    from torch import nn

    layer = nn.Linear(size, num_outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


Per = Literal["row", "token", "text"]
"""What an exported graph has a vector of numbers for: a row, a token of the grid, or each of a row's two texts."""


@dataclass(frozen=True)
class Grid:
    """A head over padded sequences, as an exported graph has it. Shapes: S sequences, L tokens of the longest.

    Attributes:
        pool: hidden_SLD, mask_SL and the arrays that the graph reads, by name, to features.
        per: What there are numbers for.
        named: The arrays that it reads besides tokens.
        outputs: The layer and features to what the graph gives: logits, or of texts the vectors of both sides.
    """

    pool: Callable[[Tensor, Tensor, Mapping[str, Tensor]], Tensor]
    per: Per = "row"
    named: tuple[str, ...] = ()
    outputs: Callable[[nn.Linear, Tensor], tuple[Tensor, ...]] = lambda layer, features: (layer(features),)


@dataclass(frozen=True)
class Head:
    """A way from hidden states to logits, and into a folder that other tools read.

    Attributes:
        name: As its file is called, and as folders call it.
        pool: hidden_TD, the batch's layout and inputs to features_MF: one vector a unit.
        save: Writes it beside a whole encoder. In which layout other tools read it is said there.
        load: The head, an encoder and its folder to the network that was saved.
        states: How many hidden states a unit's features are made of, end to end; None if the layer alone knows.
        sides: How many vectors are joined in the features, each of which the layer reads by itself.
        build: Hidden size and outputs to a layer that has learned nothing.
        logits: The layer and features_MF to logits_MC.
        architecture: What the class of plain transformers ends with that it is written for and only there read from.
        transformers: A network and its encoder's weights to all weights by the names of a class of plain transformers,
            and what that is called after the family's name; None where no class gives these logits. The third is
            whether the weights are all there is.
        peft: The same for the tensors of an adapter and its config.
        is_row: Whether a text's tokens become one vector, so that a person may choose another such head.
        is_units: Whether a row has as many units as tokens are named in it, and not one.
        shares: Whether a text that several rows of a batch have is run once.
        bends: Whether there may be a hidden layer.
        batch_rows: Rows of a step, unless a setting says; None leaves it to the rung.
        has_classes: Whether its outputs are the label table.
        grid: The same over padded sequences; None where no graph is made of it.
    """

    name: str
    pool: Callable[[Tensor, Layout, Inputs], Tensor]
    save: Callable[[Any, Path], None]
    load: Callable[[Head, Encoder, Path], Any]
    states: int | None = 1
    sides: int = 1
    build: Callable[[int, int], nn.Linear] = flat_layer
    logits: Callable[[nn.Linear, Tensor], Tensor] = lambda layer, features_MF: layer(features_MF)
    architecture: str = ""
    transformers: Callable[[Any, State, bool], tuple[State, str] | None] = lambda network, state, whole: None
    peft: Callable[[Any, State, State], tuple[State, State]] = lambda network, state, config: (state, config)
    is_row: bool = False
    is_units: bool = False
    shares: bool = False
    bends: bool = True
    batch_rows: int | None = None
    has_classes: bool = True
    grid: Grid | None = None

    def width(self, hidden_size: int) -> int:
        """F: how many numbers a unit's features have."""
        return (self.states or 1) * hidden_size
