"""`/predict`, `/rerank` and `/embed`: bodies and answers as text-embeddings-inference has them.

Who asks names a run in `model`, else it is the first that is served.
Source: https://huggingface.github.io/text-embeddings-inference (its OpenAPI).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deepen.serving.bodies import Addressed
from deepen.serving.front import Front, records
from deepen.serving.names import SCORES, VECTORS
from deepen.serving.problems import RefusedError

Row = dict[str, Any]
_INPUTS = "it must be a text, a list of texts, or a list of pairs of texts"


class _Body(Addressed):
    truncate: bool | None = False
    """Whether a text may be cut that is longer than the model reads; else it is refused."""
    truncation_direction: Literal["right", "Right"] = "right"


class PredictBody(_Body):
    """Texts, or pairs of them, that are labelled."""

    inputs: str | list[Any]
    raw_scores: bool = False
    """Whether scores are logits."""


class RerankBody(_Body):
    """Texts that are ordered for a query."""

    query: str
    texts: Annotated[list[str], Field(min_length=1)]
    raw_scores: bool = False
    return_text: bool = False


class EmbedBody(_Body):
    """Texts that become vectors."""

    inputs: str | list[str]
    normalize: bool = True
    prompt_name: None = None
    dimensions: None = None


async def predict(front: Front, request: Request) -> Response:
    """Labels with their scores, highest first: a list for one input, a list of lists for several."""
    key, run, asked = await front.opened(request, PredictBody)
    about = front.pool.abouts[run]
    wanted = [need["name"] for need in about["inputs"] if not need["optional"]]
    pieces, alone = _sequences(asked.inputs, len(wanted))
    rows: list[Row] = [dict(zip(wanted, piece, strict=True)) for piece in pieces]
    front.allow(key, len(rows), field="inputs")
    answers = records((await front.ask(key, run, rows, job=SCORES if asked.raw_scores else "")).answers)
    found = []
    for at, answer in enumerate(answers):
        _check(answer, asked.truncate, "inputs" if alone else f"inputs/{at}")
        scores = _scores(answer, about["labels"], raw=asked.raw_scores)
        if scores is None:
            said = f"answers of {about['task']} are no scores of labels: ask /v1/runs/{run}/predict"
            raise RefusedError(422, said, field="model")
        order = sorted(scores, key=lambda name: -scores[name])
        found.append([{"score": scores[name], "label": name} for name in order])
    return JSONResponse(found[0] if alone else found)


async def rerank(front: Front, request: Request) -> Response:
    """The texts' places in the list that came, with their scores, best first."""
    key, run, asked = await front.opened(request, RerankBody)
    about = front.pool.abouts[run]
    if not any(need["kind"] == "texts" for need in about["inputs"]):
        raise RefusedError(422, f"{run} is a run of {about['task']} and ranks nothing", field="model")
    front.allow(key, len(asked.texts), field="texts")
    row = {"query": asked.query, "documents": asked.texts}
    [answer] = records((await front.ask(key, run, [row], job=SCORES)).answers)
    _check(answer, asked.truncate, "texts")
    scores = answer["logits"]
    if not asked.raw_scores:
        scores = _shares(scores)
    order = sorted(range(len(scores)), key=lambda at: -scores[at])
    more = [{"text": asked.texts[at]} if asked.return_text else {} for at in order]
    return JSONResponse([{"index": at, "score": scores[at]} | text for at, text in zip(order, more, strict=True)])


async def embed(front: Front, request: Request) -> Response:
    """A vector for each text."""
    key, run, asked = await front.opened(request, EmbedBody)
    about = front.pool.abouts[run]
    if not about["embeds"]:
        said = f"{run} answers without an encoder that is at hand (rung {about['rung']}, form {about['form']})"
        raise RefusedError(422, f"{said}, so it has no vectors", field="model")
    texts = [asked.inputs] if isinstance(asked.inputs, str) else asked.inputs
    if not texts:
        raise RefusedError(422, _INPUTS, field="inputs")
    rows: list[Row] = [{"text": text, "length": "1" if asked.normalize else "own"} for text in texts]
    front.allow(key, len(rows), field="inputs")
    answers = records((await front.ask(key, run, rows, job=VECTORS)).answers)
    for at, answer in enumerate(answers):
        _check(answer, asked.truncate, f"inputs/{at}")
    return JSONResponse([answer["vector"] for answer in answers])


def _sequences(inputs: Any, width: int) -> tuple[list[list[str]], bool]:
    """What is in `inputs`, each of as many texts as a row of the run has, and whether it is one alone."""
    if isinstance(inputs, str):
        found, alone = [[inputs]], True
    elif all(isinstance(one, str) for one in inputs):
        alone = width > 1  # a list of texts is one row there
        found = [inputs] if alone else [[one] for one in inputs]
    else:
        found, alone = inputs, False
    for at, piece in enumerate(found):
        if not isinstance(piece, list) or not all(isinstance(text, str) for text in piece):
            raise RefusedError(422, _INPUTS, field=f"inputs/{at}")
        if len(piece) != width:
            raise RefusedError(422, f"this run reads {width} text(s) together", field=f"inputs/{at}")
    if not found:
        raise RefusedError(422, _INPUTS, field="inputs")
    return found, alone


def _check(answer: Mapping[str, Any], truncate: bool | None, field: str) -> None:
    if "skipped" in answer:
        raise RefusedError(422, str(answer["skipped"]), field=field)
    if answer.get("truncated") and not truncate:
        raise RefusedError(413, "it is longer than the model reads: say truncate, or send less", field=field)


def _scores(answer: Mapping[str, Any], labels: Sequence[str], *, raw: bool) -> dict[str, float] | None:
    """The score of each label; None where answers are something else."""
    probabilities = answer.get("probabilities") or {}
    if isinstance(answer.get("output"), float):
        return {"score": answer["logits"][0] if raw else answer["output"]}
    if not probabilities or not set(probabilities) <= set(labels):
        return None
    return dict(zip(labels, answer["logits"], strict=True)) if raw else probabilities


def _shares(logits: Sequence[float]) -> list[float]:
    """Softmax, as the run's own probabilities are."""
    most = max(logits)
    parts = [math.exp(logit - most) for logit in logits]
    return [part / sum(parts) for part in parts]
