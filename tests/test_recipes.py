"""Every recipe can be read and is in the table; the script makes a model of drawn pictures."""

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from limner.captioner import Captioner
from limner.checkpoint import load_checkpoint
from limner.settings import read_config

RECIPES = Path(__file__).parents[1] / "recipes"
SMALL = {"wordvec_dim": 8, "hidden_dim": 8, "attention_dim": 4, "place_dim": 5, "batch_size": 20}


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_recipe(recipe):
    config = read_config(recipe)
    assert config.epochs > 1
    assert f"`{recipe.name}`" in (RECIPES / "README.md").read_text("utf-8")
    assert re.search(rf"[ |]{recipe.stem}[ )]", (RECIPES / "flickr8k.sh").read_text("utf-8"))


@pytest.fixture(scope="module")
def like_flickr8k(drawn, tmp_path_factory):
    """The drawn pictures in Flickr8k's layout."""
    folder = tmp_path_factory.mktemp("like") / "Flickr8k"
    shutil.copytree(drawn / "images", folder / "images")
    with (drawn / "captions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    tokens = [f"{row['image']}#{i}\t{row['caption']}\n" for i, row in enumerate(rows)]
    (folder / "Flickr8k.token.txt").write_text("".join(tokens))
    names = sorted({row["image"] for row in rows})
    (folder / "Flickr_8k.trainImages.txt").write_text("\n".join(names[:18]))
    (folder / "Flickr_8k.devImages.txt").write_text("\n".join(names[18:]))
    return folder


@pytest.fixture
def small_recipes(tmp_path):
    """The recipes, of one epoch each and of models of a few numbers."""
    folder = tmp_path / "recipes"
    shutil.copytree(RECIPES, folder)
    script = (folder / "flickr8k.sh").read_text()
    (folder / "flickr8k.sh").write_text(script.replace("--size 288", "--size 64 --min-count 2"))
    for recipe in folder.glob("*.toml"):
        text = re.sub(r"(?m)^((critical_)?epochs) = \d+", r"\1 = 1", recipe.read_text())
        for name, value in SMALL.items():
            text = re.sub(rf"(?m)^{name} = \d+", f"{name} = {value}", text)
        recipe.write_text(text)
    return folder


def test_the_script_trains_teachers_and_their_student(small_recipes, like_flickr8k, tmp_path):
    out = tmp_path / "out"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["sh", small_recipes / "flickr8k.sh", "flickr8k-distilled", like_flickr8k, out]
    for _ in range(2):  # the second time there is nothing left to do
        done = subprocess.run(
            command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "CIDEr" in done.stdout
    student = load_checkpoint(out / "run" / "last.safetensors")
    assert student.info["training"]["teachers"] == [f"{out}/teacher-{seed}" for seed in (1, 2, 3)]
    assert Captioner.load(out / "run").caption(next((like_flickr8k / "images").iterdir())).text


def test_an_unknown_recipe_is_told_so(tmp_path):
    command = ["sh", RECIPES / "flickr8k.sh", "flickr8k-transformer", tmp_path, tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no recipe flickr8k-transformer; there are flickr8k-attention" in done.stderr
