"""The node's knobs: their names, and their values as plain Python.

:data:`KNOBS` names every knob that this package reads or writes; ``LumiVid.gizmo`` has exactly
these, and a test holds the two together.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from lumivid_fx.errors import InputError

if TYPE_CHECKING:
    import nuke

STRING, FILE, INTEGER, CHOICE, CHECK, NUMBER, BUTTON, TEXT = 1, 2, 3, 4, 6, 7, 22, 26
"""Kinds of user knobs, as ``addUserKnob`` numbers them."""

KNOBS = {
    # what is rendered
    "first": INTEGER,
    "last": INTEGER,
    "from_input": BUTTON,
    "render": BUTTON,
    "render_missing": BUTTON,
    "cancel": BUTTON,
    "send_to_farm": BUTTON,
    "status": TEXT,
    # what the node shows
    "mode": CHOICE,
    "exposure": NUMBER,
    "missing": CHOICE,
    # how it is rendered
    "input_space": STRING,
    "output_space": STRING,
    "source_view": STRING,
    "pick_view": BUTTON,
    "model": FILE,
    "lora": FILE,
    "lora_strength": NUMBER,
    "seed": INTEGER,
    "randomise": BUTTON,
    "steps": INTEGER,
    "detail": NUMBER,
    "model_size": CHOICE,
    # where
    "cache_dir": FILE,
    "endpoint": FILE,
    "start_worker": CHECK,
    # what is done with the result
    "import_read": BUTTON,
    "open_cache": BUTTON,
    "export_cdl": BUTTON,
    "copy_settings": BUTTON,
    "version": TEXT,
    # what nobody sees
    "result_key": STRING,
    "job_id": STRING,
    "job_owner": STRING,
    "job_hash": STRING,
    "sent_hash": STRING,
}
"""Every knob of ours, and its kind."""

HIDDEN = ("result_key", "job_id", "job_owner", "job_hash", "sent_hash")
"""Where the shown result lies; the job under way, whose it is, and what it was sent as; what the
shown result was sent as."""

MODES = ("source", "result", "difference", "mask")
MISSING = ("error", "black", "checkerboard", "read input")

MODEL_SIZES = ("model", "plate", "512", "768", "960", "1280", "1536", "1920")
"""Longest side that the model sees: its own, the plate's, or in pixels."""

MAX_SEED = 2**31 - 1


@dataclass(frozen=True)
class NodeSettings:
    """What decides about the picture, as the knobs say it.

    The exposure is not among them: the node multiplies by it when it shows the result.

    Attributes:
        input_space: Of the plate; empty for what the Read or the script says.
        output_space: Of the result, scene-linear; empty for the script's working space.
        source_view: SDR view the plate was made with; empty for unknown.
        model: Model folder; empty for the worker's own.
        lora: LoRA in place of the model's own; empty for that.
        lora_strength: 1 as trained, 0 none.
        seed: Of the noise.
        steps: Sampler steps; 0 for the model's.
        detail: 1 keeps the plate's well-exposed pixels, 0 is the model alone.
        model_size: One of :data:`MODEL_SIZES`.
    """

    input_space: str = ""
    output_space: str = ""
    source_view: str = ""
    model: str = ""
    lora: str = ""
    lora_strength: float = 1.0
    seed: int = 0
    steps: int = 0
    detail: float = 1.0
    model_size: str = "model"

    @property
    def model_side(self) -> int | None:
        """The longest side in pixels, 0 for the plate's, None for the model's own.

        Raises:
            InputError: It is neither a word that is known nor a number.
        """
        if self.model_size in ("model", ""):
            return None
        if self.model_size == "plate":
            return 0
        if not self.model_size.isdigit():
            raise InputError(
                f"model size is {self.model_size!r}; give {', '.join(MODEL_SIZES[:2])}, or pixels"
            )
        return int(self.model_size)


SETTINGS = tuple(field.name for field in fields(NodeSettings))
"""Knobs that decide about the picture."""


def is_ours(node: nuke.Node) -> bool:
    """Whether a node is a LumiVid: a Group that has its knobs, whatever it is called."""
    return all(name in node.knobs() for name in HIDDEN)


def require_ours(node: nuke.Node) -> None:
    """Refuse nodes of other kinds.

    Raises:
        InputError: It is no LumiVid.
    """
    if not is_ours(node):
        raise InputError(f"{node.fullName()} is no LumiVid node; select one")


def read_settings(node: nuke.Node) -> NodeSettings:
    """What the knobs say."""
    said = {name: node[name].value() for name in SETTINGS}
    for name in ("input_space", "output_space", "source_view", "model", "lora"):
        said[name] = text(node, name)
    return NodeSettings(
        **{
            **said,
            "lora_strength": float(said["lora_strength"]),
            "seed": int(said["seed"]),
            "steps": int(said["steps"]),
            "detail": float(said["detail"]),
            "model_size": str(said["model_size"]),
        }
    )


def write_settings(node: nuke.Node, settings: NodeSettings) -> None:
    """Set the knobs."""
    for name, value in asdict(settings).items():
        node[name].setValue(value)


def text(node: nuke.Node, name: str) -> str:
    """What stands in a knob of text, Tcl in it evaluated, without spaces around it.

    File knobs and those with ``[...]`` evaluate; a plain string is what it is.
    """
    knob = node[name]
    said = knob.evaluate() if hasattr(knob, "evaluate") else knob.value()
    return str(said or "").strip()


def frames(node: nuke.Node) -> tuple[int, int]:
    """The range that the knobs say, expressions evaluated.

    Raises:
        InputError: It runs backwards.
    """
    first, last = int(node["first"].value()), int(node["last"].value())
    if last < first:
        raise InputError(
            f"the range {first}-{last} of {node.name()} runs backwards; set first and last"
        )
    return first, last
