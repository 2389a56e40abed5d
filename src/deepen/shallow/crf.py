"""A linear-chain conditional random field over surface features, and the tags of each word as counted in training.

python-crfsuite fits the weights; they are then kept as JSON and safetensors and run by numpy, so that a saved model
needs neither crfsuite nor a binary file of its own.

Shape legend: N rows, M units, C tags, V entries of a vocabulary, B rows of a batch, L the longest of them.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.errors import SettingError
from deepen.core.types import Outputs
from deepen.models.arrays import check_shapes, read_arrays, read_names
from deepen.shallow.model import ARRAYS, NAMES, Scaled, offsets_of, write_model
from deepen.shallow.tfidf import LexicalSettings

Tokens = Callable[[Any], Iterator[list[str]]]
_BATCH_ROWS = 256
_PRIOR_WEIGHT = 0.05


def features(words: Sequence[str]) -> list[list[str]]:
    """What can be seen of each word: itself, affixes, shape, neighbours; of a Chinese character n-grams with these."""
    chinese = [_is_chinese(word) for word in words]
    lower = [word.lower() for word in words]
    shapes = [_shape(word) for word in words]
    at = lambda items, index: items[index] if 0 <= index < len(items) else "^" if index < 0 else "$"  # noqa: E731
    out = []
    for index, word in enumerate(words):
        w = [at(lower, index + step) for step in (-2, -1, 0, 1, 2)]
        s = [at(shapes, index + step) for step in (-1, 0, 1)]
        found = ["bias", f"w={word}", *(f"l{step}={value}" for step, value in zip((-2, -1, 0, 1, 2), w, strict=True))]
        found += [f"s{step}={value}" for step, value in zip((-1, 0, 1), s, strict=True)]
        found += [f"b-={w[1]}|{w[2]}", f"b+={w[2]}|{w[3]}"]
        if chinese[index] or len(word) == 1:
            found += [f"b0={w[1]}|{w[3]}", f"b--={w[0]}|{w[1]}", f"b++={w[3]}|{w[4]}"]
            found += [f"t-={w[0]}|{w[1]}|{w[2]}", f"t0={w[1]}|{w[2]}|{w[3]}", f"t+={w[2]}|{w[3]}|{w[4]}"]
        else:
            found += [f"p{size}={lower[index][:size]}" for size in range(1, 5) if len(word) > size]
            found += [f"e{size}={lower[index][-size:]}" for size in range(1, 5) if len(word) > size]
            found += [f"s3={'|'.join(s)}", f"ls={w[1]}|{s[1]}", f"rs={w[3]}|{s[1]}"]
        out.append(found)
    return out


def _is_chinese(word: str) -> bool:
    return len(word) == 1 and "\u3400" <= word <= "\u9fff"


def _shape(word: str) -> str:
    """`McDonald-1990` is `XxXx-d`: runs of one kind are one letter."""
    shape = ""
    for letter in word:
        kind = "d" if letter.isdigit() else "X" if letter.isupper() else "x" if letter.islower() else letter
        kind = "c" if _is_chinese(letter) else kind
        if not shape.endswith(kind):
            shape += kind
    return shape[:12]


@dataclass
class WordTags:
    """The tags that each word had in training; a word never seen gets what is most frequent."""

    words: dict[str, int]
    logits_VC: np.ndarray
    tokens: Tokens

    @property
    def num_parameters(self) -> int:
        """One a word and tag."""
        return int(self.logits_VC.size)

    def predict(self, part: Any) -> Outputs:
        """The logits of each word; the last row of the table is for new words."""
        unseen = len(self.words)
        rows = [[self.words.get(word, unseen) for word in words] for words in self.tokens(part)]
        return Outputs(self.logits_VC[_flat(rows)], offsets_of(rows))

    def calibrate(self, temperature: float, shift_C: np.ndarray | float = 0.0) -> None:
        """Divides the logits, and shifts them."""
        self.logits_VC = self.logits_VC / np.float32(temperature) + np.float32(shift_C)

    def save(self, folder: Path) -> None:
        """Writes the words as JSON, the logits as safetensors."""
        write_model(folder, {"logits": self.logits_VC}, names=list(self.words))


def count_tags(tokens: Tokens, part: Any, labels_M: np.ndarray, num_tags: int) -> WordTags:
    """Counts the tags of each word. Its logits are log shares, smoothed a little towards those of all words."""
    words: dict[str, int] = {}
    flat = _flat([words.setdefault(word, len(words)) for word in row] for row in tokens(part))
    scored = labels_M >= 0
    cells = np.bincount(flat[scored] * num_tags + labels_M[scored], minlength=(len(words) + 1) * num_tags)
    counts_VC = cells.reshape(-1, num_tags).astype(np.float64)
    prior_C = (counts_VC.sum(0) + 0.5) / (counts_VC.sum() + 0.5 * num_tags)
    shares_VC = (counts_VC + _PRIOR_WEIGHT * prior_C) / (counts_VC.sum(1, keepdims=True) + _PRIOR_WEIGHT)
    return WordTags(words, np.log(shares_VC).astype(np.float32), tokens)


@dataclass
class ChainField(Scaled):
    """A conditional random field; its logits are log marginals, so that softmax gives the probability of each tag."""

    vocabulary: dict[str, int]
    weight_VC: np.ndarray
    transition_CC: np.ndarray
    tokens: Tokens

    @property
    def num_parameters(self) -> int:
        """Weights that are not 0."""
        return int(np.count_nonzero(self.weight_VC) + np.count_nonzero(self.transition_CC))

    def predict(self, part: Any) -> Outputs:
        """The log marginals of a part's words, divided by the temperature."""
        rows = [self._states(words) for words in self.tokens(part)]
        offsets_N1 = offsets_of(rows)
        values_MC = np.empty((int(offsets_N1[-1]), len(self.transition_CC)), np.float32)
        order = sorted(range(len(rows)), key=lambda index: -len(rows[index]))
        for start in range(0, len(order), _BATCH_ROWS):
            some = order[start : start + _BATCH_ROWS]
            for index, found_LC in zip(some, log_marginals([rows[i] for i in some], self.transition_CC), strict=True):
                values_MC[offsets_N1[index] : offsets_N1[index + 1]] = found_LC
        return Outputs(values_MC / np.float32(self.temperature), offsets_N1)

    def features(self, part: Any) -> Any:
        """What it sees of each word: a sparse row of ones for the features that have a weight, features_MV."""
        from scipy.sparse import csr_matrix

        found = [places for words in self.tokens(part) for places in _places(self.vocabulary, words)]
        shape = (len(found), len(self.weight_VC))
        return csr_matrix((np.ones(sum(map(len, found)), np.float32), _flat(found), offsets_of(found)), shape)

    def _states(self, words: list[str]) -> np.ndarray:
        """The summed weights of each word's features, shape (L, C)."""
        found = _places(self.vocabulary, words)
        sums_LC = np.zeros((len(words), self.weight_VC.shape[1]))
        np.add.at(sums_LC, np.repeat(np.arange(len(words)), [len(row) for row in found]), self.weight_VC[_flat(found)])
        return sums_LC

    def save(self, folder: Path) -> None:
        """Writes the names of the features as JSON, the weights as safetensors."""
        arrays = {"weight": self.weight_VC, "transition": self.transition_CC, "temperature": [self.temperature]}
        write_model(folder, arrays, names=list(self.vocabulary))


def _places(vocabulary: dict[str, int], words: list[str]) -> list[list[int]]:
    """The features of each word that are in the vocabulary."""
    get = vocabulary.get
    return [[index for name in names if (index := get(name)) is not None] for names in features(words)]


def log_marginals(states: Sequence[np.ndarray], transition_CC: np.ndarray) -> list[np.ndarray]:
    """The log probability of each tag at each place, over all sequences of tags (forward-backward).

    States, longest first, score each tag at each place; transitions going from the first tag to the second.

    Source:
        Lafferty, McCallum and Pereira 2001, https://dl.acm.org/doi/10.5555/645530.655813
    """
    lengths = np.array([len(state) for state in states])
    longest, num_tags = int(lengths[0]), len(transition_CC)
    grid = np.zeros((longest, len(states), num_tags))
    for index, state in enumerate(states):
        grid[: len(state), index] = state
    forward, backward = grid.copy(), np.zeros_like(grid)
    shift = transition_CC.max()
    step_CC = np.exp(transition_CC - shift)
    for at in range(1, longest):
        alive = int(np.searchsorted(-lengths, -at, side="left"))
        forward[at, :alive] += _log_dot(forward[at - 1, :alive], step_CC) + shift
    for at in range(longest - 2, -1, -1):
        alive = int(np.searchsorted(-lengths, -(at + 1), side="left"))
        backward[at, :alive] = _log_dot(backward[at + 1, :alive] + grid[at + 1, :alive], step_CC.T) + shift
    both = forward + backward
    both -= both.max(-1, keepdims=True)
    both -= np.log(np.exp(both).sum(-1, keepdims=True))
    return [both[: len(state), index] for index, state in enumerate(states)]


def _log_dot(scores_BC: np.ndarray, step_CC: np.ndarray) -> np.ndarray:
    top_B1 = scores_BC.max(1, keepdims=True)
    return np.asarray(np.log(np.exp(scores_BC - top_B1) @ step_CC + 1e-300) + top_B1)


def fit_field(
    tokens: Tokens, part: Any, labels: Sequence[np.ndarray], num_tags: int, settings: LexicalSettings
) -> ChainField:
    """Fits a conditional random field with crfsuite (L-BFGS, elastic net)."""
    try:
        import pycrfsuite
    except ImportError:
        raise SettingError("the rung lexical of tagging needs python-crfsuite: pip install deepen[tagging]") from None
    counts = Counter(name for words in tokens(part) for names in features(words) for name in names)
    least = settings.min_rows if len(labels) >= 200 else 1
    vocabulary = {name: index for index, name in enumerate(n for n, count in counts.items() if count >= least)}
    del counts
    trainer = pycrfsuite.Trainer(verbose=False)
    trainer.set_params(
        {
            "c1": settings.tag_l1,
            "c2": settings.tag_l2,
            "max_iterations": settings.max_iterations,
            "feature.possible_transitions": True,
        }
    )
    for words, tags in zip(tokens(part), labels, strict=True):
        trainer.append([list(map(str, places)) for places in _places(vocabulary, words)], list(map(str, tags)))
    with tempfile.TemporaryDirectory() as at:
        path = str(Path(at) / "field")
        trainer.train(path)
        tagger = pycrfsuite.Tagger()
        tagger.open(path)
        info = tagger.info()
        tagger.close()
    return _exported(info, vocabulary, num_tags, tokens)


def _exported(info: Any, vocabulary: dict[str, int], num_tags: int, tokens: Tokens) -> ChainField:
    """The weights as arrays, without the features that have none; a transition that was never seen is ruled out."""
    names = list(vocabulary)
    used = sorted({int(name) for name, _ in info.state_features})
    place = {old: new for new, old in enumerate(used)}
    weight_VC = np.zeros((len(used), num_tags), np.float32)
    for (name, tag), weight in info.state_features.items():
        weight_VC[place[int(name)], int(tag)] = weight
    transition_CC = np.zeros((num_tags, num_tags), np.float32)
    for (before, after), weight in info.transitions.items():
        transition_CC[int(before), int(after)] = weight
    return ChainField({names[old]: new for old, new in place.items()}, weight_VC, transition_CC, tokens)


def load_field(folder: Path, tokens: Tokens) -> ChainField:
    """Reads what `ChainField.save` wrote."""
    arrays = read_arrays(folder / ARRAYS, {"weight": 2, "transition": 2, "temperature": 1})
    vocabulary = _numbered(folder)
    num_tags = arrays["weight"].shape[1]
    shapes = {"weight": (len(vocabulary), num_tags), "transition": (num_tags, num_tags), "temperature": (1,)}
    check_shapes(folder / ARRAYS, arrays, shapes)
    temperature = float(arrays["temperature"][0])
    return ChainField(vocabulary, arrays["weight"], arrays["transition"], tokens, temperature=temperature)


def load_word_tags(folder: Path, tokens: Tokens) -> WordTags:
    """Reads what `WordTags.save` wrote."""
    words, arrays = _numbered(folder), read_arrays(folder / ARRAYS, {"logits": 2})
    check_shapes(folder / ARRAYS, arrays, {"logits": (len(words) + 1, arrays["logits"].shape[1])})
    return WordTags(words, arrays["logits"], tokens)


def _numbered(folder: Path) -> dict[str, int]:
    return {name: index for index, name in enumerate(read_names(folder / NAMES, []))}


def _flat(rows: Iterable[Sequence[int]]) -> np.ndarray:
    return np.fromiter((index for row in rows for index in row), np.int64)
