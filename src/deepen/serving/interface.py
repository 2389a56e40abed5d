"""The interface as OpenAPI tells it: each run with the body that its own task wants."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel

from deepen.serving import completions
from deepen.serving.bodies import Body
from deepen.serving.masks import MaskBody
from deepen.serving.tei import EmbedBody, PredictBody, RerankBody

_ANSWER = {
    "type": "object",
    "properties": {
        "output": {"description": "the label, labels, score, tags, text span or best document; null if not known"},
        "none_of_these": {"type": "boolean", "description": "of a run that tells: it looks like none of the labels"},
        "probabilities": {"type": "object", "additionalProperties": {"type": "number"}},
        "entities": {"type": "array", "items": {"type": "object"}},
        "rung": {"type": "string", "description": "the rung of the run"},
        "answered_by": {
            "type": ["string", "null"],
            "description": "of a cascade, which rung did; null if none; of exits, after which layer",
        },
        "promise_expired": {
            "type": "string",
            "description": "why a cascade or max_error does not hold",
        },
        "explanation": {"type": "object", "description": "why, if explain was asked: depth, words, analogies"},
        "inputs": {"type": "object", "description": "the masked texts that places in this answer are in"},
        "num_tokens": {"type": "integer"},
        "truncated": {"type": "boolean", "description": "whether the end of a text was not read"},
        "skipped": {"type": "string", "description": "instead of all else: why this row has no answer"},
    },
}
_ANSWERS = {
    "type": "object",
    "required": ["run", "rung", "model", "answers"],
    "properties": {
        "run": {"type": "string"},
        "rung": {"type": "string"},
        "model": {"type": "string", "description": "a fingerprint of the model"},
        "version": {"type": "integer", "description": "of the model, in the registry that it is from"},
        "answers": {"type": "array", "items": {"$ref": "#/components/schemas/Answer"}},
    },
}
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "field": {"type": "string", "description": "where in the body, as in rows/3/text"},
    },
}
_GETS = {
    "/v1/runs": "What is served.",
    "/health/live": "Whether the server runs.",
    "/health/ready": "Whether rows with known answers get them; 503 if not.",
    "/metrics": "Counters for Prometheus.",
}
_SCORED = {
    "type": "object",
    "properties": {"label": {"type": "string"}, "score": {"type": "number"}},
}
_POSTS: dict[str, tuple[str, type[BaseModel], Any, Any]] = {
    "/v1/mask": (
        "Masks personal data in texts; places are of the text that came.",
        MaskBody,
        {"texts": ["write to a@b.com"]},
        {
            "type": "object",
            "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Masked"}}},
        },
    ),
    "/predict": (
        "Labels with their scores, as text-embeddings-inference has them.",
        PredictBody,
        {"inputs": "a text"},
        {"type": "array", "items": {"anyOf": [_SCORED, {"type": "array", "items": _SCORED}]}},
    ),
    "/rerank": (
        "Texts in their order for a query, as text-embeddings-inference has them.",
        RerankBody,
        {"query": "a query", "texts": ["a text", "another"]},
        {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"index": {"type": "integer"}, "score": {"type": "number"}, "text": {"type": "string"}},
            },
        },
    ),
    "/embed": (
        "Vectors of texts, as text-embeddings-inference has them.",
        EmbedBody,
        {"inputs": ["a text", "another"]},
        {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
    ),
}
_COMPLETED = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "object": {"type": "string"},
        "created": {"type": "integer"},
        "model": {"type": "string", "description": "the run"},
        "choices": {"type": "array", "items": {"type": "object"}},
        "usage": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
}
_POSTS |= {
    completions.CHAT: (
        "The next turn of a conversation, by a run whose answers are text; with stream, as server-sent events.",
        completions.ChatBody,
        {"messages": [{"role": "user", "content": "a text"}]},
        _COMPLETED,
    ),
    completions.TEXT: (
        "What follows a text, which is the prompt as it stands; with stream, as server-sent events.",
        completions.TextBody,
        {"prompt": "a text"},
        _COMPLETED,
    ),
}
_MASKED = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "description": "with a name of its kind in place of each entity"},
        "entities": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "entity_type": {"type": "string"},
                    "start": {"type": "integer"},
                    "end": {"type": "integer"},
                    "score": {"type": "number", "description": "always 1: a rule found it, or did not"},
                },
            },
        },
    },
}
_REFUSALS = {
    "400": "no JSON",
    "401": "no valid key",
    "403": "the key may not",
    "404": "no such run",
    "413": "too large",
    "415": "no application/json",
    "422": "not the body that this run wants",
    "429": "too many; Retry-After says when",
    "503": "no model process could answer",
}


def openapi(abouts: Mapping[str, Any], bodies: Mapping[str, Body], *, keys: bool) -> dict[str, Any]:
    """The description of a server.

    Args:
        abouts: What is served, by name.
        bodies: What each run wants.
        keys: Whether a key is needed.

    Returns:
        An OpenAPI 3.1 document.
    """
    paths: dict[str, Any] = {}
    schemas = {"Answer": _ANSWER, "Answers": _ANSWERS, "Masked": _MASKED, "Problem": _PROBLEM}
    for run, about in abouts.items():
        wanted = {"schema": bodies[run].schema, "example": bodies[run].example(about["inputs"])}
        paths[f"/v1/runs/{run}/predict"] = {
            "post": {
                "summary": f"Answers rows: {about['task']}, rung {about['rung']}.",
                "requestBody": {"required": True, "content": {"application/json": wanted}},
                "responses": {"200": _said("answers in the order of the rows", "Answers"), **_refusals()},
            }
        }
    for path, (summary, kind, example, answer) in _POSTS.items():
        body = kind.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= body.pop("$defs", {})
        wanted = {"schema": body, "example": example}
        paths[path] = {
            "post": {
                "summary": summary,
                "requestBody": {"required": True, "content": {"application/json": wanted}},
                "responses": {
                    "200": {
                        "description": "in the order of the input",
                        "content": {"application/json": {"schema": answer}},
                    },
                    **_refusals(),
                },
            }
        }
    for path, summary in _GETS.items():
        paths[path] = {"get": {"summary": summary, "responses": {"200": {"description": "that"}}}}
    components: dict[str, Any] = {"schemas": schemas}
    found: dict[str, Any] = {"openapi": "3.1.0", "info": {"title": "deepen", "version": version("deepen")}}
    if keys:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"key": []}]
    return found | {"paths": paths, "components": components}


def _refusals() -> dict[str, Any]:
    return {status: _said(why, "Problem", "application/problem+json") for status, why in _REFUSALS.items()}


def _said(description: str, schema: str, kind: str = "application/json") -> dict[str, Any]:
    return {"description": description, "content": {kind: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}
