"""A scan of images: what they hold, and what is wrong with them."""

import hashlib
import io
import tarfile

import pytest
from PIL import Image

from limner.data.formats import Member
from limner.data.preparing.scan import AT_ONCE, open_image, scan
from limner.errors import InputError
from limner.images.limits import ImageLimits


@pytest.fixture
def three(tmp_path):
    """{name: image}: a JPEG, the same in a tar file, and one that is cut short."""
    buffer = io.BytesIO()
    Image.effect_noise((200, 100), 60).convert("RGB").save(buffer, "JPEG")
    content = buffer.getvalue()
    (tmp_path / "a.jpg").write_bytes(content)
    (tmp_path / "short.jpg").write_bytes(content[: len(content) // 2])
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "a.jpg", "in/a.jpg")
    with tarfile.open(tmp_path / "a.tar") as archive:
        info = archive.getmember("in/a.jpg")
    member = Member(tmp_path / "a.tar", "in/a.jpg", info.offset_data, info.size)
    return {"file": tmp_path / "a.jpg", "member": member, "short": tmp_path / "short.jpg"}


def test_scan_results(three):
    seen = scan(three)
    digest = hashlib.sha256(three["file"].read_bytes()).hexdigest()
    assert (seen["file"].sha256, seen["file"].problem) == (digest, None)
    assert (seen["member"].sha256, seen["member"].problem) == (digest, None)
    assert seen["short"].sha256 == ""
    assert seen["short"].problem.startswith(f"{three['short']}: the image is truncated")


def test_an_image_in_a_tar_file_is_the_image(three):
    one, other = (open_image(three[name], size_hint=1000) for name in ("file", "member"))
    assert one.tobytes() == other.tobytes()


def test_one_in_a_tar_file_is_named_with_it(three):
    member = three["member"]
    short = Member(member.archive, member.name, member.offset, member.size // 2)
    with pytest.raises(InputError, match=r"a\.tar: in/a\.jpg: the image is truncated"):
        open_image(short, size_hint=100)
    member.archive.unlink()
    for sight in (scan({"": member})[""].problem, scan({"": short})[""].problem):
        assert sight.startswith(f"{member}: cannot be read (No such file")


def test_a_limit_on_pixels(three):
    seen = scan(three, limits=ImageLimits(max_pixels=19_999))
    assert "200 x 100 pixels" in seen["file"].problem
    assert scan(three, limits=ImageLimits(max_pixels=20_000))["file"].problem is None


def test_progress(three):
    counts = []
    many = {str(number): three["file"] for number in range(AT_ONCE + 5)}
    scan(many, lambda *count: counts.append(count))
    assert counts == [(AT_ONCE, AT_ONCE + 5), (AT_ONCE + 5, AT_ONCE + 5)]
