"""The page and its frames, served to this machine alone until Ctrl-C.

    /                                    the page
    /session                             what :func:`lumivid_fx.review.session.describe` tells
    /frames/LAYER/NUMBER?scale=1         float16 h w 4, little-endian; what it is, in headers
    /generated/LAYER/NUMBER?scale=1      float16 h w
    /shaders/view-INDEX, own-LAYER       a view, or a layer's way back to its codes, as GLSL
    /shaders/KEY/tables/INDEX            float32: a texture of it
    /shaders/KEY/probe                   float32: light n 3, then the CPU's codes n 3
    /shaders/KEY/error                   (POST) how near the page's card comes to them

What cannot be answered is `{"error": sentence}`, status 404. Numbers are those of the plates.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lumivid_fx.color.shaders import Shader, probe_light
from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.errors import InputError
from lumivid_fx.review.frames import SCALES, Frames, shrink
from lumivid_fx.review.gate import Gate
from lumivid_fx.review.layers import Layer
from lumivid_fx.review.session import describe
from lumivid_fx.review.views import OWN_FUNCTION, View

PAGE = Path(__file__).parent / "page"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

READERS = min(4, os.cpu_count() or 1)
"""Frames that are read at once; a page asks for more, and takes back what it no longer wants."""

_BYTES = "application/octet-stream"
_CHUNK = 4 * 2**20
_MOST_SAID = 1000
"""Bytes of a report; the page sends less than a hundred."""

_TOKEN_BYTES = 24
_CLOSE_S = 1


@dataclass
class Review:
    """What one page shows, and answers to what it asks.

    Attributes:
        layers: What is looked at, by name.
        space: The linear space that it is shown in.
        spaces: The colour config.
        views: What it can be looked at through.
        on_error: Called with a view's name and how far, in codes of 0 to 1, a page's card is from
            OpenColorIO's CPU, once a view.
    """

    layers: Mapping[str, Layer]
    space: str
    spaces: ColorSpaces
    views: Sequence[View]
    on_error: Callable[[str, float], None] = lambda _view, _error: None
    _shaders: dict[str, Shader] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def app(self, token: str, hosts: frozenset[str]) -> Gate:
        """The application, behind its gate."""
        self._frames = Frames(self.spaces, self.space)
        self._turns = asyncio.Semaphore(READERS)
        self._page = {f"/{file.name}": file for file in PAGE.iterdir() if file.suffix in KINDS}
        routes = [
            Route("/session", self._session),
            Route("/frames/{layer}/{number}", self._frame),
            Route("/generated/{layer}/{number}", self._generated),
            Route("/shaders/{key}", self._shader),
            Route("/shaders/{key}/tables/{index:int}", self._table),
            Route("/shaders/{key}/probe", self._probe),
            Route("/shaders/{key}/error", self._hear_error, methods=["POST"]),
            Route("/{file:path}", self._file),
        ]
        handlers = {InputError: _say}
        return Gate(Starlette(routes=routes, exception_handlers=handlers), token, hosts)

    async def _file(self, request: Request) -> Response:
        file = self._page.get(request.url.path if request.url.path != "/" else "/index.html")
        if file is None:
            raise InputError(f"there is no {request.url.path} here; reload the page")
        return Response(file.read_bytes(), media_type=KINDS[file.suffix])

    async def _session(self, _request: Request) -> Response:
        session = await run_in_threadpool(
            describe, self.layers, self.space, self.spaces, self.views
        )
        return JSONResponse(session)

    async def _frame(self, request: Request) -> Response:
        layer, number, scale = self._asked(request)
        async with self._turns:
            if await request.is_disconnected():  # the page has moved on
                return Response(status_code=204)
            frame = await run_in_threadpool(self._frames.read, layer, number, scale)
        w = frame.windows
        window = (w.data_x - w.display_x, w.data_y - w.display_y, w.data_width, w.data_height)
        told = {
            "lumivid-clamped": str(frame.clamped),
            "lumivid-window": " ".join(map(str, window)),  # in the display window
        }
        return _pixels(frame.pixels, layer, number, scale, told)

    async def _generated(self, request: Request) -> Response:
        layer, number, scale = self._asked(request)

        def read() -> npt.NDArray[np.float16]:
            return shrink(layer.read_generated(number).astype(np.float16), scale)

        async with self._turns:
            mask = await run_in_threadpool(read)
        return _pixels(mask, layer, number, scale, {})

    def _asked(self, request: Request) -> tuple[Layer, int, int]:
        name, number = request.path_params["layer"], request.path_params["number"]
        scale = request.query_params.get("scale", "1")
        if name not in self.layers or scale not in map(str, SCALES):
            raise InputError(f"there is no {request.url.path} at 1/{scale} here; reload the page")
        try:
            return self.layers[name], int(number), int(scale)
        except ValueError as error:
            raise InputError(f"{number!r} is no frame number; reload the page") from error

    async def _shader(self, request: Request) -> Response:
        shader = await self._find_shader(request)
        tables = [
            {
                "sampler": table.sampler,
                "width": table.width,
                "height": table.height,
                "depth": table.depth,
                "channels": table.channels,
                "smooth": table.smooth,
            }
            for table in shader.tables
        ]
        return JSONResponse({"function": shader.function, "text": shader.text, "tables": tables})

    async def _table(self, request: Request) -> Response:
        tables = (await self._find_shader(request)).tables
        index = request.path_params["index"]
        if index >= len(tables):
            raise InputError(f"there is no table {index} here; reload the page")
        return _numbers(tables[index].values)

    async def _probe(self, request: Request) -> Response:
        shader = await self._find_shader(request)
        light = probe_light()
        return _numbers(np.concatenate([light, shader.codes(light)]))

    async def _hear_error(self, request: Request) -> Response:
        key = request.path_params["key"]
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _MOST_SAID:
                raise InputError("a report is longer than any; reload the page")
        try:
            error = float(json.loads(body)["error"])
        except (ValueError, KeyError, TypeError) as fault:
            raise InputError("a report cannot be read; reload the page") from fault
        await self._find_shader(request)
        if key not in self._told:
            self._told.add(key)
            self.on_error(self._name(key), error)
        return Response(status_code=204)

    def _name(self, key: str) -> str:
        kind, _, what = key.partition("-")
        return self.views[int(what)].name if kind == "view" else f"the {what}'s own codes"

    async def _find_shader(self, request: Request) -> Shader:
        key = request.path_params["key"]
        if key not in self._shaders:
            self._shaders[key] = await run_in_threadpool(self._bake, key)
        return self._shaders[key]

    def _bake(self, key: str) -> Shader:
        kind, _, what = key.partition("-")
        if kind == "view" and what.isdecimal() and int(what) < len(self.views):
            return self.views[int(what)].shader(self.space)
        if kind == "own" and what in self.layers:
            function = OWN_FUNCTION.format(what)
            return self.spaces.space_shader(self.space, self.layers[what].space, function)
        raise InputError(f"there is no view {key!r} here; reload the page")


async def _say(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=404)


def _pixels(
    pixels: npt.NDArray[np.float16], layer: Layer, number: int, scale: int, told: dict[str, str]
) -> Response:
    """Pixels as they lie in memory, in pieces, so that a slow reader holds none of them twice."""
    height, width = pixels.shape[:2]
    numbers = layer.reel.numbers
    headers = {
        "content-length": str(pixels.nbytes),
        "lumivid-size": f"{width} {height}",
        "lumivid-scale": str(scale),
        "lumivid-frame": str(number),
        "lumivid-range": f"{numbers[0] - layer.shift} {numbers[-1] - layer.shift}",
        **told,
    }
    return StreamingResponse(
        _pieces(pixels), headers=headers, media_type="application/octet-stream"
    )


async def _pieces(pixels: npt.NDArray[np.float16]) -> AsyncIterator[bytes]:
    plain = np.ascontiguousarray(pixels, "<f2").reshape(-1).view(np.uint8)
    for start in range(0, plain.size, _CHUNK):
        yield plain[start : start + _CHUNK].tobytes()


def _numbers(values: npt.NDArray[np.float32]) -> Response:
    return Response(values.astype("<f4").tobytes(), media_type=_BYTES)


def serve(review: Review, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve a review on this machine's loopback address until Ctrl-C.

    Args:
        review: What is shown.
        port: Port to listen at; 0 takes any that is free.
        on_ready: Called with the page's URL once it can be opened.

    Raises:
        InputError: The port is taken.
        KeyboardInterrupt: Ctrl-C; every connection is closed.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        if sys.platform != "win32":  # there it would let two listen at one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise InputError(
                f"port {port} of this machine cannot be had ({error.strerror}); name another with "
                "--port, or leave it out"
            ) from error
        port = listener.getsockname()[1]
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        hosts = frozenset(f"{name}:{port}" for name in ("127.0.0.1", "localhost"))
        app = review.app(token, hosts)
        asyncio.run(_serve(app, listener, lambda: on_ready(f"http://127.0.0.1:{port}/{token}/")))


async def _serve(app: Any, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_CLOSE_S,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    if server.started:
        on_ready()
    await serving
