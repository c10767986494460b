"""``lumivid review``: plates in the browser, exactly, beside their source and a reference."""

from __future__ import annotations

import threading
import webbrowser
from typing import Annotated

import typer

from lumivid_fx.cli import options as o
from lumivid_fx.cli.outcome import one_sentence

_SPACE = "Colour space of its pixels; as the files say if not said."


def review(
    *,
    plates: Annotated[
        str, typer.Argument(metavar="PLATES", help="Frames to judge, such as hdr.####.exr.")
    ],
    source: Annotated[
        str | None, typer.Option(metavar="SDR", help="What they were made of: movie or frames.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(metavar="HDR", help="What they are held against.")
    ] = None,
    frames: Annotated[
        str | None, typer.Option("--frames", "--range", help="Frames of PLATES; all if not said.")
    ] = None,
    space: Annotated[str | None, typer.Option(help=_SPACE, rich_help_panel=o.COLOUR)] = None,
    source_space: Annotated[
        str | None, typer.Option(help="The same of --source.", rich_help_panel=o.COLOUR)
    ] = None,
    reference_space: Annotated[
        str | None, typer.Option(help="The same of --reference.", rich_help_panel=o.COLOUR)
    ] = None,
    ocio: o.Ocio = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes any that is free.")
    ] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the page's address and open nothing.")
    ] = False,
) -> None:
    """Look at plates in the browser: exposure, views, wipe, masks, scopes, numbers. Ctrl-C ends it.

    The page is for this machine alone, and for whoever has its address.
    """
    with one_sentence(as_json=False, interrupted=lambda: "the review is closed"):
        from lumivid_fx.color.spaces import ColorSpaces
        from lumivid_fx.review.layers import open_layers
        from lumivid_fx.review.server import Review, serve
        from lumivid_fx.review.views import list_views

        config = None if ocio is None else str(ocio)
        spaces = ColorSpaces(config)
        layers, shown = open_layers(
            spaces,
            plates,
            source,
            reference,
            frames=frames,
            space=space,
            source_space=source_space,
            reference_space=reference_space,
        )
        for layer in layers.values():
            typer.echo(f"{layer.name:10}{layer.reel.source}, in {layer.space}")
        looked = Review(layers, shown, spaces, list_views(config), _tell_error)
        serve(looked, port, lambda url: _open(url, browser=not no_browser))


def _open(url: str, *, browser: bool) -> None:
    typer.echo(f"page      {url} (Ctrl-C ends it)")
    if browser:  # some browsers do not come back before they are closed
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def _tell_error(view: str, error: float) -> None:
    steps = error * 255
    near = "less than 0.001" if steps < 0.001 else f"{steps:.3f}"
    verdict = "" if steps <= 1 else "; this graphics card is not exact enough to judge by"
    typer.echo(f"view      {view}: {near} of an 8-bit step from OpenColorIO{verdict}")
