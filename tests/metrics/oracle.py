"""COCO's own tokeniser, on a list of captions: pycocoevalcap, which runs Stanford's Java."""

import shutil

import pytest


def coco_tokens(captions: list[str]) -> list[list[str]]:
    """What pycocoevalcap's PTBTokenizer makes of every caption, in one run of Java.

    Stanford reads all captions as one text, and looks past the end of a line. So that a caption
    stands alone, an empty line and a line with one asterisk follow it. The test is skipped where
    pycocoevalcap or Java is missing.
    """
    tokenizer = pytest.importorskip("pycocoevalcap.tokenizer.ptbtokenizer").PTBTokenizer()
    if shutil.which("java") is None:
        pytest.skip("no java")
    lines = [line for caption in captions for line in (caption, "", "*")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", "-Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8")
        tokenised = tokenizer.tokenize({0: [{"caption": line} for line in lines]})[0]
    assert len(tokenised) == len(lines)
    assert set(tokenised[2::3]) <= {"*"}
    return [[token for token in line.split(" ") if token] for line in tokenised[::3]]
