"""The front's routes. Who may come in is asked before anything else of a request is looked at."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException

from deepen.core.errors import nearest
from deepen.serving.access import Door
from deepen.serving.bodies import Body
from deepen.serving.canary import Canary
from deepen.serving.explaining import Explainer
from deepen.serving.interface import openapi
from deepen.serving.log import Log
from deepen.serving.messages import KNOWN, REFUSED, dumps
from deepen.serving.metrics import Metrics
from deepen.serving.pool import Answered, Pool
from deepen.serving.problems import RefusedError, problem
from deepen.serving.reading import read_body

_SAID = {404: "there is nothing at this address: /docs tells what is", 405: "this address is asked in another way"}
Scope = MutableMapping[str, Any]
Asgi = Callable[[Scope, Any, Any], Awaitable[None]]


@dataclass
class Front:
    """What answers requests."""

    pool: Pool
    explainer: Explainer
    door: Door
    canary: Canary
    metrics: Metrics
    log: Log | None = None
    bodies: dict[str, Body] = field(default_factory=dict)

    def learn_runs(self) -> None:
        """Makes the bodies that the runs want, once it is known what they are."""
        most = self.pool.settings.request_rows
        self.bodies = {
            run: Body(about["inputs"], most, wishes=about["wishes"]) for run, about in self.pool.abouts.items()
        }

    async def predict(self, request: Request) -> Response:
        """Answers rows of a run."""
        began, run = time.perf_counter(), request.path_params["name"]
        slot = self.door.slot(request)
        key = None if slot is not None else self.door.enter(request, "predict", run)
        if run not in self.bodies:
            raise RefusedError(404, f"there is no run '{run[:60]}' here; {nearest(run, self.bodies)}")
        request.scope["deepen.run"] = run
        rows, how = self.bodies[run].read(await read_body(request, self.pool.settings))
        self.door.spend(key, len(rows))
        if how.get("explain"):
            answered = await self.explainer.answer(run, rows, how)
        else:
            answered = await self.pool.answer(run, rows, how=how if slot is None else KNOWN, slot=slot)
        for answer in answered.answers:
            if answer.startswith(REFUSED):
                said = json.loads(answer)
                raise RefusedError(422, said["refused"], field=said["field"])
        if self.log is not None and slot is None:
            await self.log.keep("" if key is None else key.id, run, answered.about, rows, answered.answers)
        return _response(run, answered, time.perf_counter() - began)

    async def runs(self, request: Request) -> Response:
        """What is served, of what the key may ask."""
        key = self.door.enter(request, None)
        names = ("task", "rung", "model", "version", "form", "labels", "inputs", "most_tokens", "wishes", "promise")
        abouts = {run: about for run, about in self.pool.abouts.items() if key is None or key.may("predict", run)}
        return JSONResponse(
            {"runs": [{"name": run} | {name: about[name] for name in names} for run, about in abouts.items()]}
        )

    async def live(self, request: Request) -> Response:
        """That this process answers."""
        return JSONResponse({"status": "live"})

    async def ready(self, request: Request) -> Response:
        """Whether rows with known answers get them."""
        wrong = self.canary.wrong()
        if wrong:
            raise RefusedError(503, "; ".join(wrong), after=1)
        versions = dict(self.pool.runs.versions)
        return JSONResponse({"status": "ready", **({"versions": versions} if versions else {})})

    async def numbers(self, request: Request) -> Response:
        """What is counted, for Prometheus."""
        self.door.enter(request, "metrics")
        return Response(self.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def interface(self, request: Request) -> Response:
        """This interface, as other tools read it."""
        self.door.enter(request, None)
        return JSONResponse(openapi(self.pool.abouts, self.bodies, keys=self.door.wants_keys))


def _response(run: str, answered: Answered, seconds: float) -> Response:
    about = answered.about
    version = {} if about["version"] is None else {"version": about["version"]}
    head = dumps({"run": run, "rung": about["rung"], "model": about["model"], **version})
    body = head[:-1] + b', "answers": [' + b", ".join(answered.answers) + b"]}"
    spent = {"queue": answered.waited, "model": answered.seconds, "total": seconds}
    timing = ", ".join(f"{name};dur={1000 * value:.1f}" for name, value in spent.items())
    return Response(body, media_type="application/json", headers={"Server-Timing": timing})


def make_app(front: Front) -> Asgi:
    """The routes of a front as an ASGI application."""
    app = FastAPI(title="deepen", version=version("deepen"), openapi_url=None, docs_url=None, redirect_slashes=False)
    for path, route in {
        "/v1/runs": front.runs,
        "/health/live": front.live,
        "/health/ready": front.ready,
        "/metrics": front.numbers,
        "/openapi.json": front.interface,
    }.items():
        app.add_route(path, route, methods=["GET"])
    app.add_route("/v1/runs/{name}/predict", front.predict, methods=["POST"])
    page, policy = _page()

    async def docs(request: Request) -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": policy})

    app.add_route("/docs", docs, methods=["GET"])

    @app.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> Response:
        return problem(error)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        return problem(RefusedError(error.status_code, _SAID.get(error.status_code, ""), headers=error.headers))

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> Response:
        return problem(RefusedError(500, "this is the server's fault, and its log says more"))

    return _counted(app, front.metrics)


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


def _page() -> tuple[str, str]:
    """The page at /docs, and what a browser may do with it: run its own script, ask this server, nothing else."""
    text = (files("deepen.serving") / "page.html").read_text(encoding="utf-8")

    def mark(name: str) -> str:
        inside = text.partition(f"<{name}>")[2].partition(f"</{name}>")[0]
        return base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()

    script, style = mark("script"), mark("style")
    allowed = f"script-src 'sha256-{script}'; style-src 'sha256-{style}'; connect-src 'self'"
    return text, f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
