"""A run's model folder without Deepen: `SentenceTransformer(folder).encode(text)` against the run's own logits.

    python benchmarks/without_deepen.py --data DATA --peers PEERS/bin/python

Takes the sst2 run of benchmarks/ladder.py, 200 test rows. PEERS is an environment with sentence-transformers, without
Deepen (benchmarks/peers/requirements.txt). The cell holds the largest difference of a logit.
"""

from __future__ import annotations

import json

import cells
import numpy as np

from deepen.inference.model import load_model

ROWS = 200
PROGRAM = """
import importlib.util, json, sys
from sentence_transformers import SentenceTransformer, __version__
assert importlib.util.find_spec("deepen") is None
texts = json.load(sys.stdin)
logits = SentenceTransformer(sys.argv[1], device="cpu").encode(texts, batch_size=32)
print(json.dumps({"version": __version__, "logits": logits.astype(float).tolist()}))
"""


def main() -> None:
    """Measures what is not measured yet."""
    parser = cells.parser(__doc__ or "")
    parser.add_argument("--peers", required=True, help="the Python of the peers' environment")
    options = parser.parse_args()
    name = "without-deepen-sst2"
    if not cells.wanted(name, options):
        return
    run = options.work / "runs" / "ladder-sst2-seed0"
    model = load_model(run)
    part, outputs, _ = model.run(str(options.data / "sst2" / "test.tsv"), columns=None, need_target=False)
    texts = [text for _, text in zip(range(ROWS), part.values("text"), strict=False)]
    seconds, peak, printed = cells.run(
        [options.peers, "-c", PROGRAM, str(run / "model")],
        environment={"HF_HUB_OFFLINE": "1"},
        given=json.dumps(texts),
    )
    theirs = json.loads(printed.strip().splitlines()[-1])
    worst = float(np.abs(np.asarray(theirs["logits"]) - outputs.values_MC[:ROWS]).max())
    cells.write(
        name,
        command="python benchmarks/without_deepen.py --data DATA --peers PEERS/bin/python",
        seed=0,
        value=worst,
        n=len(texts),
        metric="largest difference of a logit",
        rung=model.rung,
        sentence_transformers=theirs["version"],
        seconds=round(seconds, 1),
        peak_memory_bytes=peak,
    )


if __name__ == "__main__":
    main()
