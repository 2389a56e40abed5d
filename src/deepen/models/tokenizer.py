"""A tokenizer as the `tokenizers` library reads it: fast, without the second of start-up that transformers costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tokenizers import Tokenizer as Backend

from deepen.core.errors import ModelError
from deepen.core.files import fingerprint, sha256_file
from deepen.core.foreign import blaming, silenced, whole_number
from deepen.core.places import check_file
from deepen.core.settings import shown
from deepen.core.types import Sequences
from deepen.models.asked import prefix_of, settings_in
from deepen.models.positions import AFTER_PADDING

_LARGEST = 1 << 28  # bytes of a vocabulary; 35 million is the largest known
_LAST_ID = (1 << 31) - 1
Keep = Literal["head", "ends", "windows"]
_VOCABULARIES = ("vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model")


@dataclass(frozen=True)
class Tokenizer:
    """Text to token ids. `fingerprint` is the hash of tokenizer.json, `max_tokens` counts special tokens too.

    `prefix` is what the model asks for before each text; two texts in one sequence go without.
    """

    backend: Any
    folder: Path
    fingerprint: str
    max_tokens: int
    pad_id: int
    prefix: str = ""

    def encode(self, texts: Sequence[str], *, max_tokens: int, keep: Keep = "head") -> Sequences:
        """Token ids with special tokens; what is over `max_tokens` is cut and marked.

        Args:
            texts: B texts.
            max_tokens: The longest sequence, special tokens included.
            keep: What is kept of a longer text: its `head`, both `ends` in equal parts, or all of it in `windows`.
        """
        self.backend.enable_truncation(max_tokens)
        encoded = self.backend.encode_batch_fast([self.prefix + text for text in texts] if self.prefix else list(texts))
        if keep == "windows":
            return _windows(encoded)
        ids = [item.ids if keep == "head" else _kept(item, "ids") for item in encoded]
        lengths = np.fromiter((len(item) for item in ids), dtype=np.int64, count=len(ids))
        flat = np.fromiter((token for item in ids for token in item), dtype=np.int32, count=int(lengths.sum()))
        truncated = np.fromiter((bool(item.overflowing) for item in encoded), dtype=bool, count=len(ids))
        return Sequences(flat, lengths, truncated)

    def encode_pairs(self, first: Sequence[str], second: Sequence[str], *, max_tokens: int) -> Sequences:
        """Two texts as one sequence, with the special tokens and segments that the model was made with.

        Args:
            first: B texts.
            second: B texts.
            max_tokens: The longest sequence; the longer of the two texts is cut first.
        """
        self.backend.enable_truncation(max_tokens, strategy="longest_first")
        encoded = self.backend.encode_batch(list(zip(first, second, strict=True)))
        lengths = np.fromiter((len(item) for item in encoded), dtype=np.int64, count=len(encoded))
        ids, types = (
            np.concatenate([np.asarray(getattr(item, name), np.int32) for item in encoded])
            for name in ("ids", "type_ids")
        )
        truncated = np.fromiter((bool(item.overflowing) for item in encoded), dtype=bool, count=len(encoded))
        return Sequences(ids, lengths, truncated, segments_T=types)

    def places(self, text: str, *, max_tokens: int, keep: Keep = "head") -> list[tuple[int, int] | None]:
        """Where in a text each of its tokens stands.

        Args:
            max_tokens: As in `encode`.
            keep: As in `encode`.

        Returns:
            Start and end in characters for each token that `encode` gives; None for a special token or the prefix's.
        """
        self.backend.enable_truncation(max_tokens)
        found, first = self.backend.encode(self.prefix + text), len(self.prefix)
        names = ("offsets", "special_tokens_mask")
        offsets, masks = (getattr(found, name) if keep == "head" else _kept(found, name) for name in names)
        return [
            None if special or (first and end <= first) else (max(int(start) - first, 0), int(end) - first)
            for (start, end), special in zip(offsets, masks, strict=True)
        ]

    @property
    def mask(self) -> str | None:
        """What the mask of pretraining looks like in a text; None if there is none."""
        return next((name for name in ("[MASK]", "<mask>") if self.backend.token_to_id(name) is not None), None)

    @property
    def hidden_id(self) -> int:
        """The token that stands for a word nobody sees: the mask of pretraining, else the padding."""
        token = self.backend.token_to_id(self.mask) if self.mask is not None else None
        return self.pad_id if token is None else int(token)

    @property
    def unknown_id(self) -> int:
        """The token that stands for what the vocabulary lacks; 0 if there is none."""
        found = (self.backend.token_to_id(name) for name in ("[UNK]", "<unk>"))
        return next((int(token) for token in found if token is not None), 0)

    @property
    def around(self) -> tuple[list[int], list[int]]:
        """The special tokens before and after a text."""
        plain = self.backend.encode("a", add_special_tokens=False).ids
        whole = self.backend.encode("a").ids
        at = next((i for i in range(len(whole)) if whole[i : i + len(plain)] == plain), 0)
        return whole[:at], whole[at + len(plain) :]


def _windows(encoded: Sequence[Any]) -> Sequences:
    rows = [[item.ids, *(more.ids for more in item.overflowing)] for item in encoded]
    ids = [np.asarray(window, np.int32) for row in rows for window in row]
    return Sequences(
        np.concatenate(ids) if ids else np.zeros(0, np.int32),
        np.array([len(window) for window in ids], np.int64),
        np.zeros(len(rows), bool),
        sequence_counts_B=np.array([len(row) for row in rows], np.int64),
    )


def _kept(item: Any, what: str) -> list[Any]:
    """What a cut encoding has at its tokens, with half of what it lacks at its end: the same number of tokens."""
    values = list(getattr(item, what))
    if not item.overflowing:
        return values
    inner = [at for at, special in enumerate(item.special_tokens_mask) if not special]
    rest = [
        value
        for more in item.overflowing
        for value, special in zip(getattr(more, what), more.special_tokens_mask, strict=True)
        if not special
    ]
    tail = inner[len(inner) - len(inner) // 2 :]
    whole = [values[at] for at in inner] + rest
    for at, value in zip(tail, whole[len(whole) - len(tail) :], strict=True):
        values[at] = value
    return values


def load_tokenizer(folder: Path) -> Tokenizer:
    """Reads tokenizer.json; a folder with only the slow form is converted once by transformers.

    Returns:
        The tokenizer; its `max_tokens` is the smallest limit that the folder states.

    Raises:
        ModelError: If there is no tokenizer or it can't be read.
    """
    path = folder / "tokenizer.json"
    if path.is_file():
        check_file(path, most_bytes=_LARGEST, kind=ModelError)
        with blaming(path, "not a tokenizer"):
            backend = Backend.from_file(str(path))
        mark = sha256_file(path)
    else:
        path, backend = folder, _from_slow(folder)
        mark = backend.to_str()
    with blaming(path, "not a tokenizer that can be used"):
        backend.no_padding()
        backend.no_truncation()
        with silenced():  # a library in Rust prints its panic by itself
            backend.encode("a"), backend.encode("a", "a")
        num_special = backend.num_special_tokens_to_add(False)
        if max(backend.get_vocab().values(), default=0) > _LAST_ID:
            raise ValueError("a token has a number above all that a network can know")
    settings, prefix = settings_in(folder / "tokenizer_config.json"), prefix_of(folder)
    max_tokens = _max_tokens(folder, settings)
    if max_tokens <= num_special:
        raise ModelError(f"{folder}: texts are cut to {max_tokens} tokens, {num_special} of them special: none is left")
    return Tokenizer(
        backend=_Blamed(backend, path),
        folder=folder,
        fingerprint=fingerprint(mark, prefix) if prefix else mark[:16],
        max_tokens=max_tokens,
        pad_id=backend.token_to_id(_token_text(settings.get("pad_token"))) or 0,
        prefix=prefix,
    )


class _Blamed:
    """A tokenizer of the library whose failures name its file: one without a token for the unknown fails late."""

    def __init__(self, backend: Backend, file: Path) -> None:
        self._backend, self._file = backend, file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def _encoded(self, how: str, *given: Any, **settings: Any) -> Any:
        with blaming(self._file, "the tokenizer can't read a text"):
            return getattr(self._backend, how)(*given, **settings)

    def encode(self, *given: Any, **settings: Any) -> Any:
        """As the library's."""
        return self._encoded("encode", *given, **settings)

    def encode_batch(self, *given: Any, **settings: Any) -> Any:
        """As the library's."""
        return self._encoded("encode_batch", *given, **settings)

    def encode_batch_fast(self, *given: Any, **settings: Any) -> Any:
        """As the library's."""
        return self._encoded("encode_batch_fast", *given, **settings)


def _from_slow(folder: Path) -> Backend:
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        raise ModelError(f"{folder}: no tokenizer: there is neither tokenizer.json nor {', '.join(_VOCABULARIES)}")
    for name in _VOCABULARIES:
        if (folder / name).is_file():
            check_file(folder / name, most_bytes=_LARGEST, kind=ModelError)
    from transformers import AutoTokenizer

    with blaming(folder, "no tokenizer that can be read"):
        found = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
        return found.backend_tokenizer


def _token_text(token: object) -> str:
    if isinstance(token, dict):
        return str(token.get("content", ""))
    return str(token or "[PAD]")


def _max_tokens(folder: Path, tokenizer_settings: dict[str, Any]) -> int:
    """A text may not have more tokens than the positions of the network, nor than its makers trained it with."""
    name = "sentence_bert_config.json"
    limits = [512]
    limits += [_limit(folder / name, settings_in(folder / name), "max_seq_length")]
    limits += [_limit(folder / "tokenizer_config.json", tokenizer_settings, "model_max_length")]
    config = settings_in(folder / "config.json")
    if config.get("max_position_embeddings"):
        positions = _limit(folder / "config.json", config, "max_position_embeddings", most=1 << 40)
        skipped = config.get("pad_token_id", 1) if config.get("model_type") in AFTER_PADDING else -1
        if not whole_number(skipped, least=-1, most=positions):
            raise ModelError(f"{folder / 'config.json'}: pad_token_id is {shown(skipped)}: it must be a whole number")
        limits += [positions - int(skipped) - 1]
    return min(limits)


def _limit(path: Path, settings: dict[str, Any], name: str, *, most: int = 512) -> int:
    """How many tokens a file allows; `most` where it says nothing, or that it knows no limit."""
    stated = settings.get(name) or most
    if not whole_number(stated, least=1):
        raise ModelError(f"{path}: {name} is {shown(stated)}: it must be a whole number above 0", file=str(path))
    return int(min(stated, most))
