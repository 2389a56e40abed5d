"""AdamW that does no work on the rows of a word-vector table that a batch does not touch.

A table of 100,000 words has 38 million numbers and a batch a few hundred words, so dense moments cost more than the
rest of the step.

Shape legend: R touched rows, D numbers of a row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class RowAdamW(torch.optim.AdamW):
    """A fused AdamW; parameters with a sparse gradient move only in the rows that it names.

    The rule: a touched row moves as in the dense AdamW, with moments that have decayed for every step since it was last
    touched. A row that is not touched stands still: neither its moments nor weight decay move it. So a row of every
    batch moves as in the dense one, and another is not carried on by what was seen long ago.

    Source:
        Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101; the rule for rows is ours.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Moves every parameter that has a gradient."""
        sparse = [
            (group, parameter, parameter.grad)
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.grad is not None and parameter.grad.is_sparse
        ]
        for _, parameter, _ in sparse:
            parameter.grad = None
        found = super().step(closure)
        for group, parameter, grad in sparse:
            self._move_rows(group, parameter, grad.coalesce())
            parameter.grad = grad
        return found

    def _move_rows(self, group: dict[str, Any], parameter: Tensor, grad: Tensor) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
            state["touched"] = torch.zeros(len(parameter), device=parameter.device)
        state["step"] += 1
        step = float(state["step"])
        rows_R, grad_RD = grad.indices()[0], grad.values()
        waited_R1 = (step - state["touched"][rows_R])[:, None]
        state["touched"][rows_R] = step
        first, second = group["betas"]
        mean_RD = state["exp_avg"][rows_R] * first**waited_R1 + (1 - first) * grad_RD
        square_RD = state["exp_avg_sq"][rows_R] * second**waited_R1 + (1 - second) * grad_RD.square()
        state["exp_avg"][rows_R], state["exp_avg_sq"][rows_R] = mean_RD, square_RD
        size_RD = (square_RD / (1 - second**step)).sqrt_().add_(group["eps"])
        move_RD = group["lr"] * (mean_RD / (1 - first**step) / size_RD + group["weight_decay"] * parameter[rows_R])
        parameter.index_add_(0, rows_R, move_RD, alpha=-1)
