import subprocess
import sys

import numpy as np
from PIL import Image

from limner.errors import InputError
from limner.report.page import THUMBNAIL_BYTES, environment, thumbnail, write_page
from limner.report.run import MOST


def test_thumbnail_of_noise_keeps_a_page_of_200_images_under_5_megabytes(tmp_path, rng):
    """Noise is the hardest image to compress."""
    noise = rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    found = thumbnail(lambda name: tmp_path / name, "noise.png")
    assert max(found.width, found.height) >= 128
    assert found.width / found.height == 4 / 3
    assert len(found.data) < THUMBNAIL_BYTES * 4 / 3 + 200
    assert MOST * len(found.data) < 4_500_000


def test_thumbnail_of_missing_image_is_none(tmp_path):
    def refuse(image):
        raise InputError(f"{image} is in no folder")

    assert thumbnail({}.__getitem__, "a.jpg") is None
    assert thumbnail(refuse, "a.jpg") is None
    assert thumbnail(lambda image: tmp_path / image, "a.jpg") is None


def test_write_page_escapes_text_and_executes_none_of_it(tmp_path, monkeypatch):
    text = "{{ 7 * 7 }} {% raw %} <b> & \" ' $title"
    template = environment().from_string('<p title="{{ text }}">{{ text }}</p>')
    monkeypatch.setattr(type(environment()), "get_template", lambda self, name: template)
    write_page(tmp_path / "page.html", "any", find=None, text=text)
    written = (tmp_path / "page.html").read_text("utf-8")
    escaped = "{{ 7 * 7 }} {% raw %} &lt;b&gt; &amp; &#34; &#39; $title"
    assert written == f'<p title="{escaped}">{escaped}</p>'


def test_jinja2_is_imported_when_a_page_is_written():
    code = "import limner.cli.stages, limner.cli.preparing, sys; print('jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
