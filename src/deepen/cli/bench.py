"""`deepen bench`: what this machine can do with a model."""

from __future__ import annotations

from typing import Annotated

import typer

from deepen.cli import show

NAME = "bench"
HELP = """Measure this machine: the matmul rate in the model's shapes, and how near each rung comes to it.

\b
  deepen bench
  deepen bench --model intfloat/multilingual-e5-small --json
"""


def command(
    model: Annotated[str | None, typer.Option(help="A pretrained model: a folder or a hub id.")] = None,
    mean_tokens: Annotated[int, typer.Option(min=2, max=400, help="The mean length of a text, in tokens.")] = 25,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Measures."""
    from deepen.api import bench

    record = bench(model, mean_tokens=mean_tokens)
    if as_json:
        show.print_json(record)
        return
    show.say(f"{record['model']}, {record['threads']} threads, {record['tokens_per_step']} tokens a step")
    show.say(f"matmul in the model's shape: {record['matmul_gflops']:.0f} GFLOP/s")
    show.say(f"padding that is not computed: {100 * record['padding_share_avoided']:.0f} % of a padded grid")
    for row in record["rungs"]:
        parts = ", ".join(f"{name} {1000 * value:.0f} ms" for name, value in row["seconds"].items())
        share = f"{100 * row['share_of_matmul']:.0f} % of matmul"
        rate = f"{row['tokens_per_second']:>8,} tokens/s  {row['useful_gflops']:>6.0f} GFLOP/s"
        show.say(f"  {row['rung']:<11}{rate}  {share}  ({parts})")
