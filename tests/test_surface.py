"""What is public is what the listing says, and nothing else comes with a star."""

import ast
import importlib.util

import pytest
import surface

import jaxact


def test_what_is_public_is_what_the_listing_says():
    """After a change that is meant: `python tests/surface.py`, and a line in the changelog."""
    assert surface.listing().splitlines() == surface.LISTING.read_text("utf-8").splitlines()


@pytest.mark.parametrize("name", surface.modules())
def test_a_star_brings_what_is_public_and_nothing_else(name):
    brought: dict = {}
    exec(f"from {name} import *", brought)
    public = importlib.import_module(name).__all__
    assert brought.keys() - {"__builtins__"} == set(public)
    assert len(public) == len(set(public))


def test_what_needs_another_package_says_what_is_public_too():
    for name in surface.NEEDS_ANOTHER:
        found = importlib.util.find_spec(f"jaxact.{name}")
        tree = ast.parse(found.loader.get_source(found.name))
        targets = [ast.unparse(n.target) for n in tree.body if isinstance(n, ast.AnnAssign)]
        assert "__all__" in targets


def test_functions_are_public_at_the_front_door():
    for name in jaxact.functions.__all__:
        assert name in jaxact.__all__
        assert getattr(jaxact, name) is getattr(jaxact.functions, name)


@pytest.mark.parametrize("change", [{"relu": jaxact.elu}, {"__all__": ["relu"]}])
def test_a_change_is_seen(change, monkeypatch):
    for name, value in change.items():
        monkeypatch.setattr(jaxact.functions, name, value)
    assert surface.listing() != surface.LISTING.read_text("utf-8")
