"""Karpathy's splits of COCO and Flickr: JSON with a table of images and their sentences."""

import posixpath
from pathlib import Path

from limner.data.formats.caption_format import CaptionFormat
from limner.data.formats.format import Candidate
from limner.data.formats.json_rows import read_object, shown
from limner.data.formats.source import Source


class Karpathy(CaptionFormat):
    """Captions and splits of `dataset_*.json`; `restval` belongs to train."""

    name = "karpathy"
    title = "Karpathy's dataset_*.json, with its splits"
    suffixes = (".json",)
    label = "Karpathy's {}"
    keeps_duplicates = True

    def detect(self, file: Candidate) -> bool:
        return file.text.startswith("{") and {"images", "sentences", "filename"} <= file.keys

    def read_file(self, path: Path) -> Source:
        result = Source(path)
        for number, image in enumerate(read_object(path, "images")["images"]):
            name = image.get("filename") if isinstance(image, dict) else None
            if not isinstance(name, str) or not isinstance(image.get("sentences"), list):
                wrong = f"filename and sentences expected, got {shown(image)}"
                result.pass_over(f"image {number}", "images without sentences", wrong)
                continue
            folder, split = image.get("filepath"), image.get("split")
            name = posixpath.join(folder, name) if isinstance(folder, str) else name
            split = {"restval": "train"}.get(split, split) if isinstance(split, str) else ""
            for sentence in image["sentences"]:
                raw = sentence.get("raw") if isinstance(sentence, dict) else None
                if isinstance(raw, str):
                    result.add(name, raw, f"image {number}", split)
                else:
                    wrong = f"a sentence with raw expected, got {shown(sentence)}"
                    result.pass_over(f"image {number}", "sentences without raw", wrong)
        return result.checked("images with filename and sentences")
