"""Builds the site into build/site; warnings are errors.

python docs/build.py            # then open build/site/index.html
"""

import sys
from pathlib import Path

from sphinx.cmd.build import main

DOCS = Path(__file__).parent
OUTPUT = DOCS.parent / "build" / "site"

if __name__ == "__main__":
    sys.exit(main(["-W", "--keep-going", "-q", "-E", str(DOCS), str(OUTPUT), *sys.argv[1:]]))
