"""What will work with a pretrained model, found out by putting each tuning on it."""

from __future__ import annotations

from typing import Any

from deepen import tuning
from deepen.core.errors import SettingError
from deepen.core.shelf import values
from deepen.models.adapters import Method, twin
from deepen.models.asked import pooling_of
from deepen.models.load import load_pretrained
from deepen.models.mlm_head import has_masked_head
from deepen.models.weights import weight_files


def suits(name: str) -> dict[str, Any]:
    """What a model is and what can be done with it; its weights are read.

    Returns:
        What `deepen models FOLDER --json` prints: `packed` is whether the fast path runs it, `asked_by` what answers
        without training (`decoder`, `masked` or None), `tunings` those that can be put on it.

    Raises:
        ModelError: If it can't climb; the message says why.
    """
    model = load_pretrained(name)
    encoder, files = model.encoder(), weight_files(model.folder)
    tunings = []
    for method, value in values(tuning, Method).items():
        try:
            value.attach(twin(encoder), encoder.num_layers - 1, value.settings())
        except SettingError:
            continue
        tunings.append(method)
    masked = "masked" if has_masked_head(model.folder, str(model.config["model_type"])) else None
    return {
        "name": model.name,
        "architecture": model.config["model_type"],
        "packed": encoder.packed,
        "layers": encoder.num_layers,
        "width": encoder.hidden_size,
        "files": len(files),
        "bytes": sum(path.stat().st_size for path in files),
        "max_tokens": model.tokenizer.max_tokens,
        "pooling": pooling_of(model.folder),
        "prefix": model.tokenizer.prefix,
        "asked_by": "decoder" if model.decodes else masked,
        "tunings": tunings,
    }
