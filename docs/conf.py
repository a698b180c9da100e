"""How Sphinx makes the site. `python docs/build.py` runs it."""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent), str(DOCS)]

import jaxact  # from this checkout, installed or not

project = "jaxact"
author = "the jaxact authors"
copyright = "the jaxact authors, Apache-2.0"
release = version = jaxact.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "_site.docstrings",
    "_site.gallery",
    "_site.icons",
    "_site.mathml",
    "_site.outward",
    "_site.chinese",
]
exclude_patterns = ["_site", "activations/_numbers.md"]

default_role = "py:obj"
autodoc_typehints = "none"  # what they may be, docstrings say in words
autodoc_preserve_defaults = True
napoleon_google_docstring, napoleon_numpy_docstring = True, False
napoleon_custom_sections = ["Accuracy", "Edges", "Source"]
napoleon_attr_annotations = False
napoleon_use_ivar = True
napoleon_use_rtype = False

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

html_theme = "sphinx_book_theme"
html_title = "jaxact"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["tables.js"]
html_context = {"default_mode": "auto"}
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_toc_level": 2,
    "home_page_in_toc": False,
    "navbar_persistent": [],
}
html_math_renderer = "mathml"
