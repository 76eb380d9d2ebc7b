"""dataset.json: what is read of it, what is refused, and that it is written as it was read."""

import json
import re

import pytest

from limner.data.schema import DatasetInfo, read_info
from limner.errors import InputError


@pytest.fixture
def facts(tiny_dataset):
    return json.loads((tiny_dataset / "dataset.json").read_text())


@pytest.fixture
def read(tmp_path):
    def read(facts):
        file = tmp_path / "dataset.json"
        file.write_text(json.dumps(facts))
        return read_info(file)

    return read


def test_written_as_it_was_read(tiny_dataset):
    file = tiny_dataset / "dataset.json"
    assert read_info(file).to_json() == file.read_text()


def test_info_of_a_merged_dataset_round_trips(facts, read):
    more = {
        "sources": [
            {"source": {"path": "a"}, "pictures": {"train": 20}, "renamed": {}},
            {"source": {"path": "b"}, "pictures": {"dev": 2, "test": 2}, "renamed": {"b/1": "1"}},
        ]
    }
    assert json.loads(read(facts | more).to_json()) == facts | more


def test_keys_of_another_version_are_passed_over(facts, read):
    newer = json.loads(json.dumps(facts)) | {"licence": ["MIT"]}
    for part in ("backbone", "source"):
        newer[part]["added"] = {"a": [1]}
    for part in ("splits", "files"):
        next(iter(newer[part].values()))["added"] = 3
    assert read(newer) == read(facts)


def test_missing_fields_of_the_first_version(facts, read):
    """Only the splits, and what tells datasets apart."""
    old = {key: facts[key] for key in ("schema_version", "splits", "vocabulary_sha256")}
    info = read(old)
    assert info == DatasetInfo(splits=info.splits, vocabulary_sha256=info.vocabulary_sha256)
    assert info.splits["train"].images == 20


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"views": 10**18}, "$.views"),
        ({"views": -1}, "$.views"),
        ({"min_count": "5"}, "$.min_count"),
        ({"features": "most"}, "$.features"),
        ({"splits": {"train": {}}}, "`images`"),
        ({"backbone": {"name": "net", "sha256": "0", "dim": 0}}, "$.backbone.dim"),
        ({"backbone": {"name": "x", "sha256": "0", "preprocessing": {"size": 0}}}, "size"),
        ({"sources": [{"source": {}, "pictures": {"train": 1.5}}]}, "$.sources[0].pictures"),
        ({"skipped": {"a.jpg": 1}}, "$.skipped"),
        ({"schema_version": "1"}, "$.schema_version"),
    ],
)
def test_invalid_field_is_named(facts, read, tmp_path, change, field):
    message = rf"^{re.escape(str(tmp_path))}/dataset\.json: .*{re.escape(field)}.*; prepare"
    with pytest.raises(InputError, match=message):
        read(facts | change)
