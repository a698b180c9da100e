"""Elements of HTML and SVG as text, and the few shapes of element that the report is made of."""

from html import escape
from typing import Any


def element(tag: str, *content: str, **attributes: Any) -> str:
    """Returns an element of HTML or SVG; `content` is markup, attribute values are plain text.

    In attribute names a trailing underscore is dropped and the others become hyphens.
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for name, value in attributes.items()
    )
    return f"<{tag}{written}>{''.join(content)}</{tag}>"


def marked(activation: str, hue: float) -> dict[str, str]:
    """Returns the attributes that put an element into the colour of an activation."""
    return {
        "class_": "activation",
        "data_activation": activation,
        "style": f"--hue:{hue:.0f}",
    }


def dotted(name: str) -> tuple[str, str]:
    """Returns a dot in the colour of the element around it, and a name."""
    return element("span", class_="dot"), escape(name)


def section(title: str, text: str, *content: str) -> str:
    """Returns a part of the report with its heading."""
    return element("section", element("h2", title), element("p", text), *content)


def card(title: str, *content: str) -> str:
    """Returns a framed part of a section."""
    return element("div", element("h3", escape(title)), *content, class_="card")


def table(head: list[str], rows: list[str]) -> str:
    """Returns a table of rows under the plain texts of `head`."""
    titles = element("tr", *(element("th", escape(title)) for title in head))
    return element("table", element("thead", titles), element("tbody", *rows))
