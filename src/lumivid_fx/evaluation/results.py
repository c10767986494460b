"""All tables of an evaluation on one page, with what produced them: ``results.md``.

A table that is not asked for stays on the page as it was. So each says by itself which model it was
measured on, and by which command.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lumivid_fx.evaluation.figure4 import write_figure_4
from lumivid_fx.evaluation.pu21 import NITS_RANGE, PU21_PEAK, WHITE_NITS
from lumivid_fx.evaluation.scores import Score
from lumivid_fx.evaluation.table import Table, write_table, write_text
from lumivid_fx.evaluation.table_ablations import table_4, table_5
from lumivid_fx.evaluation.table_encodings import Analysis, analyse, table_1
from lumivid_fx.evaluation.table_methods import table_2
from lumivid_fx.evaluation.table_motion import measure_model, table_3
from lumivid_fx.evaluation.workbench import Workbench

TABLES = ("1", "2", "3", "4", "5", "figure4")
"""What can be asked for."""

FOLDER, PAGE = "results", "results.md"


class Results:
    """Makes tables, and what several of them need only once.

    Args:
        bench: The material.
        out: Folder for the page, and for a folder with each table's own files beside it.
    """

    def __init__(self, bench: Workbench, out: Path) -> None:
        self._bench, self._out = bench, out
        self._analysis: Analysis | None = None
        self._ours: Score | None = None

    def make(self, which: Sequence[str], command: str) -> str:
        """Make tables, write their files and the page.

        Args:
            which: Of :data:`TABLES`.
            command: What made it, for the page.

        Returns:
            The page, without the tables that were there before.

        Raises:
            InputError: A file cannot be made, or a library is missing.
            DiskFullError: There is no room.
        """
        made = {name: self._make(name, command) for name in TABLES if name in which}
        whole = [made.get(name) or self._kept(name) for name in TABLES]
        write_text(self._out / PAGE, "\n".join([self._head(), *filter(None, whole)]))
        return "\n".join([self._head(), *made.values()])

    def _make(self, name: str, command: str) -> str:
        model, folder = self._bench.model, self._out / FOLDER
        source = f"Measured on {model.manifest.name}, digest `{model.digest[:12]}`: `{command}`."
        if name == "figure4":
            write_figure_4(folder / f"{name}.png", self._analysed(), model.manifest.name)
            text = f"## Figure 4. Why LogC3\n\n![Figure 4]({FOLDER}/{name}.png)\n\n{source}\n"
            write_text(folder / f"{name}.md", text)
            return text
        texts = []
        for table in self._tables(name):
            told = replace(table, notes=[*table.notes, source])
            write_table(folder, told)
            texts.append(told.as_markdown())
        return "\n".join(texts)

    def _kept(self, name: str) -> str:
        """What an earlier run left of a table; nothing if none did."""
        stem = name if name == "figure4" else f"table{name}"
        paths = sorted((self._out / FOLDER).glob(f"{stem}*.md"), key=lambda path: path.stem)
        return "\n".join(path.read_text("utf-8") for path in paths)

    def _tables(self, name: str) -> list[Table]:
        bench = self._bench
        if name == "1":
            return [table_1(bench, self._analysed())]
        if name == "2":
            return table_2(bench)
        if name == "3":
            return [table_3(bench, self._ours_in_motion())]
        if name == "4":
            return [table_4(bench, self._ours_in_motion())]
        return [table_5(bench)]

    def _analysed(self) -> Analysis:
        if self._analysis is None:
            self._analysis = analyse(self._bench)
        return self._analysis

    def _ours_in_motion(self) -> Score:
        if self._ours is None:
            self._ours = measure_model(self._bench, self._bench.model, "the model on clips")
        return self._ours

    def _head(self) -> str:
        bench = self._bench
        missing = [
            f"{metric} is n/a: {reason}."
            for metric, reason in (
                ("JOD", bench.perceptual.missing["jod"]),
                ("LPIPS", bench.perceptual.missing["lpips"]),
            )
            if reason
        ]
        lines = [
            "# Results",
            "",
            "Written by commands, not by hand; what they print is what they measured. Each table "
            "says which model it was measured on.",
            "",
            f"- Material: {', '.join(bench.names)}: maps that no stage of the training saw.",
            f"- Linear 1.0 is {WHITE_NITS:g} cd/m², result and truth are clamped to "
            f"{NITS_RANGE[0]:g} to {NITS_RANGE[1]:g} cd/m²; PU21-PSNR is over R, G and B with its "
            f"peak at {PU21_PEAK:g}, PU21-SSIM over luminance.",
            "- *Aligned* is the rule; *raw* and *CRF-corrected* say that they are not: one factor "
            "of exposure a still or clip, the median ratio over pixels whose SDR codes are under "
            "0.9 and whose true luminance is over 0.02; CRF correction after Hanji et al. 2022, a "
            "frame at a time.",
            "- *Highlights* are pixels of which a channel reached code 250, *shadows* those under "
            "code 13, *unclipped* all but the highlights; errors are mean |log2| ratios of "
            "luminance.",
            f"- JOD: {bench.perceptual.about or 'n/a'}.",
            *(f"- {sentence}" for sentence in missing),
            "- The paper's rows were made with LTX's 22B model on other material: they stand "
            "beside ours, they are not to be compared in decibels.",
        ]
        return "\n".join(lines) + "\n"
