"""Runs the scripts on the note's claims, and puts what they print and draw into the documentation.

python docs/signal_health.py                # all of them, some minutes
python docs/signal_health.py dying_relu     # one
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "signal_health.md"
SCRIPTS = re.findall(r"<!-- (?!end)(\w+) -->", PAGE.read_text(encoding="utf-8"))


def run(script: str) -> str:
    """Returns what a script prints; its figure goes beside the page."""
    command = [sys.executable, f"examples/{script}.py", "--output", f"docs/{script}.svg"]
    checkout = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=checkout, capture_output=True, text=True, check=True
    )
    return done.stdout.strip().rpartition("\n\nFigure:")[0]


def section(script: str, printed: str) -> str:
    """Returns the generated part of a script's section."""
    claims = []
    for claim in printed.split("\n\n"):
        text, measured, verdict = (line.partition(":")[2].strip() for line in claim.splitlines())
        claims.append(f"| {text} | {measured} | {verdict} |")
    table = "\n".join(["| claim | measured | verdict |", "|---|---|---|", *claims])
    figure = f"![{script.replace('_', ' ')}]({script}.svg)"
    return f"`python examples/{script}.py`\n\n{table}\n\n{figure}\n"


def main() -> None:
    """Rewrites the sections of the scripts that are named, or of all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scripts", nargs="*", choices=[*SCRIPTS, []], help="all unless given")
    for script in parser.parse_args().scripts or SCRIPTS:
        marks = re.compile(rf"(<!-- {script} -->\n).*?(<!-- end -->)", re.DOTALL)
        body = section(script, run(script))
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(marks.sub(lambda ops, b=body: ops[1] + b + ops[2], text), encoding="utf-8")


if __name__ == "__main__":
    main()
