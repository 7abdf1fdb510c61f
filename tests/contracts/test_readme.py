"""README.md runs: every Python block, in order; and every command it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.contracts.markdown_blocks import broken_links, fenced_blocks, run_python_blocks

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
SHELLS = {"bash", "sh", "shell", "console"}
OTHER_COMMANDS = {"cd", "git", "pip", "python", "source"}


def command_lines() -> list[str]:
    """Command lines of the shell blocks, without prompts and comments."""
    text = "\n".join(body for language, body in fenced_blocks(README) if language in SHELLS)
    lines = [re.sub(r"\s+#.*$", "", line).removeprefix("$ ").strip() for line in text.splitlines()]
    return [part.strip() for line in lines if line and not line.startswith("#") for part in line.split("&&")]


def test_python_blocks_run_and_print_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_python_blocks(README)


def test_commands_exist() -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):(?!=)", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    cli = pytest.importorskip("qkernels.cli")
    import typer.main

    group = typer.main.get_command(cli.app)
    commands = set(getattr(group, "commands", {}))
    lines = command_lines()
    assert "make demo" in lines
    assert "make test" in lines
    for line in lines:
        program, *arguments = line.split()
        if program == "make":
            assert {word for word in arguments if "=" not in word} <= targets, line
        elif program == "qkernels":
            assert arguments, line
            assert arguments[0] in commands, line
        else:
            assert program in OTHER_COMMANDS, line


def test_links_to_files_lead_somewhere() -> None:
    assert broken_links(README) == []
