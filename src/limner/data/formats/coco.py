"""COCO's annotations: JSON with a table of images, and captions with image ids."""

from pathlib import Path

from limner.data.formats.caption_format import CaptionFormat
from limner.data.formats.format import Candidate
from limner.data.formats.json_rows import read_object, shown
from limner.data.formats.source import Source


class Coco(CaptionFormat):
    """Captions of `captions_*.json`: `annotations` with the `image_id` of one of its `images`.

    An image that is not listed is matched by its id, which its file name may contain.
    """

    name = "coco"
    title = "COCO's captions_*.json and its folder of images"
    suffixes = (".json",)
    label = "COCO's {}"
    keeps_duplicates = True

    def detect(self, file: Candidate) -> bool:
        has_captions = {"image_id", "caption"} <= file.keys
        return has_captions and file.text[0] == "{" and bool(file.keys & {"annotations", "info"})

    def read_file(self, path: Path) -> Source:
        content = read_object(path, "annotations")
        images = content.get("images")
        names = {
            str(image.get("id")): image["file_name"]
            for image in (images if isinstance(images, list) else ())
            if isinstance(image, dict) and isinstance(image.get("file_name"), str)
        }
        result = Source(path)
        for number, row in enumerate(content["annotations"]):
            fields = row if isinstance(row, dict) else {}
            image, caption = fields.get("image_id"), fields.get("caption")
            if isinstance(caption, str) and isinstance(image, str | int):
                result.add(names.get(str(image), str(image)), caption, f"annotation {number}")
            else:
                wrong = f"image_id and caption expected, got {shown(row)}"
                result.pass_over(f"annotation {number}", "annotations without a caption", wrong)
        return result.checked("annotations with image_id and caption")
