"""The first token of a text. `SentenceTransformer(folder).encode(text)` gives the logits.

Of a BERT or RoBERTa, `AutoModelForSequenceClassification` gives them too.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from deepen.models.head import Grid, Head, State
from deepen.models.layouts import load_dense, save_dense
from deepen.models.pooling import at_end, padded_ends

if TYPE_CHECKING:
    from deepen.models.network import Network

_WITH_POOLER = ("bert", "roberta", "xlm-roberta", "camembert")
"""Those whose ...ForSequenceClassification reads the first token's state."""
# tanh(x * 2^-12) * 2^12 equals x to about 1e-7 for |x| < 2, so BERT's pooler can be made to pass its input through.
_PASS_THROUGH = 2.0**-12


def _for_classification(network: Network, state: State, whole: bool) -> tuple[State, str] | None:
    """The same weights under the names of a ...ForSequenceClassification.

    Its pooler is the hidden layer of the head, or is made to pass its input on.
    """
    import torch

    kind = network.encoder.config.model_type
    if kind not in _WITH_POOLER or not whole:
        return None
    head, hidden, width = network.head, network.hidden, network.head.in_features
    prefix = "bert" if kind == "bert" else "roberta"
    state = {f"{prefix}.{key}": value for key, value in state.items() if not key.startswith("pooler.")}
    pooler, out = ("bert.pooler.dense", "classifier") if kind == "bert" else ("classifier.dense", "classifier.out_proj")
    state[f"{pooler}.weight"] = torch.eye(width) * _PASS_THROUGH if hidden is None else hidden.weight
    state[f"{pooler}.bias"] = torch.zeros(width) if hidden is None else hidden.bias
    state[f"{out}.weight"] = head.weight / (_PASS_THROUGH if hidden is None else 1)
    state[f"{out}.bias"] = head.bias
    return state, "ForSequenceClassification"


HEAD = Head(
    "cls",
    partial(at_end, last=False),
    save_dense,
    load_dense,
    transformers=_for_classification,
    is_row=True,
    grid=Grid(lambda hidden, mask, arrays: padded_ends(hidden, mask, arrays.get("windows"), last=False)),
)
