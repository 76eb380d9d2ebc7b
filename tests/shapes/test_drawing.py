"""The embedded dataset: the same everywhere, each image by itself, a folder safe to rewrite."""

import csv
import hashlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limner.shapes import draw, write_folder
from limner.shapes.drawing import Drawing


def fingerprint(drawings: list[Drawing]) -> str:
    digest = hashlib.sha256()
    for drawing in drawings:
        digest.update(drawing.image.tobytes())
        digest.update("\n".join((drawing.name, *drawing.captions)).encode())
    return digest.hexdigest()


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "captions.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_draw_is_equal_in_another_process() -> None:
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_drawing import draw, fingerprint
print(fingerprint([draw(i, seed=4) for i in (40, 3, 17, 0)]))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    drawings = [draw(i, seed=4) for i in (40, 3, 17, 0)]
    assert run.stdout.strip() == fingerprint(drawings)


def test_seed_and_index_change_the_image_and_the_captions() -> None:
    images = [draw(1), draw(2), draw(1, seed=1)]
    assert len({drawing.image.tobytes() for drawing in images}) == 3
    assert len({drawing.captions for drawing in images}) == 3


def test_the_size_changes_the_pixels_alone() -> None:
    small, large = draw(5, size=64), draw(5)
    assert (small.image.size, large.image.size) == ((64, 64), (224, 224))
    assert small.captions == large.captions
    shrunk = np.asarray(large.image.resize((64, 64)), float)
    assert np.abs(shrunk - np.asarray(small.image, float)).mean() < 12


@pytest.mark.parametrize("wrong", [{"index": -1}, {"seed": -1}, {"size": 31}])
def test_draw_refuses_invalid_arguments(wrong: dict[str, int]) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name}={value}"):
        draw(**{"index": 0} | wrong)


def test_a_folder_joins_captions_and_images(tmp_path: Path) -> None:
    done: list[int] = []
    write_folder(tmp_path / "new" / "set", 4, seed=2, size=64, progress=done.append)
    table = rows(tmp_path / "new" / "set")
    assert done == [1, 2, 3, 4]
    assert (tmp_path / "new/set/captions.csv").read_bytes().startswith(b"image,caption\n")
    assert set(Counter(row["image"] for row in table).values()) == {5}
    for index in range(4):
        drawing = draw(index, seed=2, size=64)
        assert tuple(r["caption"] for r in table if r["image"] == drawing.name) == drawing.captions
        with Image.open(tmp_path / "new/set/images" / drawing.name) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (64, 64))
            difference = np.asarray(image, float) - np.asarray(drawing.image, float)
        assert np.abs(difference).mean() < 6


def test_image_does_not_depend_on_the_number_of_images(tmp_path: Path) -> None:
    write_folder(tmp_path / "few", 2, size=48)
    write_folder(tmp_path / "many", 5, size=48)
    few, many = files(tmp_path / "few"), files(tmp_path / "many")
    assert len(few) == 3
    assert all(many[name] == few[name] for name in few if name.endswith(".jpg"))
    assert many["captions.csv"].startswith(few["captions.csv"])


def test_written_again_a_folder_is_the_same(tmp_path: Path) -> None:
    write_folder(tmp_path, 3, size=48)
    before = files(tmp_path)
    write_folder(tmp_path, 3, size=48)
    assert files(tmp_path) == before
    assert len(before) == 4


def test_a_run_that_stopped_leaves_no_table_and_the_next_one_mends_it(tmp_path: Path) -> None:
    def stop(count: int) -> None:
        if count == 2:
            raise KeyboardInterrupt

    write_folder(tmp_path / "whole", 3, size=48)
    write_folder(tmp_path / "stopped", 3, seed=9, size=48)
    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "stopped", 3, size=48, progress=stop)
    assert not (tmp_path / "stopped/captions.csv").exists()
    write_folder(tmp_path / "stopped", 3, size=48)
    assert files(tmp_path / "stopped") == files(tmp_path / "whole")


def test_an_image_cut_short_never_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_the_disk(image: Image.Image, path: Path, *_: object, **__: object) -> None:
        path.write_bytes(b"\xff\xd8 half an image")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fill_the_disk)
    with pytest.raises(OSError, match="No space left"):
        write_folder(tmp_path, 1, size=48)
    assert not list(tmp_path.rglob("*.jpg"))
    assert not (tmp_path / "captions.csv").exists()


def test_no_images_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        write_folder(tmp_path / "set", 0)
    assert not (tmp_path / "set").exists()
