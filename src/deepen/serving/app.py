"""The front's routes. Who may come in is asked before anything else of a request is looked at."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from deepen.serving import completions, tei
from deepen.serving.front import Front
from deepen.serving.interface import openapi
from deepen.serving.masks import mask_texts
from deepen.serving.messages import dumps
from deepen.serving.metrics import Metrics
from deepen.serving.pages import pages
from deepen.serving.pool import Answered
from deepen.serving.problems import RefusedError, problem
from deepen.serving.reading import read_body

_SAID = {404: "there is nothing at this address: /docs tells what is", 405: "this address is asked in another way"}
Scope = MutableMapping[str, Any]
Asgi = Callable[[Scope, Any, Any], Awaitable[None]]


async def _predict(front: Front, request: Request) -> Response:
    """Answers rows of a run."""
    began, run = time.perf_counter(), request.path_params["name"]
    slot = front.door.slot(request)
    key = None if slot is not None else front.door.enter(request, "predict", run)
    front.check(run)
    request.scope["deepen.run"] = run
    rows, how = front.bodies[run].read(await read_body(request, front.pool.settings))
    front.door.spend(key, len(rows))
    answered = await front.ask(key, run, rows, how=how, slot=slot)
    return _response(run, answered, time.perf_counter() - began)


async def _runs(front: Front, request: Request) -> Response:
    """What is served, of what the key may ask."""
    key = front.door.enter(request, None)
    names = ("task", "rung", "model", "version", "form", "labels", "inputs", "most_tokens", "wishes", "promise")
    abouts = {run: about for run, about in front.pool.abouts.items() if key is None or key.may("predict", run)}
    return JSONResponse(
        {"runs": [{"name": run} | {name: about[name] for name in names} for run, about in abouts.items()]}
    )


async def _live(front: Front, request: Request) -> Response:
    """That this process answers."""
    return JSONResponse({"status": "live"})


async def _ready(front: Front, request: Request) -> Response:
    """Whether rows with known answers get them."""
    wrong = front.canary.wrong()
    if wrong:
        raise RefusedError(503, "; ".join(wrong), after=1)
    versions = dict(front.pool.runs.versions)
    return JSONResponse({"status": "ready", **({"versions": versions} if versions else {})})


async def _numbers(front: Front, request: Request) -> Response:
    """What is counted, for Prometheus."""
    front.door.enter(request, "metrics")
    return Response(front.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _interface(front: Front, request: Request) -> Response:
    """This interface, as other tools read it."""
    front.door.enter(request, None)
    return JSONResponse(openapi(front.pool.abouts, front.bodies, keys=front.door.wants_keys))


def _response(run: str, answered: Answered, seconds: float) -> Response:
    about = answered.about
    version = {} if about["version"] is None else {"version": about["version"]}
    head = dumps({"run": run, "rung": about["rung"], "model": about["model"], **version})
    body = head[:-1] + b', "answers": [' + b", ".join(answered.answers) + b"]}"
    spent = {"queue": answered.waited, "model": answered.seconds, "total": seconds}
    timing = ", ".join(f"{name};dur={1000 * value:.1f}" for name, value in spent.items())
    return Response(body, media_type="application/json", headers={"Server-Timing": timing})


_GETS = {
    "/v1/runs": _runs,
    "/health/live": _live,
    "/health/ready": _ready,
    "/metrics": _numbers,
    "/openapi.json": _interface,
}
_POSTS = {
    "/v1/runs/{name}/predict": _predict,
    "/v1/mask": mask_texts,
    "/predict": tei.predict,
    "/rerank": tei.rerank,
    "/embed": tei.embed,
    completions.CHAT: completions.chat,
    completions.TEXT: completions.text,
}


def make_app(front: Front) -> Asgi:
    """The routes of a front as an ASGI application."""
    app = FastAPI(title="deepen", version=version("deepen"), openapi_url=None, docs_url=None, redirect_slashes=False)
    for way, routes in (("GET", _GETS), ("POST", _POSTS)):
        for path, route in routes.items():
            app.add_route(path, partial(route, front), methods=[way])
    for path, page in pages(wants_keys=front.door.wants_keys).items():
        app.add_route(path, page, methods=["GET"])

    @app.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> Response:
        return _refusal(request, error)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        said = _SAID.get(error.status_code, "")
        return _refusal(request, RefusedError(error.status_code, said, headers=error.headers))

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> Response:
        return _refusal(request, RefusedError(500, "this is the server's fault, and its log says more"))

    return _counted(app, front.metrics)


def _refusal(request: Request, refused: RefusedError) -> Response:
    told = completions.openai_problem if request.url.path in (completions.CHAT, completions.TEXT) else problem
    return told(refused)


def _counted(app: Asgi, metrics: Metrics) -> Asgi:
    """Counts what goes out, and lets nobody guess what was sent to be something else."""

    async def counted(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await app(scope, receive, send)
        began = time.perf_counter()

        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                more = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
                message["headers"] = [*message.get("headers", ()), *more]
                metrics.request(scope.get("deepen.run", ""), message["status"], time.perf_counter() - began)
            await send(message)

        return await app(scope, receive, sent)

    return counted
