"""What is no way of `deepen compress`, and why: attention heads and units that are removed, and weights kept sparse.

    python benchmarks/compress_table.py --data DATA        # cells compress-heads-SET, -units-SET, -sparse-SET

A cell is a run of the rung `frozen` (that of benchmarks/compress.py) with half of the heads of each layer removed, half
of the units of its feed-forward layers, or half of the weights of all its layers. Heads and units go by the mean of
|value x gradient| of what they give, weights by size. No layer is trained after that; the head is solved again to say
what the whole network says of 800 training rows. `value` is the change of accuracy on 1,000 test rows in points,
paired; `smaller` counts the numbers of the network, `faster` is plain PyTorch, a row at a time, in turns. For `sparse`,
`smaller_than_16_bits` is the network in dense 16 bits by the same with a bit a weight that says whether it is there:
no program on a CPU is quicker with weights kept so.
"""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import dataclass

import cells
import compress
import numpy as np
import torch
from torch import nn

import ladder
from deepen.compression.student import solved_head
from deepen.core.run import open_run
from deepen.evaluation.statistics import paired_bootstrap
from deepen.inference.model import load_model
from deepen.preparation.reopen import recipe_of, reopened

LEARNING, TEST, TOLD, TIMED = 800, 1000, 100, 60


@dataclass
class Part:
    """Token ids of rows, and their labels."""

    rows: list[torch.Tensor]
    labels: np.ndarray

    def features(self, network: nn.Module) -> torch.Tensor:
        """The mean of the last states of each row's tokens."""
        found, order = [None] * len(self.rows), sorted(range(len(self.rows)), key=lambda at: len(self.rows[at]))
        with torch.inference_mode():
            for chosen in (order[at : at + 64] for at in range(0, len(order), 64)):
                for at, one in zip(chosen, mean_states(network, [self.rows[at] for at in chosen]), strict=True):
                    found[at] = one
        return torch.stack(found).clone()


def mean_states(network: nn.Module, rows: list[torch.Tensor]) -> torch.Tensor:
    """The mean of the last states of some rows' tokens, in one padded batch."""
    ids = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    mask = nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    states = network(input_ids=ids, attention_mask=mask).last_hidden_state
    return (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)


def importance(network: nn.Module, head: nn.Linear, part: Part) -> dict[str, torch.Tensor]:
    """How much the loss hangs on each number that enters a layer's two output matrices, by its name."""
    found: dict[str, torch.Tensor] = {}

    def keep(name: str):
        def hook(module: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
            given[0].register_hook(
                lambda grad: found.__setitem__(name, found.get(name, 0) + (grad * given[0].detach()).abs().sum((0, 1)))
            )

        return hook

    network = deepcopy(network).requires_grad_(True)
    outputs = {name: module for name, module in network.named_modules() if name.endswith("output.dense")}
    hooks = [module.register_forward_pre_hook(keep(name)) for name, module in outputs.items()]
    for at in range(0, TOLD, 50):
        logits = head(mean_states(network, part.rows[at : at + 50]))
        nn.functional.cross_entropy(logits, logits.argmax(1)).backward()
    for hook in hooks:
        hook.remove()
    return found


def cut(layer: nn.Linear, kept: torch.Tensor, dim: int) -> nn.Linear:
    """A layer with some of its rows (0) or columns (1)."""
    made = nn.Linear(layer.in_features, len(kept)) if dim == 0 else nn.Linear(len(kept), layer.out_features)
    made.weight = nn.Parameter(layer.weight.detach().index_select(dim, kept))
    made.bias = nn.Parameter(layer.bias.detach()[kept] if dim == 0 else layer.bias.detach())
    return made


def without_half(network: nn.Module, what: str, weights: dict[str, torch.Tensor]) -> nn.Module:
    """A copy with half of the heads, units or weights of each layer."""
    made = deepcopy(network)
    for at, layer in enumerate(made.encoder.layer):
        if what == "heads":
            own, name = layer.attention.self, f"encoder.layer.{at}.attention.output.dense"
            size = own.attention_head_size
            best = weights[name].view(-1, size).sum(1).topk(own.num_attention_heads // 2).indices.sort().values
            kept = (best[:, None] * size + torch.arange(size)).flatten()
            own.query, own.key, own.value = (cut(one, kept, 0) for one in (own.query, own.key, own.value))
            layer.attention.output.dense = cut(layer.attention.output.dense, kept, 1)
            own.num_attention_heads, own.all_head_size = len(best), len(kept)
        elif what == "units":
            score = weights[f"encoder.layer.{at}.output.dense"]
            kept = score.topk(len(score) // 2).indices.sort().values
            layer.intermediate.dense = cut(layer.intermediate.dense, kept, 0)
            layer.output.dense = cut(layer.output.dense, kept, 1)
        else:
            for one in (module for module in layer.modules() if isinstance(module, nn.Linear)):
                least = one.weight.detach().abs().flatten().kthvalue(one.weight.numel() // 2).values
                one.weight = nn.Parameter(one.weight.detach() * (one.weight.detach().abs() > least))
    return made.eval().requires_grad_(False)


def bits(network: nn.Module, *, sparse: bool) -> int:
    """The bits of a network in 16 bits a number; sparse: of a layer's matrices those that are there, and a bit each."""
    total = 0
    for name, one in network.named_parameters():
        packed = sparse and one.dim() == 2 and ".layer." in name
        total += int((one != 0).sum()) * 16 + one.numel() if packed else one.numel() * 16
    return total


def milliseconds(networks: list[nn.Module], part: Part) -> list[float]:
    """The middle time of a row in each of several networks, in turns."""
    found: list[list[float]] = [[] for _ in networks]
    with torch.inference_mode():
        for row in part.rows[:TIMED]:
            for network, seconds in zip(networks, found, strict=True):
                began = time.perf_counter()
                mean_states(network, [row])
                seconds.append(1000 * (time.perf_counter() - began))
    return [float(np.median(one[5:])) for one in found]


def parts(run) -> tuple[Part, Part, object]:
    """Training and test rows of a run, and its network with the head."""
    opened = open_run(run)
    prepared, missing = reopened(opened, recipe_of(opened))
    assert prepared is not None, missing  # noqa: S101 - it was just trained
    model = load_model(run)
    made = []
    for part, most in ((prepared.work.problem.train, LEARNING), (prepared.rows.test, TEST)):
        some = part.take(np.sort(np.random.default_rng(0).permutation(len(part))[:most]))
        tokens = model.predictor.tokens(some.table)
        ends = np.asarray(tokens.offsets_N1)
        rows = [torch.from_numpy(np.asarray(tokens.ids_T[ends[at] : ends[at + 1]], np.int64)) for at in some.rows_N]
        made.append(Part(rows, model.task.targets(some, model.labels).labels_M))
    return made[0], made[1], model.predictor.network.eval()


def counted(right_N: np.ndarray) -> np.ndarray:
    """Right answers and all answers of each row."""
    return np.stack([right_N, np.ones(len(right_N))], axis=1)


def main() -> None:
    """Measures what is still to be measured."""
    options = cells.parser(__doc__ or "").parse_args()
    for name in compress.SETS:
        names = [f"compress-{what}-{name}" for what in ("heads", "units", "sparse")]
        if not any(cells.wanted(one, options) for one in names):
            continue
        learning, test, whole = parts(
            compress.trained(f"{name}-frozen", ladder.sets(options.data, options.work, None)[name], options, "frozen")
        )
        network, head = whole.encoder.network, whole.head
        wanted_NC = head(learning.features(network)).softmax(1).detach()
        before_N = (head(test.features(network)).argmax(1).numpy() == test.labels).astype(float)
        weights = importance(network, head, learning)
        for called, what in zip(names, ("heads", "units", "sparse"), strict=True):
            if not cells.wanted(called, options):
                continue
            made = without_half(network, what, weights)
            order = torch.randperm(LEARNING, generator=torch.Generator().manual_seed(0))
            solved = solved_head(learning.features(made), wanted_NC, order[LEARNING // 5 :], order[: LEARNING // 5])
            after_N = (solved(test.features(made)).argmax(1).numpy() == test.labels).astype(float)
            found = paired_bootstrap(
                counted(after_N), counted(before_N), lambda sums: sums[:, 0] / sums[:, 1], seed=0
            ).interval
            was, now = milliseconds([network, made], test)
            sizes = [sum(one.numel() for one in each.parameters()) for each in (network, made)]
            more = {"smaller_than_16_bits": round(bits(made, sparse=False) / bits(made, sparse=True), 2)}
            cells.write(
                called,
                command="python benchmarks/compress_table.py --data DATA",
                seed=0,
                value=round(100 * found.value, 2),
                n=TEST,
                unit="points of accuracy",
                interval=[round(100 * found.low, 2), round(100 * found.high, 2)],
                before=round(float(before_N.mean()), 4),
                smaller=round(sizes[0] / sizes[1], 2),
                faster=round(was / now, 2),
                ms_before=round(was, 2),
                ms=round(now, 2),
                **(more if what == "sparse" else {}),
            )


if __name__ == "__main__":
    main()
