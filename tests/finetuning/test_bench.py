"""`deepen bench` on the tiny model: the numbers hang together."""

from __future__ import annotations

from pathlib import Path

from deepen.finetuning.bench import bench
from deepen.models.load import load_pretrained


def test_every_rung_is_measured(tiny_model: Path) -> None:
    """Shares, rates and parts agree with each other."""
    record = bench(load_pretrained(str(tiny_model)), mean_tokens=8, batch_tokens=64)
    assert [row["rung"] for row in record["rungs"]] == ["frozen", "top_layers", "full"]
    assert 0 < record["padding_share_avoided"] < 1
    for row in record["rungs"]:
        assert row["tokens_per_second"] > 0
        assert row["useful_gflops"] > 0
        assert set(row["seconds"]) <= {"forward", "backward", "optimizer"}
