"""``lumivid train``: a LoRA, its latents, or the embedded model, each from one recipe."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lumivid_fx.cli.outcome import one_sentence
from lumivid_fx.cli.phase_bar import PhaseBar
from lumivid_fx.model.quiet import quieten_libraries

if TYPE_CHECKING:
    from lumivid_fx.train.lora import Telling
    from lumivid_fx.train.memory_plan import MemoryPlan
    from lumivid_fx.train.trainer import Step

train = typer.Typer(
    name="train",
    help="Train an HDR LoRA, or the embedded model, from a recipe in TOML.",
    no_args_is_help=True,
)

Recipe = Annotated[
    str,
    typer.Argument(metavar="RECIPE", help="TOML file, or a shipped recipe's name."),
]
Run = Annotated[
    Path | None,
    typer.Option(help="Folder of the run; runs/RECIPE if not said. The same folder goes on."),
]
Latents = Annotated[
    Path | None,
    typer.Option(help="Folder for latents that several runs share; the run's own if not said."),
]
Device = Annotated[
    Literal["auto", "cpu", "cuda"],
    typer.Option(help="Where to train; auto takes a GPU if there is one."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON line an event.")]


@train.command()
def lora(
    recipe: Recipe,
    run: Run = None,
    latents: Latents = None,
    device: Device = "auto",
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Say what memory and disk it takes, and train nothing."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Train an HDR LoRA.

    The same command goes on after a kill or Ctrl-C, along the same curve. For more than one GPU:
    accelerate launch -m lumivid_fx.cli train lora RECIPE.
    """
    with one_sentence(as_json=as_json, interrupted=_kept):
        quieten_libraries()
        from lumivid_fx.pipeline.devices import choose_device
        from lumivid_fx.train.lora import train_lora
        from lumivid_fx.train.memory_plan import plan_lora
        from lumivid_fx.train.peers import Accelerated, find_peers
        from lumivid_fx.train.recipe import read_recipe

        read = read_recipe(recipe)
        if plan:
            where = "cpu" if device == "cpu" else "cuda"
            _tell_plan(plan_lora(read, where), as_json=as_json)
            return
        chosen = choose_device(device)
        peers = find_peers(chosen)
        if isinstance(peers, Accelerated):
            chosen = str(peers.device)
        with _watched(as_json=as_json) as telling:
            result = train_lora(
                read,
                run or _default_run(recipe),
                latents=latents,
                device=chosen,
                peers=peers,
                telling=telling,
            )
        if peers.rank == 0:
            told = json.dumps({"lora": str(result)})
            typer.echo(told if as_json else f"{result} is trained; render with it: --lora {result}")


@train.command("latents")
def latents_(
    recipe: Recipe,
    run: Run = None,
    latents: Latents = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Encode a recipe's clips ahead of training; what is there already is kept."""
    with one_sentence(as_json=as_json, interrupted=_kept):
        quieten_libraries()
        from lumivid_fx.model.checkpoint import load_model
        from lumivid_fx.pipeline.devices import choose_device
        from lumivid_fx.train.lora import prepare_latents
        from lumivid_fx.train.recipe import read_recipe

        read = read_recipe(recipe)
        folder = latents or run or _default_run(recipe)
        with _watched(as_json=as_json) as telling:
            telling.phase("loading the model")
            model = load_model(read.model.folder, lora_strength=0.0, device=choose_device(device))
            prepare_latents(read, model, folder, telling)
        typer.echo(json.dumps({"latents": str(folder)}) if as_json else f"latents are in {folder}")


@train.command()
def embedded(
    recipe: Recipe,
    run: Run = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train the embedded model from nothing: its VAE, its SDR prior, its HDR LoRA.

    The same command goes on after the last checkpoint; the model folder is RUN/model in the end.
    """
    with one_sentence(as_json=as_json, interrupted=_kept):
        quieten_libraries()
        from lumivid_fx.pipeline.devices import choose_device
        from lumivid_fx.train.embedded_recipe import read_embedded_recipe, train_embedded

        read = read_embedded_recipe(recipe)
        chosen = choose_device(device)
        bar = PhaseBar("starting", quiet=as_json)
        log = _Log(bar, as_json=as_json)
        with bar:
            folder = train_embedded(read, run or _default_run(recipe), chosen, log.phase, log.stage)
        told = json.dumps({"model": str(folder)})
        typer.echo(told if as_json else f"{folder} is trained; render with it: --model {folder}")


@train.command()
def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this one, to change it.")] = None,
) -> None:
    """List the shipped recipes, or print one."""
    with one_sentence(as_json=False, interrupted=_kept):
        from lumivid_fx.train.recipe import about, find_recipe, shipped_recipes

        if name is not None:
            typer.echo(find_recipe(name).read_text(encoding="utf-8"), nl=False)
            return
        for known, path in shipped_recipes().items():
            typer.echo(f"{known:19}{about(path)}")


def _default_run(recipe: str) -> Path:
    return Path("runs") / Path(recipe).stem


def _kept() -> str:
    return "what is finished is kept, and the same command goes on"


@contextmanager
def _watched(*, as_json: bool) -> Iterator[Telling]:
    """Somebody to tell how it goes, and a first Ctrl-C that lets the step at hand be finished."""
    from lumivid_fx.train.lora import Telling

    asked = threading.Event()

    def stop(_signal: int, _frame: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = signal.signal(signal.SIGINT, stop)
    bar = PhaseBar("starting", quiet=as_json)
    log = _Log(bar, as_json=as_json)
    try:
        with bar:
            yield Telling(
                phase=log.phase,
                latents=log.latents,
                step=log.step,
                report=log.report,
                picture=log.picture,
                stop=asked.is_set,
            )
    finally:
        signal.signal(signal.SIGINT, before)


class _Log:
    """Events as a bar and lines, or as JSON lines."""

    def __init__(self, bar: PhaseBar, *, as_json: bool) -> None:
        self._bar = bar
        self._as_json = as_json
        self._since: tuple[float, int] | None = None

    def phase(self, words: str) -> None:
        self._since = None
        self._bar.phase(words)
        self._event(phase=words)

    def latents(self, done: int, total: int) -> None:
        self._bar.advance(done, total, f"pair {done}/{total}", self._left(done, total))

    def step(self, step: Step, total: int) -> None:
        words = f"step {step.done}/{total} loss {step.loss:.4f}"
        self._bar.advance(step.done, total, words, self._left(step.done, total))

    def report(self, step: int, loss: float, seconds: float) -> None:
        self._event(step=step, loss=loss, seconds_a_step=seconds)
        if not self._bar.seen:
            self._bar.line(f"step {step}: loss {loss:.4f}, {seconds:.2f} s a step")

    def stage(self, name: str, step: int, total: int, loss: float, seconds: float) -> None:
        self._bar.advance(step, total, f"step {step}/{total}", (total - step) * seconds)
        self._event(stage=name, step=step, loss=loss, seconds_a_step=seconds)
        if not self._bar.seen:
            self._bar.line(f"{name} {step}/{total}: loss {loss:.4f}, {seconds:.2f} s a step")

    def picture(self, path: Path, rmse: float, stops: float) -> None:
        self._event(picture=str(path), code_rmse=rmse, clipped_stops=stops)
        self._bar.line(f"{path}: codes off by {rmse:.4f} rms, clipped light by {stops:.2f} stops")

    def _left(self, done: int, total: int) -> float | None:
        """Seconds that the rest will take, by the pace since this phase began."""
        now = time.monotonic()
        if self._since is None:
            self._since = (now, done)
            return None
        began, first = self._since
        return (now - began) / (done - first) * (total - done) if done > first else None

    def _event(self, **told: object) -> None:
        if self._as_json:
            typer.echo(json.dumps(told))


def _tell_plan(plan: MemoryPlan, *, as_json: bool) -> None:
    if as_json:
        rows = [
            [{"name": r.name, "bytes": r.bytes} for r in part] for part in (plan.rows, plan.disk)
        ]
        told = {
            "model": plan.model,
            "device": rows[0],
            "disk": rows[1],
            "device_bytes": plan.total,
            "lora_tensors": plan.lora_tensors,
            "lora_parameters": plan.lora_parameters,
            "tokens": plan.tokens,
        }
        typer.echo(json.dumps(told))
        return
    typer.echo(f"planned for {plan.model}")
    for row in plan.rows:
        typer.echo(f"  {row.name:26}{row.bytes / 1e9:9.3f} GB   {row.how}")
    typer.echo(f"  {'on the device':26}{plan.total / 1e9:9.3f} GB   and what the allocator wastes")
    for row in plan.disk:
        typer.echo(f"  {row.name + ' on disk':26}{row.bytes / 1e9:9.3f} GB   {row.how}")
