"""Links outward: papers by arXiv number or DOI, and the pages of other libraries."""

import re
from html import escape

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

PAPER = re.compile(r"arXiv:(\d{4}\.\d{4,5})|doi:(10\.\S+[^\s.,;)])|(github\.com/[\w-]+/[\w-]+)")
PEERS = {
    "jax": "https://docs.jax.dev/en/latest/_autosummary/jax.nn.{}.html",
    "torch": "https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.{}.html",
    "keras": "https://keras.io/api/layers/activations/",
    "onnx": "https://onnx.ai/onnx/operators/onnx__{}.html",
    "hf": "https://github.com/huggingface/transformers/blob/main/src/transformers/activations.py",
}


def setup(app: Sphinx) -> dict[str, bool]:
    """Makes links of papers wherever prose names them, docstrings too."""
    app.add_transform(Papers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def address(match: re.Match[str]) -> str:
    """Where the paper is."""
    number, doi, repository = match.groups()
    if number:
        return f"https://arxiv.org/abs/{number}"
    return f"https://doi.org/{doi}" if doi else f"https://{repository}"


def html(source: str) -> str:
    """A source with its links."""
    link = lambda found: f'<a href="{address(found)}">{found[0]}</a>'
    return PAPER.sub(link, escape(source, quote=False))


def peer(library: str, name: str) -> str:
    """A name of another library, in Markdown, with a link to its page there."""
    return f"[`{name}`]({PEERS[library].format(name)})"


class Papers(SphinxTransform):
    """Replaces what names a paper by a link, unless it is code or a link already."""

    default_priority = 500

    def apply(self, **kwargs) -> None:
        """Walks the text of a page."""
        for text in list(self.document.findall(nodes.Text)):
            inside = text.parent
            if isinstance(
                inside, nodes.literal | nodes.literal_block | nodes.reference | nodes.raw
            ):
                continue
            parts, end = [], 0
            for match in PAPER.finditer(text):
                parts.append(nodes.Text(text[end : match.start()]))
                parts.append(nodes.reference("", match[0], refuri=address(match), internal=False))
                end = match.end()
            if parts:
                inside.replace(text, [*parts, nodes.Text(text[end:])])
