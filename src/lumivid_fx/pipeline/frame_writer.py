"""Finished frames to files: where each goes, and what stands in it beside the pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from lumivid_fx.color.transfer import ClipCount
from lumivid_fx.media.data_windows import cut_out, own_window
from lumivid_fx.media.exr import FRAME_ATTRIBUTE, GENERATED, OutputPattern, write_exr
from lumivid_fx.pipeline.frame_file import FrameFile
from lumivid_fx.pipeline.frame_keys import CLIPPED_ATTRIBUTE
from lumivid_fx.pipeline.render_shot import FinishedFrame


@dataclass(frozen=True)
class FrameWriter:
    """Writes the frames of one render.

    Attributes:
        pattern: Where frames go.
        marks: What all frames say of how they were made.
        chromaticities: Of the output space.
        interop_id: Of the output space, or None.
        fps: Frames a second, or None.
        compression: Of the files.
    """

    pattern: OutputPattern
    marks: Mapping[str, object]
    chromaticities: Sequence[float]
    interop_id: str | None
    fps: Fraction | None
    compression: str

    def write(self, finished: FinishedFrame) -> FrameFile:
        """Write one frame, whole or not at all; raises as :func:`write_exr` does."""
        source, clipped = finished.source, finished.clipped
        path = self.pattern.path(source.number)
        cut = partial(cut_out, source)
        own = {FRAME_ATTRIBUTE: source.number, CLIPPED_ATTRIBUTE: _share(clipped)}
        half_clamped = write_exr(
            path,
            cut(finished.rgb),
            None if source.alpha is None else cut(source.alpha),
            windows=own_window(source),
            attributes={**source.attributes, **self.marks, **own},
            chromaticities=self.chromaticities,
            interop_id=self.interop_id,
            fps=self.fps,
            compression=self.compression,
            layers={} if finished.generated is None else {GENERATED: cut(finished.generated)},
        )
        return FrameFile(source.number, path, "rendered", clipped, half_clamped)


def _share(count: ClipCount) -> float:
    return (count.above + count.below) / max(1, count.total)
