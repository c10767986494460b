"""Tables in their three forms."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from lumivid_fx.evaluation.table import Column, Table, write_table

TABLE = Table(
    "table9",
    "Table 9. A test",
    (Column("name", "Name"), Column("psnr", "PSNR_raw", 1, "up"), Column("n", "100 %", 3, "down")),
    (
        {"name": "a & b", "psnr": 1 / 3, "n": math.nan},
        {"name": "c", "psnr": math.inf, "n": None},
        {"name": "paper", "psnr": 36.2},
    ),
    ("One note.",),
)


def test_markdown() -> None:
    """Rounded figures, arrows, n/a for what could not be had, nothing for what was never asked."""
    assert TABLE.as_markdown().splitlines() == [
        "## Table 9. A test",
        "",
        "| Name | PSNR_raw ↑ | 100 % ↓ |",
        "|---|---|---|",
        "| a & b | 0.3 | n/a |",
        "| c | ∞ | n/a |",
        "| paper | 36.2 |  |",
        "",
        "One note.",
    ]


def test_csv_is_exact() -> None:
    """Programs get six digits, and no words for what is missing."""
    rows = list(csv.reader(TABLE.as_csv().splitlines()))
    assert rows == [
        ["Name", "PSNR_raw", "100 %"],
        ["a & b", "0.333333", ""],
        ["c", "inf", ""],
        ["paper", "36.2", ""],
    ]


def test_latex_is_escaped() -> None:
    """What LaTeX would take for commands is told apart; numbers stand to the right."""
    text = TABLE.as_latex()
    assert r"\begin{tabular}{lrr}" in text
    assert r"Name & PSNR\_raw $\uparrow$ & 100 \% $\downarrow$ \\" in text
    assert r"a \& b & 0.3 & n/a \\" in text
    assert r"c & $\infty$ & n/a \\" in text


def test_each_form_is_a_file(tmp_path: Path) -> None:
    """Three files of the table's name, in a folder that is made."""
    write_table(tmp_path / "new", TABLE)
    assert {p.name for p in (tmp_path / "new").iterdir()} == {
        "table9.md",
        "table9.csv",
        "table9.tex",
    }
    assert (tmp_path / "new" / "table9.csv").read_text("utf-8") == TABLE.as_csv()
