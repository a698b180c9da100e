"""The numbers of the front page."""

import re

from facts import facts


def numbers() -> str:
    """The facts as a row of figures with what they mean, each with a link to what was measured."""
    cells = "".join(
        f"<div><b>{figure}</b><span>{_html(text)}: "
        f'<a href="{page}.html">measurements</a>.</span></div>'
        for figure, text, page in facts()
    )
    return f'<div class="figures">{cells}</div>\n'


def _html(text: str) -> str:
    return re.sub("`(.+?)`", r"<code>\1</code>", text)
