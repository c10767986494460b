"""A table of figures, and the three forms it is written in: Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lumivid_fx.media.whole_file import whole_file

Cell = str | float | None

ABSENT = "n/a"

BETTER = {"up": "↑", "down": "↓", "": ""}


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        key: What rows call it.
        heading: What stands above it.
        digits: After the point.
        better: "up" where more is better, "down" where less is, "" where neither.
    """

    key: str
    heading: str
    digits: int = 2
    better: str = ""

    def text(self, cell: Cell) -> str:
        """A cell as people read it."""
        if isinstance(cell, str):
            return cell
        if cell is None or math.isnan(cell):
            return ABSENT
        return "∞" if math.isinf(cell) else f"{cell:.{self.digits}f}"


@dataclass(frozen=True)
class Table:
    """Rows under columns.

    Attributes:
        name: What its files are called.
        title: One line.
        columns: From left to right.
        rows: A cell by column key; a column that a row lacks is empty, None and NaN are "n/a".
        notes: Paragraphs below it.
    """

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Cell]]
    notes: Sequence[str] = field(default=())

    def _texts(self) -> list[list[str]]:
        return [[c.text(row.get(c.key, "")) for c in self.columns] for row in self.rows]

    def as_markdown(self) -> str:
        """A heading, the table, its notes."""
        heads = [f"{c.heading} {BETTER[c.better]}".strip() for c in self.columns]
        lines = [
            f"## {self.title}",
            "",
            f"| {' | '.join(heads)} |",
            "|" + "---|" * len(heads),
            *(f"| {' | '.join(texts)} |" for texts in self._texts()),
        ]
        for note in self.notes:
            lines += ["", note]
        return "\n".join(lines) + "\n"

    def as_csv(self) -> str:
        """Headings and cells at full precision; what is not there is empty."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column.heading for column in self.columns])
        for row in self.rows:
            writer.writerow([_exact(row.get(column.key, "")) for column in self.columns])
        return file.getvalue()

    def as_latex(self) -> str:
        """A ``tabular`` with the rules of the booktabs package."""
        arrows = {"up": r" $\uparrow$", "down": r" $\downarrow$", "": ""}
        heads = [_latex(c.heading) + arrows[c.better] for c in self.columns]
        words = "".join(
            "l" if any(isinstance(row.get(c.key), str) for row in self.rows) else "r"
            for c in self.columns
        )
        lines = [
            rf"\begin{{tabular}}{{{words}}}",
            r"\toprule",
            " & ".join(heads) + r" \\",
            r"\midrule",
            *(" & ".join(map(_latex, texts)) + r" \\" for texts in self._texts()),
            r"\bottomrule",
            r"\end{tabular}",
        ]
        return "\n".join(lines) + "\n"


def _exact(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    return "" if cell is None or math.isnan(cell) else f"{cell:.6g}"


def _latex(text: str) -> str:
    for plain, escaped in (("&", r"\&"), ("%", r"\%"), ("_", r"\_"), ("#", r"\#")):
        text = text.replace(plain, escaped)
    return text.replace("∞", r"$\infty$").replace("²", "$^2$").replace("Δ", r"$\Delta$")


def write_table(folder: Path, table: Table) -> None:
    """Write ``<name>.md``, ``<name>.csv`` and ``<name>.tex`` into a folder, made if missing.

    Raises:
        InputError: A file cannot be made there.
        DiskFullError: There is no room.
    """
    forms = {"md": table.as_markdown(), "csv": table.as_csv(), "tex": table.as_latex()}
    for ending, text in forms.items():
        write_text(folder / f"{table.name}.{ending}", text)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all; errors are those of :func:`write_table`."""
    with whole_file(path, str(path)) as beside:
        beside.write_text(text, "utf-8")
