"""A tokenizer with fewer subword tokens, that cuts every text as before whose tokens are all still there.

That holds for the three ways to cut words: the longest piece first (WordPiece), the likeliest path (Unigram) and merges
in their order (BPE), whose merges on the way to a token stay with it. Single characters stay, so that a word whose
token is gone falls into smaller ones and not into nothing.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepen.core.errors import ModelError
from deepen.core.files import read_object, write_json, write_text
from deepen.models.tokenizer import Tokenizer, load_tokenizer

_SUBWORD = "##"
_STARTS = "▁Ġ"


def trim(
    tokenizer: Tokenizer, used: Mapping[int, int], folder: Path, *, first: int, most: int
) -> tuple[Tokenizer, list[int]]:
    """Writes a tokenizer into a folder that knows some of the tokens of another.

    Args:
        used: Tokens that stay, whatever they are, with how often rows have them.
        folder: An empty folder.
        first: The tokens before this one stay, and so does their number.
        most: Up to so many tokens, those stay too that further rows are the likeliest to have.

    Returns:
        The tokenizer, and the old number of each of its tokens, in order.

    Raises:
        ModelError: If its kind is not known here.
    """
    content: dict[str, Any] = json.loads(tokenizer.backend.to_str())
    model, added = content["model"], content.get("added_tokens") or []
    pieces = _pieces(model)
    stay = set(used) | set(range(first)) | {one["id"] for one in added}
    stay |= {at for piece, at in pieces.items() if _is_small(piece) or piece == model.get("unk_token")}
    stay |= set(_likeliest(pieces, used, stay)[: max(0, most - len(stay))])
    if model.get("unk_id") is not None:
        stay.add(model["unk_id"])
    if model["type"] == "BPE":
        stay |= _parts(model["merges"], pieces, stay)
    old = sorted(stay)
    new = {token: at for at, token in enumerate(old)}
    _renumber(model, pieces, new)
    for one in added:
        one["id"] = new[one["id"]]
    _renumber_special(content.get("post_processor"), new)
    content["truncation"] = content["padding"] = None
    folder.mkdir(parents=True)
    write_text(folder / "tokenizer.json", json.dumps(content, ensure_ascii=False))
    _settings(tokenizer.folder, folder, new)
    return load_tokenizer(folder), old


def _pieces(model: dict[str, Any]) -> dict[str, int]:
    """The subword tokens and their numbers."""
    if model["type"] in ("WordPiece", "BPE", "WordLevel"):
        return dict(model["vocab"])
    if model["type"] == "Unigram":
        return {piece: at for at, (piece, _) in enumerate(model["vocab"])}
    raise ModelError(f"a tokenizer of the kind '{model['type']}' can't be made smaller")


def _likeliest(pieces: dict[str, int], used: Mapping[int, int], stay: set[int]) -> list[int]:
    """The other tokens, by how likely a further row has them.

    That is the share of their script among the tokens of the rows, by Zipf's law of their rank in that script:
    vocabularies of all three kinds begin with the commonest.
    """
    script = {at: _script(piece) for piece, at in sorted(pieces.items(), key=lambda pair: pair[1])}
    times, rank = Counter[str](), Counter[str]()
    for at, number in used.items():
        times[script.get(at, "")] += number
    share: dict[int, float] = {}
    total = dict.fromkeys(script.values(), 0.0)
    for at, name in script.items():
        rank[name] += 1
        share[at] = 1 / rank[name]
        total[name] += share[at]
    others = (at for at in script if at not in stay)
    return sorted(others, key=lambda at: -(times[script[at]] + 0.5) * share[at] / total[script[at]])


def _script(piece: str) -> str:
    """In what a token is written, by its first character: a script, in capitals or not, or digits."""
    letter = piece.removeprefix(_SUBWORD).lstrip(_STARTS)[:1] or piece[0]
    if letter.isdigit():
        return "digits"
    return unicodedata.name(letter, "").split(" ")[0].split("-")[0] + (" capital" if letter.isupper() else "")


def _is_small(piece: str) -> bool:
    """Whether it is a single character, within a word or at its start; or a byte, where those are told apart."""
    plain = piece.removeprefix(_SUBWORD)
    plain = plain[1:] if len(plain) > 1 and plain[0] in _STARTS else plain
    return len(plain) <= 1 or (plain.startswith("<0x") and plain.endswith(">"))


def _parts(merges: list[Any], pieces: dict[str, int], stay: set[int]) -> set[int]:
    """The tokens that are made on the way to others."""
    made: dict[str, list[tuple[str, str]]] = {}
    for merge in merges:
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        made.setdefault(left + right, []).append((left, right))
    names = {at: piece for piece, at in pieces.items()}
    found, open_ = set[int](), [names[at] for at in stay if at in names]
    while open_:
        for part in (part for pair in made.get(open_.pop(), ()) for part in pair):
            if pieces[part] not in found:
                found.add(pieces[part])
                open_.append(part)
    return found


def _renumber(model: dict[str, Any], pieces: dict[str, int], new: dict[int, int]) -> None:
    if model["type"] == "Unigram":
        model["vocab"] = [pair for at, pair in enumerate(model["vocab"]) if at in new]
        model["unk_id"] = None if model.get("unk_id") is None else new[model["unk_id"]]
        return
    model["vocab"] = {piece: new[at] for piece, at in pieces.items() if at in new}
    if model["type"] == "BPE":
        kept = model["vocab"]
        split = (merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"])
        model["merges"] = [[a, b] for a, b in split if a in kept and b in kept and a + b in kept]


def _renumber_special(processor: Any, new: dict[int, int]) -> None:
    """The special tokens that are put around a text."""
    if not isinstance(processor, dict):
        return
    for one in processor.get("processors") or ():
        _renumber_special(one, new)
    for token in (processor.get("special_tokens") or {}).values() if processor["type"] == "TemplateProcessing" else ():
        token["ids"] = [new[at] for at in token["ids"]]
    for name in ("sep", "cls"):
        if isinstance(processor.get(name), list):
            token, at = processor[name]
            processor[name] = [token, new[at]]


def _settings(source: Path, folder: Path, new: dict[int, int]) -> None:
    """What stands beside tokenizer.json and is still true; lists of the vocabulary in other forms are not."""
    for name in ("tokenizer_config.json", "special_tokens_map.json", "sentence_bert_config.json"):
        if (source / name).is_file():
            found = read_object(source / name)
            if name == "tokenizer_config.json" and isinstance(found.get("added_tokens_decoder"), dict):
                kept = found["added_tokens_decoder"].items()
                found["added_tokens_decoder"] = {str(new[int(at)]): one for at, one in kept if int(at) in new}
            write_json(folder / name, found)
