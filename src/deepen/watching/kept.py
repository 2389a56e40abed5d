"""What is made once for a run: its answers to its held-out rows (in the cache), what failures cost it (in the run)."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.errors import DeepenError
from deepen.core.files import cache_dir, fingerprint, read_object, replacing, write_json
from deepen.core.seed import derive
from deepen.watching.evidence import Evidence
from deepen.watching.harm import Harm, calibrate
from deepen.watching.labelling import FOLDER
from deepen.watching.planted import Planted, spoilt, windows
from deepen.watching.reading import Watched
from deepen.watching.rows import Rows

_VERSION = 1
_HARM = "harm.json"
_MOST_PLANTED, _MOST_HALF, _MOST_WINDOW = 500, 2000, 500
_ARRAYS = ("probabilities_NC", "cheaper_RNC", "num_tokens_N", "truncated_N", "targets_N")


def reference_of(watched: Watched) -> Rows:
    """The run's held-out rows; what it says of them is read from the cache if it is there."""
    marks = [model.mark for model in (watched.model, *watched.cheaper)]
    ids = list(watched.part.values("id"))
    tells = () if watched.model.refusing is None else (watched.model.refusing.threshold,)
    path = cache_dir() / "watch" / f"{fingerprint('watch', _VERSION, *marks, ids, *tells)}.npz"
    found = _read(path, watched, ids)
    if found is None:
        watched.say(f"  the run reads its {len(ids):,} held-out rows once")
        found = watched.reference
        _write(path, found)
    return found


def _write(path: Path, rows: Rows) -> None:
    from scipy.sparse import csr_matrix, issparse

    arrays: dict[str, Any] = {name: getattr(rows, name) for name in _ARRAYS}
    if issparse(rows.states_NF):
        states = csr_matrix(rows.states_NF)
        arrays |= {"data": states.data, "indices": states.indices, "indptr": states.indptr, "shape": states.shape}
    elif rows.states_NF is not None:
        arrays["states_NF"] = rows.states_NF
    if rows.refused_N is not None:
        arrays["refused_N"] = rows.refused_N
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as beside, beside.open("wb") as out:
        np.savez(out, **arrays)


def _read(path: Path, watched: Watched, ids: list[str]) -> Rows | None:
    from scipy.sparse import csr_matrix

    from deepen.inference.backing import texts

    try:
        with np.load(path) as kept:
            states: Any = kept.get("states_NF")
            if "indptr" in kept:
                states = csr_matrix((kept["data"], kept["indices"], kept["indptr"]), tuple(kept["shape"]))
            arrays = {name: kept[name] for name in _ARRAYS} | {"refused_N": kept.get("refused_N")}
            return Rows(ids, texts=texts(watched.part), states_NF=states, **arrays)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def harm_of(watched: Watched, reference: Rows, window_rows: int, *, with_texts: bool) -> Harm:
    """What planted failures cost the run: read from RUN/watch/harm.json, or tried out and written there."""
    path = watched.run.folder / FOLDER / _HARM
    window_rows = min(window_rows, _MOST_WINDOW)
    key = fingerprint("harm", _VERSION, watched.model.mark, reference.ids, window_rows)
    name = "with_texts" if with_texts else "answers_alone"
    try:
        kept = read_object(path) if path.is_file() else {}
        if kept.get("key") == key:
            return Harm.of_json(kept[name])
    except (DeepenError, KeyError, TypeError, AttributeError):
        pass  # it is made anew
    made = _tried(watched, reference, window_rows)
    write_json(path, {"key": key, **{one: harm.to_json() for one, harm in made.items()}})
    return made[name]


def _tried(watched: Watched, reference: Rows, window_rows: int) -> dict[str, Harm]:
    half, own, damaged = failures(watched, reference)
    return {
        "with_texts": calibrate(*seen_from(half, own, damaged, window_rows, with_texts=True)),
        "answers_alone": calibrate(*seen_from(half, own, damaged, window_rows, with_texts=False)),
    }


def seen_from(
    half: Rows, own: Rows, damaged: dict[str, list[Rows]], window_rows: int, *, with_texts: bool
) -> tuple[Evidence, Rows, dict[str, list[Rows]], list[Planted]]:
    """What `calibrate` takes: rows as seen from a half, with windows of them."""
    evidence = Evidence(half, with_texts=with_texts)
    own = evidence.seen(own)
    damaged = {kind: [evidence.seen(rows) for rows in strengths] for kind, strengths in damaged.items()}
    return evidence, own, damaged, list(windows(own, damaged, window_rows))


def failures(watched: Watched, reference: Rows) -> tuple[Rows, Rows, dict[str, list[Rows]]]:
    """Some of the held-out rows as they are, others, and those again with failures of each kind planted in them."""
    order_N = np.random.default_rng(derive(0, "halves")).permutation(len(reference))
    num = min(_MOST_PLANTED, len(reference) // 2)
    own_at, half_at = order_N[:num], order_N[num : num + _MOST_HALF]
    watched.say(f"  failures are planted in {num:,} held-out rows, to learn what they cost; this is done once")
    own, half = reference.take(own_at), reference.take(half_at)
    return half, own, spoilt(watched, watched.part.take(own_at), own)
