"""The benchmark that waits for a card: the same code, on a small model without one."""

from __future__ import annotations

import pytest
import torch
from benchmarks.gpu.__main__ import LINES, cells, main
from benchmarks.gpu.measure import measure_ours, measure_theirs


@pytest.mark.skipif(torch.cuda.is_available(), reason="with a card the model has its full size")
def test_both_sides_run_and_make_a_column() -> None:
    """Ours in its phases with what was planned, diffusers' two stages, and a cell for each line."""
    ours = measure_ours(128, 64, 9, compiled=False)
    phases = ["before stage 1", "stage 1", "before stage 2", "stage 2", "decode"]
    assert list(ours["phases"]) == phases
    assert sum(ours["phases"].values()) == pytest.approx(ours["seconds"], rel=1e-6)
    assert ours["chosen"].startswith("resident")
    theirs = measure_theirs(128, 64, 9, offload=False)
    assert theirs["seconds"] > 0
    column = cells(ours, theirs)
    assert len(column) == len(LINES)
    assert all(column)
    assert len(cells({"failed": "out of memory"}, theirs)) == len(LINES)


def test_a_row_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Those that there are, are named."""
    assert main(["8k"]) == 2
    assert "rows here are" in capsys.readouterr().out
