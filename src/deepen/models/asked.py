"""What a folder of sentence-transformers asks for: words before each text, and how token vectors become one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deepen.core.errors import ModelError
from deepen.core.files import read_object, write_json

PROMPTS, POOLING = "config_sentence_transformers.json", "1_Pooling/config.json"
_BY_NAME = {"mean": "mean", "cls": "cls", "lasttoken": "last"}
_BY_FLAG = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_lasttoken": "last"}
_DOCUMENTS = ("document", "passage", "text")


def prefix_of(folder: Path) -> str:
    """What a model was taught to find before a text, such as `query: `.

    It is the default prompt, else the one for classification, else the one for queries if there is one for documents
    too: where only queries have one, a text that is no query was read without.

    Returns:
        The words; empty if the folder asks for none.

    Raises:
        ModelError: If the file that tells is damaged.
    """
    told = settings_in(folder / PROMPTS)
    prompts = told.get("prompts") or {}
    if not isinstance(prompts, dict) or not all(isinstance(text, str) for text in prompts.values()):
        raise ModelError(f"{folder / PROMPTS}: prompts must be names with texts", file=str(folder / PROMPTS))
    if told.get("default_prompt_name") in prompts:
        return str(prompts[told["default_prompt_name"]])
    lower = {str(name).lower(): str(text) for name, text in prompts.items()}
    if lower.get("classification"):
        return lower["classification"]
    return lower.get("query", "") if any(lower.get(name) for name in _DOCUMENTS) else ""


def keep_prefix(source: Path, folder: Path) -> None:
    """Makes a folder of sentence-transformers ask for what another one asks for, by default."""
    prefix = prefix_of(source)
    if prefix and (folder / PROMPTS).is_file():
        write_json(folder / PROMPTS, {"prompts": {"text": prefix}, "default_prompt_name": "text"})


def pooling_of(folder: Path) -> str | None:
    """How a model's own token vectors become one.

    Returns:
        `mean`, `cls` or `last`; None if the folder does not say, or says what no head here does.

    Raises:
        ModelError: If the file that tells is damaged.
    """
    told = settings_in(folder / POOLING)
    if "pooling_mode" in told:
        return _BY_NAME.get(str(told["pooling_mode"]))
    chosen = [flag for flag, on in told.items() if flag.startswith("pooling_mode_") and on is True]
    return _BY_FLAG.get(chosen[0]) if len(chosen) == 1 else None


def settings_in(path: Path) -> dict[str, Any]:
    """What a file of a model folder says; nothing if it is not there."""
    return read_object(path, kind=ModelError) if path.is_file() else {}
