"""What a session hears: our orders, and nothing that a file's name or a library made up."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from lumivid_fx.farm.openjd_lines import one_line

BREAKS = ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


def heard(program: str) -> tuple[int, str]:
    """The output of a program that talks to a session."""
    lines = "from lumivid_fx.farm.openjd_lines import SessionLines\nimport os, sys, subprocess\n"
    ran = subprocess.run(
        [sys.executable, "-c", lines + program],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return ran.returncode, ran.stdout.decode()


def orders(said: str) -> list[str]:
    """Lines that a session would act on, however it reads line ends and blanks."""
    return [line.lstrip() for line in said.splitlines() if line.lstrip().startswith("openjd_")]


def test_orders_come_through() -> None:
    """Progress in per cent, status in words; what else is printed has a bar before it."""
    code, said = heard(
        "with SessionLines() as lines:\n"
        "    lines.status('loading')\n"
        "    print('hello', flush=True)\n"
        "    lines.progress(0.5)\n"
        "    lines.progress(7)\n"
        "print('after')"
    )
    assert code == 0
    assert sorted(said.splitlines()) == sorted(
        [
            "openjd_status: loading",
            "| hello",
            "openjd_progress: 50.0",
            "openjd_progress: 100.0",
            "after",
        ]
    )


@pytest.mark.parametrize("way", ["status", "print", "fd", "child", "stderr"])
def test_nothing_is_injected(way: str) -> None:
    """Every kind of line end, by our own words, Python's print, a library's write, and a child."""
    evil = "".join(f"x{end} openjd_env: EVIL=1{end}" for end in BREAKS)
    by = {
        "status": "lines.status(evil)",
        "print": "print(evil)",
        "fd": "os.write(1, evil.encode())",
        "stderr": "sys.stderr.write(evil)",
        "child": "subprocess.run([sys.executable, '-c', f'print({evil!r})'])",
    }
    code, said = heard(f"evil = {evil!r}\nwith SessionLines() as lines:\n    {by[way]}\n")
    assert code == 0
    assert [line for line in orders(said) if not line.startswith("openjd_status: x")] == []
    assert "EVIL" in said


def test_no_line_is_long_enough_to_be_cut() -> None:
    """A session cuts lines at 64,000 characters, and reads on as if a new line began."""
    evil = "f'{63_990 * \"x\"}openjd_env: EVIL=1' * 3"
    code, said = heard(
        f"with SessionLines() as lines:\n    print({evil})\n    lines.status({evil})\n"
    )
    assert code == 0
    assert orders(said) == ["openjd_status: " + 1024 * "x"]
    assert max(map(len, said.splitlines())) < 1100


def test_what_ends_a_task_is_told() -> None:
    """An error in our own words is the task's; so is one that nobody foresaw, on one line."""
    known = "from lumivid_fx.errors import InputError\nwith SessionLines():\n    "
    code, said = heard(known + "raise InputError('a\\nb')")
    assert code == 1
    assert orders(said) == [r"openjd_fail: a\nb"]
    code, said = heard("with SessionLines():\n    raise ValueError('x\\nopenjd_env: A=1')")
    assert orders(said)[0] == r"openjd_fail: ValueError: x\nopenjd_env: A=1"


@pytest.mark.parametrize("debug", ["0", "1"])
@pytest.mark.parametrize("error", ["ValueError", "InputError"])
def test_no_traceback_goes_past_the_session(debug: str, error: str) -> None:
    """Python prints an error's text, and its cause's, as they are: both with line ends in them."""
    code, said = heard(
        f"os.environ['LUMIVID_DEBUG'] = '{debug}'\n"
        "from lumivid_fx.cli.outcome import one_sentence\n"
        "from lumivid_fx.cli.window_command import told\n"
        "from lumivid_fx.errors import InputError\n"
        "import typer\n"
        "app = typer.Typer(pretty_exceptions_enable=False)\n"
        "@app.command()\n"
        "def go():\n"
        "    with one_sentence(as_json=False, interrupted=str), told(openjd=True) as lines:\n"
        "        try:\n"
        "            raise OSError('a\\nopenjd_env: EVIL=1')\n"
        "        except OSError as cause:\n"
        f"            raise {error}('b\\nopenjd_env: EVIL=2') from cause\n"
        "app()\n"
    )
    assert code != 0
    assert [line.split(":")[0] for line in orders(said)] == ["openjd_fail"]
    assert ("| openjd_env: EVIL=1" in said) == (debug == "1")


def test_one_line() -> None:
    """What is no print becomes its escape; the rest stays as it is written."""
    assert one_line("été\u2028\x1b[2J\n") == r"été\u2028\x1b[2J\n"
    assert re.fullmatch(r"[^\n]*", one_line("\n" * 5000))
