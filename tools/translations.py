"""Keeps the translations complete: finds what is to be translated, and compiles it.

    python -m tools.translations          say what is missing or no longer used
    python -m tools.translations --write  bring resources/translations up to date

Strings are found in the calls of `tr` and `counted` (`app/ui/translations.py`), in the
tables listed below, in the node's sentences (`app/wordings.py`) and in the declaration of
the settings (`app/preferences.py`). A
language's .ts file is Qt's own format, to be edited by hand or with Qt Linguist; its
.qm file is made from it with lrelease and stands beside it, because it ships.
"""

from __future__ import annotations

import argparse
import ast
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "resources" / "translations"
CONTEXT = "Potluck"


def literal_strings() -> set[str]:
    """What stands as text in calls of `tr` and `counted`."""
    found: set[str] = set()
    for path in sorted((ROOT / "app" / "ui").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            first = {"tr": node.args[:1], "counted": node.args[1:3]}.get(node.func.id, [])
            found |= {
                argument.value
                for argument in first
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            }
    return found


def table_strings() -> set[str]:
    """What stands in tables, and in the declaration of the settings."""
    from app.settings import SETTINGS
    from app.ui.chat import SUGGESTIONS
    from app.ui.models_page import PURPOSES
    from app.ui.setting_fields import WEEKS
    from app.ui.setting_words import CHOICES, EXPECTED
    from app.ui.translations import LANGUAGES
    from app.wordings import WORDINGS

    found = {*SUGGESTIONS, *WORDINGS.values(), *EXPECTED.values(), *PURPOSES.values()}
    found |= {name for name, _ in WEEKS}
    found |= {shown for name, shown in CHOICES.items() if name not in LANGUAGES}
    for setting in SETTINGS:
        words = setting.words
        if setting.kind == "choice":
            words = words.split(":")[0].rstrip(".") + "."
        found |= {setting.label, setting.section, setting.told}
        found |= {words} if setting.name != "schedule" else set()
        found |= {setting.unit} if setting.unit.isalpha() else set()
    return found


def wanted_strings() -> set[str]:
    """Everything that a language has to say."""
    return {text for text in literal_strings() | table_strings() if text}


def read_translations(path: Path) -> dict[str, str]:
    """What a .ts file says; empty where a translation is missing."""
    if not path.exists():
        return {}
    return {
        message.findtext("source", ""): message.findtext("translation", "")
        for message in ET.parse(path).getroot().iter("message")
    }


def write_translations(path: Path, language: str, texts: dict[str, str]) -> None:
    """Write a .ts file, in alphabetical order so that changes are easy to read."""
    root = ET.Element("TS", version="2.1", language=language, sourcelanguage="en")
    context = ET.SubElement(root, "context")
    ET.SubElement(context, "name").text = CONTEXT
    for source in sorted(texts):
        message = ET.SubElement(context, "message")
        ET.SubElement(message, "source").text = source
        translation = ET.SubElement(message, "translation")
        translation.text = texts[source]
        if not texts[source]:
            translation.set("type", "unfinished")
    ET.indent(root, "  ")
    body = ET.tostring(root, encoding="unicode")
    path.write_text(
        f'<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE TS>\n{body}\n', encoding="utf-8"
    )


def compile_translations(path: Path) -> None:
    """Make the .qm file beside a .ts file."""
    beside = Path(sys.executable).parent / "pyside6-lrelease"
    program = str(beside) if beside.exists() else shutil.which("pyside6-lrelease")
    if program is None:
        raise SystemExit("pyside6-lrelease is missing; set up with: dev.py setup --desktop")
    command = [program, "-silent", str(path), "-qm", str(path.with_suffix(".qm"))]
    subprocess.run(command, check=True)


def main(arguments: list[str]) -> int:
    """Look at every language; 1 when something is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(arguments)
    wanted = wanted_strings()
    incomplete = False
    for path in sorted(FOLDER.glob("potluck_*.ts")):
        have = read_translations(path)
        texts = {source: have.get(source, "") for source in wanted}
        missing = sorted(source for source, text in texts.items() if not text)
        unused = sorted(set(have) - wanted)
        incomplete |= bool(missing)
        for source in missing:
            print(f"{path.name}: missing: {source}")
        for source in unused:
            print(f"{path.name}: not used any more: {source}")
        if options.write:
            write_translations(path, path.stem.removeprefix("potluck_"), texts)
            compile_translations(path)
    return int(incomplete)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
