import shutil
from importlib.util import find_spec

import numpy as np
import pytest

from limner.metrics import java_scores

needs_java = pytest.mark.skipif(
    not (shutil.which("java") and find_spec("pycocoevalcap")), reason="no Java, or no pycocoevalcap"
)

REFERENCES = [
    [["a", "red", "dog", "runs", "fast"], ["a", "dog", "|||", "running"]],
    [["two", "cats", "sit", "still"]],
    [["a", "man", "rides", "a", "horse"]],
]
CANDIDATES = [["a", "dog", "running", "fast"], [], ["a", "man", "on", "a", "horse"]]


@pytest.mark.java
@needs_java
def test_meteor_is_cocos():
    from pycocoevalcap.meteor.meteor import Meteor

    found, problems = java_scores(CANDIDATES, REFERENCES)
    meteor = found["METEOR"]
    wanted = {i: [" ".join(r).replace("||| ", "") for r in s] for i, s in enumerate(REFERENCES)}
    said = {i: [" ".join(c)] for i, c in enumerate(CANDIDATES)}
    tool = Meteor()
    corpus, per_image = tool.compute_score(wanted, said)
    tool.meteor_p.stdout.close()
    tool.meteor_p.stderr.close()
    assert meteor.value == pytest.approx(100 * corpus, abs=1e-6)
    np.testing.assert_allclose(meteor.per_image, 100 * np.array(per_image), atol=1e-6)
    low, high = meteor.interval
    assert low < meteor.value < high
    assert [line.split()[0] for line in problems] == ["SPICE"]


@pytest.mark.java
@needs_java
@pytest.mark.parametrize("failure", ["exit 1", "echo no memory >&2; exit 1", "echo x; exit 1"])
def test_a_java_that_fails_costs_one_line(failure, tmp_path, monkeypatch):
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\n{failure}\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    found, problems = java_scores(CANDIDATES, REFERENCES)
    assert found == {}
    assert [line.split(" is left out: ")[0] for line in problems] == ["METEOR", "SPICE"]
    assert "\n" not in problems[0]


def test_without_java(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert java_scores(CANDIDATES, REFERENCES)[1] == ["METEOR and SPICE are left out: no Java here"]


def test_without_pycocoevalcap(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr("limner.metrics.java.find_spec", lambda name: None)
    assert "limner[coco]" in java_scores(CANDIDATES, REFERENCES)[1][0]
