"""A render as the node asks for it: the plate, the frames, the settings, and where results go."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lumivid_fx.client.requests import make_request
from lumivid_fx.errors import InputError
from lumivid_fx.protocol.messages import Settings
from lumivid_nuke import colour, host, knobs, plates, results, upstream
from lumivid_nuke.plates import WrittenPlate
from lumivid_nuke.upstream import FilePlate

if TYPE_CHECKING:
    import nuke

    from lumivid_fx.protocol.messages import Request


@dataclass(frozen=True)
class Plan:
    """What one render is to do; made on the main thread, then good on every thread.

    Attributes:
        job: The job's id.
        label: What the job is called in lists: node and script.
        plate: What is sent.
        frames: Number of the first frame that is wanted, and of the last.
        settings: What the artist decided.
        input_space: Of the plate, by the worker's name.
        output_space: Of the result.
        ocio: The studio's config.
        cache: Where results lie.
        state: What the node and what stands before it look like; see :func:`state_of`.
    """

    job: str
    label: str
    plate: FilePlate | WrittenPlate
    frames: tuple[int, int]
    settings: knobs.NodeSettings
    input_space: str
    output_space: str
    ocio: str | None
    cache: Path
    state: str

    def key(self) -> str:
        """What the result is found by; reads or looks at every file of the plate.

        Raises:
            InputError: The plate cannot be read.
        """
        return results.result_key(
            self.plate.identity, self.settings, self.input_space, self.output_space, self.ocio
        )

    def request(self, key: str) -> Request:
        """What the worker is told.

        Raises:
            InputError: A knob is out of range.
        """
        said = self.settings
        first, last = self.frames
        return make_request(
            self.plate.path,
            results.result_pattern(results.result_folder(self.cache, key)),
            f"{first}-{last}",
            settings=Settings(
                input_space=self.input_space,
                output_space=self.output_space,
                source_view=said.source_view or None,
                seed=said.seed,
                steps=said.steps or None,
                detail=said.detail,
                model_size=said.model_side,
                generated=True,
            ),
            model=said.model or None,
            lora=said.lora or None,
            lora_strength=said.lora_strength,
            ocio=self.ocio,
            label=self.label,
        )

    @property
    def roots(self) -> list[Path]:
        """Folders that a worker must be allowed to work in."""
        said = (self.settings.model, self.settings.lora)
        return [
            *(Path(self.plate.path).parent, self.cache),
            *(Path(each).parent for each in said if each),
            *([Path(self.ocio).parent] if self.ocio else []),
        ]

    def clean_up(self) -> None:
        """Delete a plate that was written for this render alone."""
        if isinstance(self.plate, WrittenPlate):
            self.plate.remove()


def plan_render(
    node: nuke.Node, job: str, first: int | None = None, last: int | None = None
) -> Plan:
    """Plan a render of a node; Nuke renders the plate now unless it is a file that can be sent.

    What is planned stands for the whole range of the node, so that parts of it that are rendered
    one by one, on a farm, come to one result.

    Args:
        node: A LumiVid.
        job: The job's id.
        first: Number of the first frame that is wanted; None for the node's.
        last: Of the last.

    Raises:
        InputError: It cannot be done as asked.
        CancelledError: The artist stopped it.
    """
    knobs.require_ours(node)
    begin, end = knobs.frames(node)
    wanted = (begin if first is None else first, end if last is None else last)
    if not begin <= wanted[0] <= wanted[1] <= end:
        raise InputError(
            f"frames {wanted[0]}-{wanted[1]} leave the range {begin}-{end} of {node.name()}; "
            "set its first and last"
        )
    settings = knobs.read_settings(node)
    cache, working = results.cache_dir(node), colour.working_space()
    state, ocio = state_of(node), colour.config_path()
    plate: FilePlate | WrittenPlate | None = upstream.file_plate(node, begin, end)
    if plate is None:
        folder = plates.plate_folder(cache, job)
        plate = plates.write_plate(node, folder, begin, end, working)
    return Plan(
        job=job,
        label=label_of(node),
        plate=plate,
        frames=wanted,
        settings=settings,
        input_space=colour.worker_name(settings.input_space) or plate.space,
        output_space=colour.worker_name(settings.output_space) or working,
        ocio=ocio,
        cache=cache,
        state=state,
    )


def state_of(node: nuke.Node) -> str:
    """What decides about a node's result, as far as knobs tell, hashed; see `upstream.state_of`."""
    settings = repr(knobs.read_settings(node))
    spaces = f"{colour.working_space()} {colour.config_path()}"
    text = f"{settings}\0{spaces}\0{upstream.state_of(node)}"
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def label_of(node: nuke.Node) -> str:
    """What a job is called in lists, such as ``LumiVid1 in sh010_comp_v003.nk``."""
    script = Path(host.script_name()).name
    label = f"{node.fullName()} in {script}" if script else node.fullName()
    return "".join(each for each in label if each.isprintable())[:200]
