"""All tables of an evaluation on one page, with what produced them: ``results.md``."""

from __future__ import annotations

from collections.abc import Sequence
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
            The page.

        Raises:
            InputError: A file cannot be made, or a library is missing.
            DiskFullError: There is no room.
        """
        parts = [self._head(command)]
        for name in (each for each in TABLES if each in which):
            if name == "figure4":
                picture = self._out / FOLDER / "figure4.png"
                write_figure_4(picture, self._analysed(), self._bench.model.manifest.name)
                parts.append(f"## Figure 4. Why LogC3\n\n![Figure 4]({FOLDER}/{picture.name})\n")
                continue
            for table in self._tables(name):
                write_table(self._out / FOLDER, table)
                parts.append(table.as_markdown())
        page = "\n".join(parts)
        write_text(self._out / PAGE, page)
        return page

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

    def _head(self, command: str) -> str:
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
            "Written by a command, not by hand; what it prints is what it measured.",
            "",
            "```",
            command,
            "```",
            "",
            f"- Model: {bench.model.manifest.name}, digest `{bench.model.digest}`.",
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
