import io
from pathlib import Path

import pytest
from PIL import Image

from limner.cli.inputs import find_images
from limner.images.limits import ImageLimits


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "below").mkdir()
    for name in ("b.JPG", "a.png", "below/c.webp"):
        image_format = {"JPG": "JPEG", "png": "PNG", "webp": "WEBP"}[name.split(".")[1]]
        Image.new("RGB", (8, 8)).save(tmp_path / name, image_format)
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


def test_find_images_in_folder_sorted(folder):
    found, failed = find_images([str(folder)])
    assert [name for name, _ in found] == [
        str(folder / n) for n in ("a.png", "b.JPG", "below/c.webp")
    ]
    assert failed == []


def test_find_images_returns_files_unchecked(folder):
    found, failed = find_images([str(folder / "notes.txt"), "absent.jpg"])
    assert [name for name, _ in found] == [str(folder / "notes.txt"), "absent.jpg"]
    assert failed == []


def test_find_images_refuses_folder_without_images(tmp_path):
    found, failed = find_images([str(tmp_path)])
    assert found == []
    assert failed[0].startswith(f"{tmp_path}: no image in it")


def test_find_images_leaves_addresses_to_the_captioner():
    assert find_images(["http://example.org/a.png"]) == (
        [("http://example.org/a.png", "http://example.org/a.png")],
        [],
    )


def names(folder, *patterns):
    found, failed = find_images([str(folder / pattern) for pattern in patterns])
    assert [name for name, path in found] == [str(path) for _, path in found]
    return [str(path.relative_to(folder)) for _, path in found], failed


def test_find_images_matches_patterns(folder):
    assert names(folder, "*.png") == (["a.png"], [])
    assert names(folder, "[ab].*", "**/*.webp") == (["a.png", "b.JPG", "below/c.webp"], [])
    assert names(folder, "*") == (["a.png", "b.JPG", "below/c.webp"], [])  # and no notes.txt
    assert names(folder, "**") == (["a.png", "b.JPG", "below/c.webp"], [])  # each once


def test_find_images_matches_relative_patterns(folder, monkeypatch):
    monkeypatch.chdir(folder)
    found, failed = find_images(["*/?.webp"])
    assert (found, failed) == ([("below/c.webp", Path("below/c.webp"))], [])


@pytest.mark.parametrize("name", ["what?.png", "[1].png", "a*b.png"])
def test_find_images_prefers_exact_file_name(folder, name):
    (folder / "what1.png").write_bytes((folder / "a.png").read_bytes())
    (folder / "1.png").write_bytes((folder / "a.png").read_bytes())
    (folder / name).write_bytes((folder / "a.png").read_bytes())
    assert names(folder, name) == ([name], [])


def test_find_images_refuses_patterns_without_match(folder):
    found, (nothing, wrong) = names(folder, "*.tiff", "a**b")
    assert found == []
    assert nothing.startswith(f"{folder / '*.tiff'}: no image matches (")
    assert wrong.startswith(f"{folder / 'a**b'}: ")
    assert ";" in wrong or "no image matches" in wrong


def test_find_images_terminates_with_cyclic_links(folder):
    for name in ("x", "y", "below/z"):
        (folder / name).symlink_to(folder, target_is_directory=True)
    found, failed = names(folder, "**/*.webp")
    assert "below/c.webp" in found
    assert len(found) < 10
    assert failed == []


def read_from(monkeypatch, content, **how):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    return find_images(["-"], **how)


def test_find_images_reads_standard_input(folder, monkeypatch):
    content = (folder / "a.png").read_bytes()
    assert read_from(monkeypatch, content) == ([("-", content)], [])
    for wrong, message in ((b"", "empty, 0 bytes"), (b"text", "not an image")):
        found, (line,) = read_from(monkeypatch, wrong)
        assert found == []
        assert line.startswith(f"standard input: {message}")
    monkeypatch.setattr("limner.cli.inputs.MAX_BYTES", 10)
    assert read_from(monkeypatch, content) == (
        [],
        ["standard input: more than 10 bytes; save it to a file instead"],
    )


def test_find_images_applies_pixel_limit(folder, monkeypatch):
    found, (line,) = read_from(
        monkeypatch, (folder / "a.png").read_bytes(), limits=ImageLimits(max_pixels=63)
    )
    assert found == []
    assert line.startswith("standard input: 8 x 8 pixels, more than the 63 that are read")
