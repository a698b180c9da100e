"""The Chinese pages: their language, the words around them, and a switch on both sides."""

from pathlib import Path

from sphinx.application import Sphinx

LANGUAGE = "zh-Hans"
WORDS = {  # of the theme, as they stand in its pages
    '<html lang="en"': f'<html lang="{LANGUAGE}"',
    ">Start</span>": ">开始</span>",
    ">Use</span>": ">使用</span>",
    ">Understand</span>": ">理解</span>",
    ">Project</span>": ">项目</span>",
    ">previous</p>": ">上一章</p>",
    ">next</p>": ">下一章</p>",
    'title="previous page"': 'title="上一页"',
    'title="next page"': 'title="下一页"',
    'title="Link to this heading"': 'title="本节链接"',
    'title="Search"': 'title="搜索"',
    'aria-label="Search"': 'aria-label="搜索"',
    'aria-label="Search..."': 'aria-label="搜索"',
    'placeholder="Search..."': 'placeholder="搜索"',
    ">Search</span>": ">搜索</span>",
    'title="Toggle primary sidebar"': 'title="导航"',
    'title="Toggle secondary sidebar"': 'title="本页目录"',
    'title="Color mode"': 'title="明暗"',
    'aria-label="Color mode"': 'aria-label="明暗"',
    " Contents\n": " 本页目录\n",
    "<h2>Contents</h2>": "<h2>本页目录</h2>",
}


def setup(app: Sphinx) -> dict[str, bool]:
    """The switch is set as pages are written, the words once they are there."""
    app.connect("html-page-context", _switch)
    app.connect("build-finished", _translate)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _switch(app: Sphinx, pagename: str, template: str, context: dict, doctree) -> None:
    room, _, name = pagename.rpartition("/")
    rooms = {"tutorial": "zh", "zh": "tutorial"}
    if room not in rooms or "body" not in context:
        return
    words = {"tutorial": ("English", "en"), "zh": ("中文", LANGUAGE)}
    here, (there, language) = words[room][0], words[rooms[room]]
    link = f"../{rooms[room]}/{name}.html"
    context["body"] = (
        f'<p class="languages">{here} · '
        f'<a href="{link}" lang="{language}" hreflang="{language}">{there}</a></p>'
        + context["body"]
    )


def _translate(app: Sphinx, exception: Exception | None) -> None:
    for page in Path(app.outdir).glob("zh/*.html"):
        text = page.read_text(encoding="utf-8")
        for word, meaning in WORDS.items():
            text = text.replace(word, meaning)
        page.write_text(text, encoding="utf-8")
