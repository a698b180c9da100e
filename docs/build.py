"""Builds the site; warnings are errors.

python docs/build.py            # into build/site: open build/site/index.html
python docs/build.py FOLDER     # somewhere else
"""

import sys
from pathlib import Path

from sphinx.cmd.build import main

DOCS = Path(__file__).parent
OUTPUT = DOCS.parent / "build" / "site"


def build(output: Path = OUTPUT) -> int:
    """Builds the site, and returns 0 if there was nothing to complain of."""
    return main(["-W", "--keep-going", "-q", "-E", str(DOCS), str(output)])


if __name__ == "__main__":
    sys.exit(build(*map(Path, sys.argv[1:])))
