"""Training in bfloat16 beside float32: sst2, banking77 and conll2003, three seeds, one after the other.

    python benchmarks/precision.py --data DATA --models MODELS [--only precision-sst2]

A cell holds the test score of the chosen rung, the seconds of the whole command and those of each rung. It needs a
machine with instructions for bfloat16 (avx512_bf16 or amx_bf16 among the CPU's flags), which are in the row.
"""

from __future__ import annotations

from pathlib import Path

import cells
import train

SETS = ("sst2", "banking77", "conll2003")


def main() -> None:
    """Measures what is not measured yet."""
    parser = cells.parser(__doc__ or "")
    parser.add_argument("--models", type=Path, default=Path(), help="the folder with further models")
    options = parser.parse_args()
    for name in SETS:
        folder = train.write_rows(name, options)
        for seed in range(3):
            for precision in ("float32", "bfloat16"):
                cell = f"precision-{name}-{precision}-seed{seed}"
                train.deepen_cell(name, seed, folder, options, "--set", f"precision={precision}", called=cell)


if __name__ == "__main__":
    main()
