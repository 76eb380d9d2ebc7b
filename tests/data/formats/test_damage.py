"""Bytes of good files, changed at random: a source or one clear line, and nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.data.formats import Source, read_source
from limner.errors import InputError
from written_sources import FOLDERS, features_h5, features_npy

MAKERS = [*(make for several in FOLDERS.values() for make in several), features_h5, features_npy]


@pytest.fixture(scope="module", params=MAKERS, ids=lambda make: make.__name__)
def good(request, tmp_path_factory):
    """A folder that can be read, and its files that are no images."""
    folder = tmp_path_factory.mktemp("good")
    request.param(folder)
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return folder, {file: file.read_bytes() for file in files if file.suffix != ".jpg"}


def changed(data, file, content):
    """Some bytes changed, taken out or put in, or the end cut off.

    Of HDF5 it is the end alone: its library can go in circles, in C, on other damage to texts.
    """
    place = data.draw(st.integers(0, len(content)))
    if file.suffix == ".h5":
        return content[:place]
    taken = data.draw(st.sampled_from([0, 1, 4, 40, len(content)]))
    return content[:place] + data.draw(st.binary(max_size=8)) + content[place + taken :]


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_damaged_files(good, data):
    folder, files = good
    try:
        for file in data.draw(st.sets(st.sampled_from(sorted(files)), min_size=1, max_size=2)):
            file.write_bytes(changed(data, file, files[file]))
        lines, captions = read_or_told(folder)
    finally:
        for file, content in files.items():
            file.write_bytes(content)
    for line in lines:
        assert "\n" not in line
        assert str(folder) in line or line.startswith("and ")
    for name, texts in captions.items():
        assert texts
        assert all(texts)
        assert (name + "".join(texts)).encode()


def read_or_told(folder):
    """The lines that it is told by, and the captions."""
    try:
        source = read_source(folder)
    except InputError as error:
        return [str(error)], {}
    assert isinstance(source, Source)
    return source.problems, source.captions
