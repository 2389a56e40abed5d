"""A climb in a process that can be killed."""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any


def climb(words: list[str], cache: str) -> None:
    """What the process does."""
    os.environ["DEEPEN_CACHE"] = cache
    sys.argv = ["deepen", *words]
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the process ends
    from deepen.cli.main import main

    main()


def server() -> Any:
    """Processes that start with everything imported, so that a kill hits work and not an import."""
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            *("accelerate", "pandas", "sklearn.linear_model", "sklearn.feature_extraction.text", "torch._dynamo"),
            *(
                "transformers.models.bert.modeling_bert",
                "transformers.models.auto.modeling_auto",
                "deepen.ladder.climb",
            ),
        ]
    )
    return context


def start(context: Any, words: list[object], cache: Path) -> BaseProcess:
    """Starts a climb with a cache of its own."""
    process: BaseProcess = context.Process(target=climb, args=([str(word) for word in words], str(cache)))
    process.start()
    return process
