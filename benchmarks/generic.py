"""A step of training by transformers' own layers, beside one of HF Trainer: medians over the same batches.

Cells `generic-full`, `generic-top_layers` and `generic-trainer` hold seconds a step of 16 rows of sst2; the first two
also the largest gap between the cut network's states and transformers' forward. HF Trainer learns the word vectors
too, which `full` leaves.

    python benchmarks/generic.py --data DATA --model all-mpnet-base-v2-folder
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import cells
import torch
from torch import nn

from deepen.models.encoder import Encoder, layout
from deepen.models.head import Inputs
from deepen.models.heads import mean
from deepen.models.load import load_pretrained
from deepen.models.network import Network
from deepen.training.optimizer import OptimizerSettings, clip, make_optimizer, parameter_groups
from deepen.tuning import full

ROWS, WARM = 16, 2


def batches(options: Any, tokenizer: Any) -> list[tuple[Any, torch.Tensor]]:
    """Tokens and labels of the first rows, 16 at a time."""
    lines = (options.data / "sst2" / "train.tsv").read_text(encoding="utf-8").splitlines()[: ROWS * options.steps]
    rows = [line.rsplit("\t", 1) for line in lines]
    return [
        (
            tokenizer.encode([text for text, _ in rows[at : at + ROWS]], max_tokens=128),
            torch.tensor([int(label) for _, label in rows[at : at + ROWS]]),
        )
        for at in range(0, len(rows), ROWS)
    ]


def ours(encoder: Encoder, depth: int, given: list[tuple[Any, torch.Tensor]]) -> float:
    """Seconds a step of the top layers on cached states, or of all."""
    first = encoder.num_layers - depth
    full.attach(encoder, first, full.TuningSettings())
    encoder.dropout = 0.0
    network = Network(encoder, nn.Linear(encoder.hidden_size, 2), mean.HEAD)
    ready = []
    for sequences, labels in given:
        ids_T, where = torch.from_numpy(sequences.ids_T).long(), layout(torch.from_numpy(sequences.lengths_B))
        inputs = Inputs(where.lengths_B, ids_T=ids_T)
        if first:
            with torch.no_grad():
                hidden_TD = encoder.run(encoder.eval().embed(ids_T, None, where), where, 0, first)
            inputs = Inputs(where.lengths_B, hidden_TD=hidden_TD, start=first)
        ready.append((inputs, labels))
    settings = OptimizerSettings()
    optimizer = make_optimizer(parameter_groups(network, {}, settings, network.head, 1e-5), settings)
    network.train()

    def step(at: int) -> None:
        nn.functional.cross_entropy(network(ready[at][0]), ready[at][1]).backward()
        clip(network.parameters(), settings.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return timed(step, len(ready))


def timed(step: Callable[[int], None], number: int) -> float:
    """The median seconds of a step, after the first few."""
    seconds = []
    for at in range(number):
        began = time.perf_counter()
        step(at)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[WARM:])


def trainer(folder: Any, given: list[tuple[Any, torch.Tensor]], pad_id: int, work: Any) -> float:
    """Seconds a step of HF Trainer with its defaults, on the same batches in the same order."""
    from transformers import AutoModelForSequenceClassification, Trainer, TrainerCallback, TrainingArguments

    rows = [
        {"input_ids": torch.from_numpy(ids).long(), "labels": int(label)}
        for sequences, labels in given
        for ids, label in zip(
            [part.numpy() for part in torch.from_numpy(sequences.ids_T).split(sequences.lengths_B.tolist())],
            labels,
            strict=True,
        )
    ]

    def padded(some: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        ids = nn.utils.rnn.pad_sequence([row["input_ids"] for row in some], batch_first=True, padding_value=pad_id)
        lengths = torch.tensor([len(row["input_ids"]) for row in some])
        mask = (torch.arange(ids.shape[1])[None] < lengths[:, None]).long()
        return {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor([row["labels"] for row in some])}

    class Clock(TrainerCallback):
        marks: list[float] = []  # noqa: RUF012 - of one run

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.marks.append(time.perf_counter())

    arguments = TrainingArguments(
        str(work / "trainer"), per_device_train_batch_size=ROWS, num_train_epochs=1, report_to=[], use_cpu=True,
        save_strategy="no", train_sampling_strategy="sequential",
    )  # fmt: skip
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    clock = Clock()
    Trainer(model, arguments, data_collator=padded, train_dataset=rows, callbacks=[clock]).train()  # type: ignore[arg-type]
    return statistics.median(b - a for a, b in zip(clock.marks[WARM:], clock.marks[WARM + 1 :], strict=False))


def gap(encoder: Encoder, given: list[tuple[Any, torch.Tensor]]) -> float:
    """How far the cut network's states are from those of the whole, on the first batch."""
    sequences = given[0][0]
    where = layout(torch.from_numpy(sequences.lengths_B))
    ids_T, cut = torch.from_numpy(sequences.ids_T).long(), encoder.num_layers // 2
    mask = torch.arange(where.longest)[None] < where.lengths_B[:, None]
    grid = torch.zeros(mask.shape, dtype=torch.int64).masked_scatter(mask, ids_T)
    with torch.inference_mode():
        whole_TD = encoder.network(
            input_ids=grid.masked_fill(~mask, encoder.config.pad_token_id or 0), attention_mask=mask.long()
        )
        lower_TD = encoder.run(encoder.eval().embed(ids_T, None, where), where, 0, cut)
        return float((encoder.run(lower_TD, where, cut, encoder.num_layers) - whole_TD[0][mask]).abs().max())


def main() -> None:
    """Measures the cells that are not there yet."""
    parser = cells.parser(str(__doc__))
    parser.add_argument("--model", required=True, help="a model folder, such as that of all-mpnet-base-v2")
    parser.add_argument("--steps", type=int, default=24)
    options = parser.parse_args()
    model = load_pretrained(options.model)
    given = batches(options, model.tokenizer)
    how = {
        "command": f"python benchmarks/generic.py --data DATA --model {model.folder.name}",
        "seed": 0,
        "unit": "s",
        "warm": True,
    }
    third = max(1, round(model.num_layers / 3))
    for name, depth in (("full", model.num_layers), ("top_layers", third)):
        if cells.wanted(f"generic-{name}", options):
            far = gap(model.encoder().eval(), given)
            value = ours(model.encoder(), depth, given)
            cells.write(f"generic-{name}", value=round(value, 4), n=options.steps, largest_gap=far, **how)
    if cells.wanted("generic-trainer", options):
        value = trainer(model.folder, given, model.tokenizer.pad_id, options.work)
        cells.write("generic-trainer", value=round(value, 4), n=options.steps, **how)


if __name__ == "__main__":
    main()
