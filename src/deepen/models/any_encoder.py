"""Any text network of transformers, cut as `encoder.Encoder` is: its own forward pass runs, and its layers stand aside.

Each layer asks, when the network calls it, whether it is to run. Below the cut it hands on what it is given; the first
layer above the cut reads the cached states in place of that; at the end of what is to run, the pass is left. So masks,
position biases and rotary angles are what the network makes them, whatever the architecture. Sequences are padded.

Shape legend: B sequences, T tokens of all of them, L the longest, D hidden size, P vectors before a text.
"""

from __future__ import annotations

import copy
import inspect
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from deepen.core.errors import ModelError
from deepen.models.encoder import Encoder, Layout, Names, check_ids, layout
from deepen.models.linears import linear_paths, size_of
from deepen.models.positions import first_position

_DROPOUTS = ("attention_dropout", "dropout_prob", "dropout", "activation_dropout")
_CLOSE = 1e-4


class _Reached(Exception):  # noqa: N818 - it is no error
    """The layer was called that is not to run any more."""

    def __init__(self, hidden_BLD: Tensor) -> None:
        self.hidden_BLD = hidden_BLD


@dataclass
class _Pass:
    """What one pass through the network is to run.

    `hidden_BLD` is what layer `start` reads; None is what the network has made by then. `handed_on` is what a layer
    returns besides hidden states, as T5's first one does: the position biases for all that follow.
    """

    start: int
    stop: int
    hidden_BLD: Tensor | None = None
    handed_on: tuple[Any, ...] | None = None


_NOW: ContextVar[_Pass | None] = ContextVar("pass through layers", default=None)


def _called(layer: Any, index: int, *args: Any, **kwargs: Any) -> Any:
    """What a layer does when the network calls it."""
    now, own = _NOW.get(), type(layer).forward
    if now is None:
        return own(layer, *args, **kwargs)
    hidden_BLD: Tensor = args[0] if args else kwargs["hidden_states"]
    if index == now.stop:
        raise _Reached(hidden_BLD)
    if index < now.start:
        if index == 0 and layer.hands_on:
            with torch.no_grad():
                now.handed_on = own(layer, *args, **kwargs)[1:]
        if layer.num_more is None:
            return hidden_BLD
        return (hidden_BLD, *(now.handed_on or (None,) * layer.num_more))
    if index == now.start and now.hidden_BLD is not None:
        hidden_BLD = now.hidden_BLD
    prefix = getattr(layer, "prefix", None)
    if prefix is not None:
        vectors_PD = prefix()
        before_BPD = vectors_PD.expand(len(hidden_BLD), -1, -1)
        hidden_BLD = torch.cat([before_BPD, hidden_BLD[:, len(vectors_PD) :]], 1)
    if args:
        return own(layer, hidden_BLD, *args[1:], **kwargs)
    return own(layer, **(kwargs | {"hidden_states": hidden_BLD}))


class AnyEncoder(Encoder):
    """A pretrained network of any architecture that transformers has as a list of layers.

    Its layers must hand on hidden states and nothing else that depends on the text; `check` tells.
    A layer may hold a `prompt`, or a `prefix` of states that its first places have whatever the layer below says.
    """

    packed = False

    def __init__(self, network: Any) -> None:
        nn.Module.__init__(self)
        self.network: nn.Module = network
        self.config: Any = network.config
        self.in_peft = self.config.model_type != "albert"  # whose layers are `unshared` here
        self.dropout: float | None = None
        self._dropped: float | None = None
        path, found = _list_of_layers(network)
        words = next(name for name, module in network.named_modules() if module is network.get_input_embeddings())
        self.names = Names(layers=path, embeddings=words.rpartition(".")[0] or words, words=words)
        self.layers: list[nn.Module] = list(found)
        self.num_heads = self.num_key_heads = int(getattr(self.config, "num_attention_heads", None) or 1)
        self.first_position = first_position(self.config.to_dict())
        takes = inspect.signature(type(network).forward).parameters
        self._takes_segments = "token_type_ids" in takes
        self._how: dict[str, Any] = {"use_cache": False} if hasattr(self.config, "use_cache") else {}
        if "use_cache" not in takes and not any(kind.kind is kind.VAR_KEYWORD for kind in takes.values()):
            self._how = {}
        self._learn_calls()

    @property
    def num_positions(self) -> int:
        """The most tokens that a text may have; a network with none of its own has no end of them."""
        most = getattr(self.config, "max_position_embeddings", None)
        return int(most) - self.first_position if isinstance(most, int) and most > 0 else 1 << 20

    def _learn_calls(self) -> None:
        """Puts each layer's question before its own forward, and sees in what form it answers."""
        order: list[int] = []

        def saw(layer: Any, args: Any, said: Any, *, index: int) -> None:
            order.append(index)
            more = said[1:] if isinstance(said, tuple) else None
            layer.num_more = None if more is None else len(more)
            layer.hands_on = any(isinstance(part, Tensor) for part in more or ())

        handles = []
        for index, layer in enumerate(self.layers):
            vars(layer).pop("forward", None)  # of another encoder, if this network is a copy
            handles.append(layer.register_forward_hook(partial(saw, index=index)))
        ids_BL = torch.zeros(1, 3, dtype=torch.int64, device=self.device)
        with torch.no_grad(), torch.random.fork_rng():
            self.network(input_ids=ids_BL, attention_mask=torch.ones_like(ids_BL), **self._how)
        for handle in handles:
            handle.remove()
        if order != list(range(len(self.layers))):
            raise ModelError(
                f"{self.config.model_type}: its layers are not called one after the other, so it can't climb"
            )
        for index, layer in enumerate(self.layers):
            vars(layer)["forward"] = partial(_called, layer, index)

    def check(self) -> None:
        """Whether lower and upper layers come to the whole network, on a few tokens.

        Raises:
            ModelError: If they don't: its layers hand on more than hidden states, or the text is read again.
        """
        vocabulary = cast(nn.Embedding, self.network.get_submodule(self.names.words)).num_embeddings
        ids_T = torch.arange(7, device=self.device) % vocabulary
        where = layout(torch.tensor([4, 3], device=self.device))
        with torch.no_grad():
            first_TD = self.embed(ids_T, None, where)
            ids_BL, mask_BL = _padded(ids_T, where), _mask(where)
            whole_TD = _unpadded(self.network(input_ids=ids_BL, attention_mask=mask_BL, **self._how)[0], where)
            for cut in {0, 1, self.num_layers - 1}:
                found_TD = self.run(self.run(first_TD, where, 0, cut), where, cut, self.num_layers)
                if not torch.allclose(found_TD, whole_TD, rtol=_CLOSE, atol=_CLOSE * float(whole_TD.abs().max())):
                    raise ModelError(
                        f"{self.config.model_type}: cut below layer {cut}, it gives other numbers than as a whole, so "
                        "its layers hand on more than hidden states and it can't climb"
                    )

    def embed(self, ids_T: Tensor, segments_T: Tensor | None, where: Layout) -> Tensor:
        """Token ids to what the first layer is called with."""
        check_ids(ids_T, cast(nn.Embedding, self.network.get_submodule(self.names.words)))
        segments = segments_T if self._takes_segments else None
        types = {} if segments is None else {"token_type_ids": _padded(segments, where)}
        return _unpadded(self._pass(_Pass(0, 0), _padded(ids_T, where), where, types), where)

    def run(self, hidden_TD: Tensor, where: Layout, start: int, stop: int) -> Tensor:
        """Runs the layers from `start` up to, not with, `stop`; after the last one comes what the network ends with."""
        for index in range(start, stop):
            own = dict(self.layers[index].named_children())
            vectors: Any = own.get("prompt") or own.get("prefix")
            if vectors is not None:
                hidden_TD = self._run(hidden_TD, where, start, index)
                longer_TD, longer, own_T = vectors.before(vectors(), hidden_TD, where)
                return self._run(longer_TD, longer, index, stop).index_select(0, own_T)
        return self._run(hidden_TD, where, start, stop)

    def _run(self, hidden_TD: Tensor, where: Layout, start: int, stop: int) -> Tensor:
        if start == stop:
            return hidden_TD
        hidden_BLD = _padded(hidden_TD, where)
        ids_BL = torch.zeros(
            hidden_BLD.shape[:2], dtype=torch.int64, device=hidden_TD.device
        )  # what they say is not read
        return _unpadded(self._pass(_Pass(start, stop, hidden_BLD), ids_BL, where, {}), where)

    def _pass(self, wanted: _Pass, ids_BL: Tensor, where: Layout, types: dict[str, Tensor]) -> Tensor:
        if self.training:
            self._drop_as_chosen()
        token = _NOW.set(wanted)
        try:
            return cast(Tensor, self.network(input_ids=ids_BL, attention_mask=_mask(where), **types, **self._how)[0])
        except _Reached as reached:
            return reached.hidden_BLD
        finally:
            _NOW.reset(token)

    def _drop_as_chosen(self) -> None:
        """Gives the network's own dropouts, not those of a tuning, the probability that was chosen."""
        if self.dropout is None or self.dropout == self._dropped:
            return
        for name, module in self.network.named_modules():
            if "lora_dropout" in name:
                continue
            if isinstance(module, nn.Dropout):
                module.p = self.dropout
            for key in _DROPOUTS:
                if isinstance(vars(module).get(key), float):
                    setattr(module, key, self.dropout)
        self._dropped = self.dropout

    def linears(self, layer: nn.Module, part: str) -> list[str]:
        """The paths in a layer of its linear layers of a kind."""
        return linear_paths(layer, part, self.hidden_size)

    def keys_values(self, layer: nn.Module, hidden_TD: Tensor, where: Layout) -> tuple[Tensor, Tensor]:
        """Not to be had of a layer that is only called."""
        raise NotImplementedError


def _padded(x_T: Tensor, where: Layout) -> Tensor:
    """Tokens end to end as a grid with a row a sequence: B x L and whatever more dimensions they have."""
    num_sequences = where.lengths_B.shape[0]
    if where.slots_T is not None:
        grid = x_T.new_zeros(num_sequences * where.longest, *x_T.shape[1:])
        x_T = grid.index_copy(0, where.slots_T, x_T)
    return x_T.view(num_sequences, where.longest, *x_T.shape[1:])


def _unpadded(hidden_BLD: Tensor, where: Layout) -> Tensor:
    hidden = hidden_BLD.reshape(-1, hidden_BLD.shape[-1])
    return hidden if where.slots_T is None else hidden.index_select(0, where.slots_T)


def _mask(where: Layout) -> Tensor:
    """1 for tokens and 0 for padding, as transformers takes it."""
    mask = where.mask_B11L
    if mask is None:
        return torch.ones(len(where.lengths_B), where.longest, dtype=torch.int64, device=where.lengths_B.device)
    seen = mask if mask.dtype == torch.bool else mask > -1.0
    return seen[:, 0, 0, :].to(torch.int64)


def _list_of_layers(network: Any) -> tuple[str, nn.ModuleList]:
    """The outermost list of as many modules as the network has layers, each with a linear layer in it."""
    number = int(network.config.num_hidden_layers)
    for name, module in network.named_modules():
        if not isinstance(module, nn.ModuleList) or len(module) != number:
            continue
        if all(any(size_of(part) is not None for part in layer.modules()) for layer in module):
            return name, module
    raise ModelError(f"{network.config.model_type}: no list of {number} layers was found in it, so it can't climb")


def unshared(network: Any) -> Any:
    """Gives each layer of an ALBERT weights of its own: a cut is only one where nothing below it learns.

    Returns:
        The same network; its config tells of as many groups as layers, which transformers reads.
    """
    config = network.config
    number, groups = int(config.num_hidden_layers), getattr(config, "num_hidden_groups", None)
    if config.model_type == "albert" and groups is not None and groups != number:
        own = network.encoder.albert_layer_groups
        made = [copy.deepcopy(own[int(at / (number / groups))]) for at in range(number)]
        network.encoder.albert_layer_groups, config.num_hidden_groups = nn.ModuleList(made), number
    return network
