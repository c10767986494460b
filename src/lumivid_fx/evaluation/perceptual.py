"""JOD (ColorVideoVDP) and LPIPS, asked of an environment of their own.

Both packages need torchvision, whose mere presence breaks diffusers' imports beside a CPU torch, so
they live in another environment (``scripts/metrics_env.sh`` makes it) and are called as a process.
Where it is missing there is no figure, and :attr:`Perceptual.missing` says why.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from lumivid_fx.errors import RenderError
from lumivid_fx.evaluation.pu21 import NITS_RANGE, WHITE_NITS, Array, light_to_pu21, nits_to_pu21

ENVIRONMENT = "LUMIVID_METRICS_ENV"
"""Names the environment's folder; otherwise it is ``.venv-metrics`` in the checkout."""

BACKBONE = "lpips/alexnet.safetensors"
"""AlexNet's weights in that folder, under torchvision's names: without them no LPIPS."""

NONE = float("nan")
"""What stands for a figure that cannot be had."""


def environment_folder() -> Path:
    """Where the environment is, or would be."""
    named = os.environ.get(ENVIRONMENT)
    return Path(named) if named else Path(__file__).parents[3] / ".venv-metrics"


class Perceptual:
    """Both metrics behind one process; a context manager that starts it when it is first asked.

    Args:
        folder: The environment; None looks where :func:`environment_folder` says.

    Attributes:
        missing: One sentence for each metric that cannot be had, by metric; empty where it can.
        about: What ColorVideoVDP says of its display; empty where it is not there.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or environment_folder()
        self.missing = {"jod": "", "lpips": ""}
        self.about = ""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Perceptual:
        python = self._folder / "bin" / "python"
        if not python.is_file():
            reason = (
                f"there is no environment for it at {self._folder.name}; scripts/metrics_env.sh "
                f"makes one, {ENVIRONMENT} names another"
            )
            self.missing = {"jod": reason, "lpips": reason}
            return self
        script = Path(__file__).with_name("perceptual_process.py")
        self._scratch = tempfile.TemporaryDirectory(prefix="lumivid-metrics-")
        self._told = Path(self._scratch.name, "stderr").open("w+", encoding="utf-8")
        self._process = subprocess.Popen(  # noqa: S603  # a Python of the user's, our own script
            [python, script, self._folder / BACKBONE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._told,
            text=True,
            # Nothing of this environment's Python, and no model hub.
            env={k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
            | {"HF_HUB_OFFLINE": "1", "THP_MEM_ALLOC_ENABLE": "1"},
        )
        try:
            about = self._answer()
        except RenderError:
            self._stop()
            raise
        self.about = str(about["jod"])
        if not about["lpips"]:
            self.missing["lpips"] = (
                f"its backbone's weights are not there: put AlexNet's as {BACKBONE} into "
                f"{self._folder.name}"
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        """End the process, which waits for a question or is of no more use, and what it left."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._told):
            if stream is not None:
                with suppress(BrokenPipeError):  # a question that it did not read
                    stream.close()
        self._scratch.cleanup()

    @contextmanager
    def recording(self) -> Iterator[Recording]:
        """Take down the frames of a still or a clip, to ask for its JOD in the end."""
        with tempfile.TemporaryDirectory(prefix="lumivid-jod-") as folder:
            yield Recording(self, Path(folder))

    def lpips(self, result: Array, truth: Array) -> float:
        """LPIPS (AlexNet, version 0.1) of PU21 codes, scaled so that 10,000 cd/m2 is 1 of [-1, 1].

        Args:
            result: Linear Rec.709 light ``h w 3``.
            truth: The same shape.

        Returns:
            NaN where its environment or its backbone's weights are missing.

        Raises:
            RenderError: The process failed.
        """
        if self.missing["lpips"]:
            return NONE
        top = float(nits_to_pu21(np.array(NITS_RANGE[1])))
        question: dict[str, Any] = {"metric": "lpips", "shape": list(result.shape)}
        for name, picture in (("result", result), ("truth", truth)):
            path = Path(self._scratch.name, name)
            path.write_bytes((light_to_pu21(picture) / top * 2 - 1).astype(np.float32).tobytes())
            question[name] = str(path)
        return self.ask(question)

    def ask(self, question: dict[str, Any]) -> float:
        """Put a question to the process, as :mod:`.perceptual_process` understands it."""
        if self._process is None or self._process.stdin is None:
            raise RenderError(
                "the metrics were asked for before they were opened; enter them first"
            )
        with suppress(BrokenPipeError):  # it died: the answer that does not come tells why
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        answer = self._answer()
        if "error" in answer:
            raise RenderError(
                f"{question['metric']} could not be measured ({answer['error']}); make its "
                "environment again with scripts/metrics_env.sh"
            )
        return float(answer["value"])

    def _answer(self) -> dict[str, Any]:
        if self._process is None or self._process.stdout is None:
            raise RenderError(
                "the metrics were asked for before they were opened; enter them first"
            )
        line = self._process.stdout.readline()
        if not line:
            self._told.seek(0)
            said = (self._told.read().strip().splitlines() or ["it said nothing"])[-1]
            raise RenderError(
                f"the environment {self._folder} does not work ({said[:200]}); remove it and make "
                "it again with scripts/metrics_env.sh"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer


class Recording:
    """The frames of a still or a clip on their way to ColorVideoVDP: on disk, not in memory.

    Args:
        perceptual: Who is asked.
        folder: Where the frames are kept.
    """

    def __init__(self, perceptual: Perceptual, folder: Path) -> None:
        self._perceptual = perceptual
        self._paths = {name: folder / f"{name}.raw" for name in ("result", "truth")}
        self._shape: tuple[int, ...] = ()
        self._count = 0

    def add(self, result: Array, truth: Array) -> None:
        """Take a frame ``h w 3`` of linear Rec.709 light down."""
        if self._perceptual.missing["jod"]:
            return
        self._shape = result.shape
        self._count += 1
        for path, light in zip(self._paths.values(), (result, truth), strict=True):
            nits = np.clip(light * np.float32(WHITE_NITS), *NITS_RANGE).astype(np.float32)
            with path.open("ab") as file:
                file.write(nits.tobytes())

    def jod(self, fps: float | None) -> float:
        """ColorVideoVDP's quality in just-objectionable differences: 10 is no difference.

        Args:
            fps: Frames a second of a clip; a single frame is a still.

        Returns:
            NaN where the environment is missing.

        Raises:
            RenderError: The process failed.
        """
        if self._perceptual.missing["jod"] or not self._count:
            return NONE
        shape = [self._count, *self._shape] if self._count > 1 else list(self._shape)
        paths = {name: str(path) for name, path in self._paths.items()}
        return self._perceptual.ask({"metric": "jod", "fps": fps, "shape": shape, **paths})
