"""Every recipe can be read, is in the table of recipes/README.md, and has its features."""

from pathlib import Path

import pytest

from limner.settings import read_config

RECIPES = Path(__file__).parents[1] / "recipes"


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_recipe(recipe):
    config = read_config(recipe)
    assert config.epochs > 1
    assert f"`{recipe.name}`" in (RECIPES / "README.md").read_text("utf-8")
    assert f"    {recipe.stem})" in (RECIPES / "flickr8k.sh").read_text("utf-8")
