"""A plan as an Open Job Description job bundle: what AWS Deadline Cloud and ``openjd run`` take.

    template.yaml          the steps: windows, with the model held by the session, then frames
    parameter_values.yaml  the plan's path and the number of windows
    asset_references.yaml  the files that are read, and the folders that are written

Nothing that a user wrote stands in the template: it is the same text for every shot but for what a
machine must have. All else goes by parameters, which a session hands over as arguments without a
shell. The form is ``jobtemplate-2023-09`` without extensions, so that old runtimes take it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lumivid_fx.errors import InputError
from lumivid_fx.farm.openjd_lines import one_line
from lumivid_fx.farm.plan_file import Plan
from lumivid_fx.media.whole_file import whole_file

TEMPLATE, PARAMETERS, ASSETS = "template.yaml", "parameter_values.yaml", "asset_references.yaml"

WINDOWS_STEP, STITCH_STEP = "Windows", "Stitch"

MOST_NAME = 100
"""Characters of a job's name: the form takes 128."""

LOAD_S, WINDOW_S, STITCH_S = 3600, 6 * 3600, 12 * 3600
"""Seconds after which a session gives a task up. A window of the largest model takes minutes on a
GPU of today and an hour or two in the memory of an old one; a feature's longest shot is joined in
less than half a day on one machine."""

NOTIFY_S = 30
"""Seconds from the word to stop to the end: a sampler step, after which a task stops in order."""

_SESSION = "{{Session.WorkingDirectory}}"
_PLAN = ["--plan={{Param.Plan}}", "--path-rules={{Session.PathMappingRulesFile}}"]


def write_bundle(plan: Plan, path: Path, folder: Path, *, gpu: bool) -> None:
    """Write a plan's job bundle; files of an earlier one are replaced.

    Args:
        plan: The plan.
        path: Its file, absolute.
        folder: The bundle's, made if missing.
        gpu: Whether windows need a machine with one.

    Raises:
        InputError: It cannot be written.
    """
    if len(str(path)) > 1024:
        raise InputError(f"{path} is longer than a job's parameter may be; keep plans higher up")
    texts = {
        TEMPLATE: template(gpu=gpu),
        PARAMETERS: parameter_values(plan, path),
        ASSETS: asset_references(plan, path),
    }
    for name, said in texts.items():
        with whole_file(folder / name, str(folder / name)) as beside:
            beside.write_text(_yaml(said), encoding="ascii")


def template(*, gpu: bool) -> dict[str, Any]:
    """What every shot's job does.

    Args:
        gpu: Whether windows need a machine with one.
    """
    card: dict[str, Any] = {"amounts": [{"name": "amount.worker.gpu", "min": 1}]} if gpu else {}
    device = f"--device={'cuda' if gpu else 'auto'}"
    held = f"--session={_SESSION}"
    return {
        "specificationVersion": "jobtemplate-2023-09",
        "name": "{{Param.JobName}}",
        "parameterDefinitions": [
            {
                "name": "Plan",
                "type": "PATH",
                "objectType": "FILE",
                "dataFlow": "IN",
                "description": "What `lumivid farm plan` wrote.",
            },
            {
                "name": "LastWindow",
                "type": "INT",
                "minValue": 0,
                "description": "The plan's last window; the first is 0.",
            },
            {"name": "JobName", "type": "STRING", "minLength": 1, "maxLength": MOST_NAME},
        ],
        "steps": [
            {
                "name": WINDOWS_STEP,
                "hostRequirements": {**_linux(), **card},
                "parameterSpace": {
                    "taskParameterDefinitions": [
                        {"name": "Window", "type": "INT", "range": "0-{{Param.LastWindow}}"}
                    ]
                },
                "stepEnvironments": [
                    {
                        "name": "Model",
                        "description": "Keeps the model loaded from window to window.",
                        "script": {
                            "actions": {
                                "onEnter": _action(
                                    ["farm", "hold", *_PLAN, held, device, "--openjd"], LOAD_S
                                ),
                                "onExit": _action(["farm", "release", held], 120),
                            }
                        },
                    }
                ],
                "script": {
                    "actions": {
                        "onRun": _action(
                            [
                                *("window", *_PLAN, "--index={{Task.Param.Window}}"),
                                *(held, device, "--openjd"),
                            ],
                            WINDOW_S,
                        )
                    }
                },
            },
            {
                "name": STITCH_STEP,
                "dependencies": [{"dependsOn": WINDOWS_STEP}],
                "hostRequirements": _linux(),
                "script": {"actions": {"onRun": _action(["stitch", *_PLAN, "--openjd"], STITCH_S)}},
            },
        ],
    }


def job_parameters(plan: Plan, path: Path) -> dict[str, str | int]:
    """What this shot's job is given, by name."""
    last = len(plan.windows) - 1
    return {"Plan": str(path), "LastWindow": last, "JobName": job_name(plan)}


def parameter_values(plan: Plan, path: Path) -> dict[str, Any]:
    """The same as a bundle's file says it."""
    given = job_parameters(plan, path)
    return {"parameterValues": [{"name": name, "value": value} for name, value in given.items()]}


def asset_references(plan: Plan, path: Path) -> dict[str, Any]:
    """The files a job reads and the folders it writes, for farms that carry files along.

    A model is no such file: it is installed where windows are rendered, or lies on a shared disk.
    """
    request = plan.request
    read = [str(path), *(file.path for file in plan.files)]
    model = request.model
    target = Path(plan.target)
    folder = str(target.parent if target.suffix else target)
    return {
        "assetReferences": {
            "inputs": {
                "filenames": [*read, *([request.lora] if request.lora else [])],
                "directories": [],
            },
            "outputs": {"directories": [folder, plan.folder]},
            "referencedPaths": [model] if model and "/" in model else [],
        }
    }


def job_name(plan: Plan) -> str:
    """What the job is called in lists: its label, or after the plate, in print alone."""
    return one_line(plan.request.label or f"lumivid {Path(plan.source).name}")[:MOST_NAME]


def wants_gpu(plan: Plan) -> bool:
    """Whether windows should wait for a machine with a GPU: all but the embedded model's."""
    return plan.request.model not in (None, "embedded")


def _linux() -> dict[str, Any]:
    """What any task needs of a machine."""
    return {"attributes": [{"name": "attr.worker.os.family", "anyOf": ["linux"]}]}


def _action(arguments: list[str], timeout_s: int) -> dict[str, Any]:
    """A call of ``lumivid`` that is asked to stop before it is ended."""
    cancel = {"mode": "NOTIFY_THEN_TERMINATE", "notifyPeriodInSeconds": NOTIFY_S}
    return {
        "command": "lumivid",
        "args": arguments,
        "timeout": timeout_s,
        "cancelation": cancel,
    }


def _yaml(said: dict[str, Any]) -> str:
    """ASCII YAML: what is not ASCII is told by its escape, and no reader sees a line end in it."""
    text: str = yaml.safe_dump(said, sort_keys=False, allow_unicode=False, width=1_000_000)
    return text
