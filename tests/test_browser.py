"""The site and the example's report in a real browser.

    python -m pytest -m special tests/test_browser.py

Needs the extra `browser`, and Chromium where JAXACT_CHROMIUM says or on the path. JAXACT_SITE names
a site that is built already; JAXACT_REPORT must name a report that the main example wrote.
"""

import functools
import importlib
import os
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
from test_site import CATALOG, Page, built, pages

pytestmark = [pytest.mark.special(needs="browser"), pytest.mark.xdist_group("site")]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1400, "height": 900}
DRAWN = [e for e in CATALOG.values() if e.kind in ("elementwise", "random")]


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the site."""
    given = os.environ.get("JAXACT_SITE")
    return Path(given).resolve() if given else built(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def browser():
    """Chromium, with nobody looking."""
    playwright = importlib.import_module("playwright.sync_api")
    path = os.environ.get("JAXACT_CHROMIUM") or shutil.which("chromium")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def tab(browser):
    """A tab that collects complaints, in `tab.complaints`."""
    page = browser.new_page()
    page.complaints = []
    page.on(
        "console", lambda ops: ops.type in ("error", "warning") and page.complaints.append(ops.text)
    )
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("requestfailed", lambda request: page.complaints.append(request.url))
    yield page
    page.close()


def open_page(tab, site, name):
    """Opens a page of the site by its name."""
    path, _, place = str(name).partition("#")
    tab.goto((site / path).as_uri() + (f"#{place}" if place else ""))


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_every_page_loads_without_complaint_and_fits(site, tab, size):
    tab.set_viewport_size(size)
    for path in pages(site):
        open_page(tab, site, path.relative_to(site))
        assert not tab.complaints, f"{path}: {tab.complaints}"
        width = tab.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"], f"{path} is {width} wide"
        tab.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
        tab.wait_for_timeout(50)  # for what was opened to be fitted
        assert not tab.evaluate(WIDE), path


WIDE = """[...document.querySelectorAll(".bd-article :is(table, img, svg)")].filter(
    part => part.getBoundingClientRect().width > part.closest(".bd-article").clientWidth + 1
).map(part => part.outerHTML.slice(0, 200))"""


def shown(tab):
    """The activations whose cards are seen."""
    return tab.locator(".activation:visible b").all_inner_texts()


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("swish", "silu"),
        ("telu", "tanhexp"),
        ("arXiv:1908.08681", "mish"),
        ("LeakyRelu", "leaky_relu"),
    ],
)
def test_the_gallery_finds_by_alias_and_by_paper(site, tab, words, name):
    open_page(tab, site, "activations/index.html")
    everything = shown(tab)
    assert set(everything) >= {e.name for e in DRAWN}
    tab.locator(".finder input").fill(words)
    assert name in shown(tab)
    assert len(shown(tab)) < len(everything) / 4


@pytest.mark.parametrize(
    ("words", "first"), [("nn.GELU", "gelu"), ("torch.nn.Mish", "mish"), ("relu", "relu")]
)
def test_the_gallery_shows_the_best_answer_first(site, tab, words, first):
    open_page(tab, site, "activations/index.html")
    tab.locator(".finder input").fill(words)
    assert shown(tab)[0] == first


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("choose", "Choose an activation"),
        ("install", "Install"),
        ("dying", "Choose an activation"),
        ("激活", "激活层：原笔记"),
        ("死神经元", "激活层：原笔记"),
        ("梯度截断", "2. 四种疗法，以及漏掉的一种"),
    ],
)
def test_the_gallery_finds_pages(site, tab, words, first):
    open_page(tab, site, "activations/index.html")
    tab.locator(".finder input").fill(words)
    assert tab.locator(".pages li:visible").all_inner_texts()[0] == first


def test_bounded_finds_what_is_bounded(site, tab):
    open_page(tab, site, "activations/index.html")
    tab.locator(".finder input").fill("bounded")
    assert {"sigmoid", "tanh", "relu6"} <= set(shown(tab))
    assert not {"relu", "gelu", "elu"} & set(shown(tab))


def test_the_gallery_is_ordered_by_use_and_on_request_by_name(site, tab):
    open_page(tab, site, "activations/index.html")
    assert shown(tab)[:2] == ["relu", "gelu"]
    tab.locator(".order select").select_option("name")
    assert shown(tab) == sorted(shown(tab))


def test_the_front_page_finds_too(site, tab):
    open_page(tab, site, "index.html")
    tab.locator("form.finder input").fill("swish")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/activations/index.html?q=swish")
    assert "swish" in shown(tab)


def test_filters_narrow_the_gallery(site, tab):
    open_page(tab, site, "activations/index.html")
    tab.locator(".finder summary").click()
    tab.locator("[data-filter=smooth]").select_option("smooth")
    tab.locator("[data-filter=saturates]").select_option("both")
    assert {"tanh", "sigmoid"} <= set(shown(tab))
    assert not {"relu", "gelu", "hard_tanh"} & set(shown(tab))


def test_a_slider_redraws_the_curve(site, tab):
    open_page(tab, site, "activations/elu.html")
    curve = tab.locator("svg.curves svg .value")
    before = curve.get_attribute("d")
    slider = tab.locator(".sliders input[name=alpha]")
    slider.evaluate("s => { s.value = 2.5; s.dispatchEvent(new Event('input')); }")
    assert curve.get_attribute("d") != before
    assert tab.locator(".sliders output").inner_text() == "2.50"
    tab.locator(".sliders button").click()
    assert tab.locator(".sliders output").inner_text() == "1.00"


def test_two_stand_side_by_side(site, tab):
    open_page(tab, site, "activations/compare.html#mish")
    first, second = tab.locator(".compare select").all()
    assert first.input_value() == "mish"
    second.select_option("silu")
    assert tab.url.endswith("#mish,silu")
    assert tab.locator(".comparison th a").all_inner_texts() == ["mish", "silu"]
    drawn = [p.get_attribute("d") for p in tab.locator(".compare svg svg path").all()]
    assert len(drawn) == 6
    assert all(drawn)


def test_what_the_browser_computes_is_what_the_library_does(site, tab):
    """Value, slope and curvature, in every setting that the catalogue names."""
    open_page(tab, site, "activations/compare.html")
    for entry in DRAWN:
        for setting in entry.samples:
            if form(setting) != form(entry.samples[0]):
                continue  # pages draw the typical choice
            low, high = entry.domain(**setting)
            points = np.array([x for x in np.linspace(-4.93, 4.87, 29) if low < x < high])
            found = tab.evaluate(
                "([name, set, xs]) => { const a = activations[name];"
                "return a.orders.map(f => xs.map(x => f(x, {...typical(a), ...set}))); }",
                [entry.name, flattened(setting), points.tolist()],
            )
            expected = three_orders(functools.partial(entry.function, **setting), points)
            for got, wanted in zip(found, expected, strict=True):
                np.testing.assert_allclose(
                    got, wanted, rtol=1e-7, atol=1e-9, err_msg=f"{entry.name} {setting}"
                )


def form(setting):
    """Choices that are no numbers, and how many numbers there are."""
    choices = {name: value for name, value in setting.items() if isinstance(value, bool)}
    return choices, len(flattened(setting)) if flattened(setting) else None


def flattened(setting):
    """Tuples as the numbers that pages name."""
    numbers = {}
    for name, value in setting.items():
        if isinstance(value, tuple):
            numbers |= {f"{name}[{i}]": v for i, v in enumerate(value)}
        elif not isinstance(value, bool):
            numbers[name] = value
    return numbers


def three_orders(function, points):
    """Value, slope and curvature of the library in float64."""
    with jax.enable_x64(True):
        slope = jax.grad(function)
        orders = jax.jit(jax.vmap(lambda x: (function(x), slope(x), jax.grad(slope)(x))))
        return jax.device_get(orders(points))


def test_the_report_of_the_example_opens(tab):
    given = os.environ.get("JAXACT_REPORT")
    assert given, "JAXACT_REPORT must name a report that the main example wrote"
    for size in (PHONE, {"width": 1280, "height": 900}):
        tab.set_viewport_size(size)
        tab.goto(Path(given).resolve().as_uri())
        assert not tab.complaints
        assert tab.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert not [u for u in Page(Path(given)).fetched if "//" in u]
