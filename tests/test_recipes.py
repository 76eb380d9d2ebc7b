"""Every recipe can be read and is in the table; the script makes a model of drawn images."""

import csv
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from limner.captioner import Captioner
from limner.checkpoint import load_checkpoint
from limner.training.config import read_config

RECIPES = Path(__file__).parents[1] / "recipes"
SMALL = {"wordvec_dim": 8, "hidden_dim": 8, "attention_dim": 4, "place_dim": 5, "batch_size": 20}


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_recipe(recipe):
    taught = {"teachers": ["a run"]} if recipe.stem == "flickr8k-distilled" else {}
    config = read_config(recipe, taught)
    assert config.epochs > 1
    assert f"`{recipe.name}`" in (RECIPES / "README.md").read_text("utf-8")
    assert re.search(rf"[ |]{recipe.stem}[ )]", (RECIPES / "flickr8k.sh").read_text("utf-8"))


@pytest.fixture(scope="module")
def like_flickr8k(drawn, tmp_path_factory):
    """The drawn images in Flickr8k's layout."""
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
    assert student.info.training["teachers"] == [f"{out}/teacher-{seed}" for seed in (1, 2, 3)]
    assert Captioner.load(out / "run").caption(next((like_flickr8k / "images").iterdir())).text


def test_unknown_recipe_is_refused(tmp_path):
    command = ["sh", RECIPES / "flickr8k.sh", "flickr8k-transformer", tmp_path, tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no recipe flickr8k-transformer; there are flickr8k-attention" in done.stderr


@pytest.fixture
def stand_in(tmp_path):
    """A command `limner` that only notes that it trains, and then does what is asked; its PATH."""

    def make(then):
        folder = tmp_path / "bin"
        folder.mkdir()
        command = folder / "limner"
        command.write_text(
            "#!/bin/sh\n"
            f'[ "$1" = prepare ] && exec mkdir -p {tmp_path}/out\n'
            f'echo $$ > "{tmp_path}/pid-$(basename "$4")"\n{then}\n'
        )
        command.chmod(0o755)
        return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}

    return make


def test_failing_teacher_is_named(stand_in, tmp_path):
    command = ["sh", RECIPES / "flickr8k.sh", "flickr8k-distilled", tmp_path, tmp_path / "out"]
    environment = stand_in("echo out of luck >&2; exit 1")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "out of luck" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_teachers_end_with_the_script(stand_in, tmp_path):
    command = ["sh", RECIPES / "flickr8k.sh", "flickr8k-distilled", tmp_path, tmp_path / "out"]
    script = subprocess.Popen(command, env=stand_in("exec sleep 60"))
    deadline = time.monotonic() + 20
    while len(notes := sorted(tmp_path.glob("pid-teacher-*"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)  # the numbers are written
    script.terminate()
    assert script.wait(timeout=20) != 0
    assert len(notes) == 3
    running = {int(note.read_text()) for note in notes}
    while running and time.monotonic() < deadline:
        running = {number for number in running if Path(f"/proc/{number}").exists()}
        time.sleep(0.05)
    assert not running
