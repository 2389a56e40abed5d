"""Two processes that share every batch move the parameters as one process does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SCRIPT = """
import json, os, sys
from pathlib import Path
import numpy as np, torch
from accelerate import Accelerator
from deepen.core.types import LossSum
from deepen.training.loop import Plan, fit
from deepen.training.optimizer import OptimizerSettings, parameter_groups

torch.set_num_threads(1)
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 3))
x, y = torch.randn(60, 5), torch.randint(0, 3, (60,))
y[::7] = -100
accelerator = Accelerator(cpu=True)
seen = np.zeros(60, np.float32)


def step(places, backward):
    loss = torch.nn.functional.cross_entropy(model(x[places]), y[places], reduction="sum")
    backward(loss)
    seen[places] += 1
    return {"loss": LossSum(loss.detach(), float((y[places] >= 0).sum()))}


def batches(epoch):
    order = np.random.default_rng(epoch).permutation(60)
    sizes = [7, 1, 2, 10, 5, 15, 20]  # the second batch has one row: one process has nothing to do
    return [[part for part in np.array_split(b, 3) if len(part)] for b in np.split(order, np.cumsum(sizes)[:-1])]


settings = OptimizerSettings(max_grad_norm=0.5)
out = Path(sys.argv[1])
plan = Plan(
    batches=batches,
    count=lambda places: int((y[places] >= 0).sum()),
    step=step,
    num_epochs=3,
    num_steps=21,
    evaluate=lambda: float(accelerator.process_index),  # they must agree on one score
    evaluate_every=7,
    arrays={"seen": seen},
    checkpoint=out / "checkpoint",
    checkpoint_seconds=0.0,
)
now = fit(model, parameter_groups(model, {}, settings, model[2], 1e-2), plan, settings, accelerator)
if accelerator.is_main_process:
    state = {name: p.tolist() for name, p in model.state_dict().items()}
    (out / "found.json").write_text(json.dumps({
        "state": state, "seen": seen.tolist(), "step": now.step, "processes": accelerator.num_processes,
        "scores": [row["value"] for row in now.curve],
    }))
if accelerator.num_processes > 1:  # now and then torch aborts while its threads are taken down: not what is tested
    accelerator.wait_for_everyone()
    os._exit(0)
"""


def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What one process leaves: this one."""
    folder.mkdir()
    monkeypatch.setattr(sys, "argv", ["script.py", str(folder)])
    exec(compile(SCRIPT, "script.py", "exec"), {"__name__": "script"})  # noqa: S102 - our own text, above
    return dict(json.loads((folder / "found.json").read_text()))


def apart(folder: Path, num_processes: int) -> dict[str, Any]:
    """What so many processes leave."""
    folder.mkdir()
    script = folder / "script.py"
    script.write_text(SCRIPT)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    common |= {"ACCELERATE_USE_CPU": "true", "GLOO_SOCKET_IFNAME": "lo"}
    running = []
    for rank in range(num_processes):
        own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(num_processes)}
        words = [sys.executable, str(script), str(folder)]
        running.append(subprocess.Popen(words, env=common | own, stderr=subprocess.PIPE, text=True))
    for process in running:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said[-3000:]
    return dict(json.loads((folder / "found.json").read_text()))


def test_two_processes_equal_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = here(tmp_path / "one", monkeypatch), apart(tmp_path / "two", 2)
    assert (one["processes"], two["processes"]) == (1, 2)
    assert one["step"] == two["step"] == 21
    for name, value in one["state"].items():
        np.testing.assert_allclose(two["state"][name], value, atol=1e-6, err_msg=name)
    assert one["seen"] == two["seen"] == pytest.approx([3.0] * 60)
    assert two["scores"] == [0.0, 0.0, 0.0]
