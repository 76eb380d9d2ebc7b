"""Sources as people have them, written into a folder by tests: three images, four captions."""

import io
import json
import tarfile
import unicodedata

import h5py
import numpy as np
from PIL import Image

buffer = io.BytesIO()
Image.new("RGB", (3, 2), (200, 30, 30)).save(buffer, "JPEG")
JPEG = buffer.getvalue()

CAPTIONS = {
    "a 1.jpg": ["A dog, asleep", "A red dog"],
    "b #2.jpg": ['A "big" cat'],
    "été.jpg": ["Ein Hund läuft 🐕"],
}


def write_images(folder, names=CAPTIONS):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(JPEG)


def text(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(captions=CAPTIONS):
    return [(name, caption) for name, several in captions.items() for caption in several]


def csv_text(delimiter=","):
    cells = [[f'"{c.replace(chr(34), chr(34) * 2)}"' for c in row] for row in rows()]
    return "".join(f"{delimiter.join(row)}\n" for row in [["image", "caption"], *cells])


def jsonl(name="image", caption="caption"):
    return "".join(json.dumps({name: n, caption: c}) + "\n" for n, c in rows())


def tar(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


def csv(folder):
    write_images(folder / "photos")
    text(folder / "captions.csv", csv_text())


def semicolons_windows_and_bom(folder):
    write_images(folder / "photos")
    content = ("sep=;\n" + csv_text(";")).replace("\n", "\r\n")
    text(folder / "captions.csv", b"\xef\xbb\xbf" + content.encode())


def utf16(folder):
    write_images(folder / "photos")
    text(folder / "captions.txt", csv_text("\t").encode("utf-16"))


def json_lines(folder):
    write_images(folder)
    text(folder / "captions.jsonl", jsonl("file_name", "text"))


def json_of_lists(folder):
    write_images(folder / "images")
    text(folder / "captions.json", json.dumps(CAPTIONS))


def json_of_objects(folder):
    write_images(folder / "images")
    content = [{"file": n, "captions": [{"raw": c} for c in cs]} for n, cs in CAPTIONS.items()]
    text(folder / "captions.json", json.dumps(content, indent=1))


def several_columns(folder):
    write_images(folder)
    lines = ["id,filename,caption_1,caption_2"]
    for number, (name, several) in enumerate(CAPTIONS.items()):
        cells = [c.replace('"', '""') for c in (*several, "")[:2]]
        lines.append(f'{number},{name},"{cells[0]}","{cells[1]}"')
    text(folder / "captions.csv", "\n".join(lines))


def lists_in_cells(folder):
    write_images(folder)
    lines = [f"{name}\t{several!r}" for name, several in CAPTIONS.items()]
    text(folder / "captions.tsv", "\n".join(["image\tcaptions", *lines]))


def bars(folder):
    write_images(folder / "flickr30k_images")
    lines = [f"{name}| {i}| {caption}" for i, (name, caption) in enumerate(rows())]
    text(folder / "results.csv", "\n".join(["image_name| comment_number| comment", *lines]))


def macs(folder):
    """Names as macOS gives them, and what it leaves in folders."""
    write_images(folder / "photos", [unicodedata.normalize("NFD", name) for name in CAPTIONS])
    write_images(folder / "photos", ["._a 1.jpg", "__MACOSX/a 1.jpg"])
    text(folder / "captions.csv", csv_text())


def other_spellings(folder):
    write_images(folder / "photos")
    lines = jsonl().replace("a 1.jpg", r"C:\\pics\\a 1.JPG").replace("b #2.jpg", "./images/b #2")
    text(folder / "captions.jsonl", lines)


def beside(folder):
    write_images(folder)
    for name, several in CAPTIONS.items():
        text(folder / name.replace(".jpg", ".txt"), "\r\n".join([*several, ""]))
    text(folder / "README.txt", "Taken by me")


def coco_json(names=tuple(CAPTIONS), first=0):
    return json.dumps(
        {
            "info": {},
            "images": [{"id": i, "file_name": n} for i, n in enumerate(names)],
            "annotations": [
                {"id": 7, "image_id": i, "caption": c}
                for i, n in enumerate(names)
                for c in CAPTIONS[n]
            ],
        }
    )


def coco(folder):
    write_images(folder / "val2014")
    text(folder / "annotations" / "captions_val2014.json", coco_json())
    text(folder / "annotations" / "instances_val2014.json", coco_json())


def karpathy(folder):
    write_images(folder / "imgs")
    text(folder / "dataset_mine.json", karpathy_json(dict.fromkeys(CAPTIONS, "train")))


def karpathy_json(splits):
    images = [
        {"filename": name, "split": split, "sentences": [{"raw": c} for c in CAPTIONS[name]]}
        for name, split in splits.items()
    ]
    return json.dumps({"images": images, "dataset": "mine"})


def flickr(folder):
    write_images(folder / "Flicker8k_Dataset")
    lines = [f"{name}#{i}\t{caption}" for i, (name, caption) in enumerate(rows())]
    text(folder / "Flickr8k.token.txt", "\n".join(lines))
    text(folder / "Flickr8k.lemma.token.txt", "\n".join(lines))
    text(folder / "ExpertAnnotations.txt", "a 1.jpg\tb #2.jpg#2\t1\t1\t1\n")
    text(folder / "readme.txt", "Flickr8k, described")


def imagefolder(folder):
    write_images(folder)
    text(folder / "metadata.jsonl", jsonl("file_name", "text"))


def webdataset(folder):
    members = {}
    for name, several in CAPTIONS.items():
        members[name.replace(".jpg", ".txt")] = "\n".join(several).encode()
        members[name] = JPEG
    members["c.cls"] = b"3"
    tar(folder / "0000.tar", members)


def webdataset_json(folder):
    members = dict.fromkeys(CAPTIONS, JPEG)
    for name, several in CAPTIONS.items():
        members[name.replace(".jpg", ".json")] = json.dumps({"captions": several}).encode()
    tar(folder / "shards" / "0000.tar", members)


FOLDERS = {
    "table": [csv, semicolons_windows_and_bom, utf16, json_lines, json_of_lists, json_of_objects,
              several_columns, lists_in_cells, bars, macs, other_spellings],
    "text": [beside],
    "coco": [coco],
    "karpathy": [karpathy],
    "flickr": [flickr],
    "imagefolder": [imagefolder],
    "webdataset": [webdataset, webdataset_json],
}  # fmt: skip


FEATURES = np.arange(12, dtype=np.float32).reshape(3, 4)


def features_h5(folder, features=FEATURES, ids=tuple(CAPTIONS)):
    with h5py.File(folder / "feats.h5", "w") as file:
        file["features"] = features
        file["ids"] = [name.encode() for name in ids]
    text(folder / "captions.csv", csv_text())
    return folder / "feats.h5"


def features_npy(folder):
    np.save(folder / "feats.npy", FEATURES)
    text(folder / "feats.txt", "\n".join(CAPTIONS))
    text(folder / "captions.csv", csv_text())
    return folder / "feats.npy"
