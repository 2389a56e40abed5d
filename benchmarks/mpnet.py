"""The climb of a larger encoder, all-mpnet-base-v2, on sst2, banking77 and trec: a `deepen train` each, no option else.

    python benchmarks/mpnet.py --data DATA --model all-mpnet-base-v2-folder [--only trec]

Cells `mpnet-SET`: the test score with its interval, the seconds of the command from cold caches, and each rung.
"""

from __future__ import annotations

from pathlib import Path

import cells

import ladder

SETS = ("trec", "banking77", "sst2")


def main() -> None:
    """Measures what is not measured yet."""
    made = cells.parser(__doc__ or "")
    made.add_argument("--model", type=Path, required=True, help="the folder with all-mpnet-base-v2")
    options = made.parse_args()
    options.seed = 0
    arguments = ladder.sets(options.data, options.work, None)
    for name in SETS:
        if cells.wanted(f"mpnet-{name}", options):
            ladder.climb(f"mpnet-{name}", [*arguments[name], "--model", str(options.model)], options)


if __name__ == "__main__":
    main()
