"""From whatever somebody has to a dataset: a look at it, and then the work.

The slow part is kept in `OUT/partial` (`limner.data.preparing.extraction`), so that a run that was
stopped goes on where it was. The dataset's files follow (`limner.data.writing`).
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from limner.data.backbones.backbone import Backbone
from limner.data.backbones.info import BackboneInfo
from limner.data.dataset import Dataset
from limner.data.opening import open_dataset
from limner.data.preparing.check import Findings, Progress, find, summary
from limner.data.preparing.feature_rows import FeatureRows, FromFile, FromPictures
from limner.data.preparing.job import Job
from limner.data.schema import SCHEMA_VERSION, DatasetInfo, SourceInfo, read_info
from limner.data.sources import Source, read_source, split_by_ratio
from limner.data.writing import project, write_dataset
from limner.errors import InputError
from limner.files import locked
from limner.pca import check_dim

Report = Callable[[str], None]


def nothing(stage: str, done: int, total: int) -> None:
    """The progress that nobody sees."""


def look_before(job: Job, report: Report = print, progress: Progress = nothing) -> Findings:
    """What the source is, and everything that is wrong with it or odd.

    Args:
        job: its source, captions, images, format, splits, ratio and seed.
        report: takes a line for the user.
        progress: takes a stage's name, how many pictures are done, and of how many.

    Raises:
        InputError: if no captions can be found in it.
    """
    return _look_at(_source_of(job, report), job, report, progress)


def _source_of(job: Job, report: Report) -> Source:
    source = read_source(
        job.source,
        format=job.format,
        captions=job.captions,
        images=job.images,
        split_files=job.split_files or None,
    )
    report(f"{job.source}: taken for {source.title} (--format {source.format})")
    return source


def _look_at(source: Source, job: Job, report: Report, progress: Progress) -> Findings:
    there = source.pictures.keys() | set(source.feature_ids)
    captioned = [image for image in source.captions if image in there]
    splits = source.splits or split_by_ratio(captioned, job.ratio, job.seed)
    ordered = dict(sorted(splits.items(), key=_train_first))
    findings = find(source, ordered, progress, job.limits)
    for line in summary(findings):
        report(line)
    return findings


def _train_first(split: tuple[str, Any]) -> bool:
    return split[0] != "train"


def prepare(job: Job, report: Report = print, progress: Progress = nothing) -> Dataset:
    """Make a dataset, or go on making it; open it if it is there already.

    Args:
        job: what to do.
        report: takes a line for the user, e.g. the name of a picture that cannot be read.
        progress: takes a stage's name, how many pictures are done, and of how many.

    Raises:
        InputError: if the source, the splits or the backbone cannot be used, no picture can be
            read, or `job.out` holds something else.
        LimnerError: if the disk is full, or would be.
    """
    if job.out.exists() and not job.out.is_dir():
        raise InputError(f"{job.out}: a file; --out takes a folder")
    if job.out.resolve() in [p.resolve() for p in (job.source, job.images) if p]:
        raise InputError(f"{job.out}: holds the pictures; name another folder by --out")
    source = _source_of(job, report)
    backbone = backbone_of(job, source)  # what is wrong with it is told before the long look
    findings = _look_at(source, job, report, progress)
    check_training(findings)
    job.words.vocabulary(findings.references)  # what cannot be is told now, not after an hour
    features = feature_rows(job, findings, backbone)
    if job.pca:
        check_dim(job.pca, min(filter(None, (features.info.dim, features.info.grid_dim))))
        pictures = len(findings.splits["train"])
        if job.keep != "grid" and job.pca >= pictures:
            raise InputError(
                f"--pca {job.pca}: {pictures} training pictures have {pictures - 1} principal "
                "components at most; ask for fewer"
            )
    parts = _parts(job, findings, features.info)
    partial = job.out / "partial"
    if _is_done(job.out, parts, report):
        report(f"{job.out}: prepared already, nothing to do")
        shutil.rmtree(partial, ignore_errors=True)  # of a run that was stopped at its very end
        return open_dataset(job.out)
    with locked(partial / "lock"):
        if not _is_done(job.out, parts, lambda line: None):  # by another process, meanwhile
            lost = features.make(partial, report, progress)
            _write(job, findings, features, lost, parts, report)
        shutil.rmtree(partial, ignore_errors=True)
    return open_dataset(job.out)


def backbone_of(job: Job, source: Source) -> Backbone | None:
    """The network that features come from; None where somebody has them, and does not say."""
    return None if source.features is not None and not job.backbone else job.open_backbone()


def feature_rows(job: Job, findings: Findings, backbone: Backbone | None) -> FeatureRows:
    """What the features of a source come from."""
    if findings.source.features is None and backbone:
        return FromPictures(job, findings, backbone)
    return FromFile(job, findings, backbone)


def check_training(findings: Findings) -> None:
    """Raise InputError where there is nothing to train on; say why."""
    if "train" in findings.splits:
        return
    source = findings.source
    if source.splits and "train" not in source.splits:
        raise InputError(
            f"{source.path}: has the splits {', '.join(source.splits)} and no train; name one with "
            "--split train=FILE"
        )
    if findings.unreadable:
        which = "training" if findings.splits else f"{len(findings.unreadable)}"
        raise InputError(f"{source.root}: none of its {which} pictures can be read")
    name = next(iter(source.captions), "")
    raise InputError(
        f"{source.path}: none of the training pictures is in {source.root}; names in the captions, "
        f"such as {name!r}, must be files there"
    )


def _parts(job: Job, findings: Findings, backbone: BackboneInfo) -> dict[str, str]:
    """Hashes of all that the dataset depends on, by what they are of.

    Pictures count by what they hold.
    """
    captions, seen = findings.source.captions, findings.seen
    facts = {
        "pictures": {
            split: [(i, seen[i].sha256 if i in seen else "") for i in images]
            for split, images in findings.splits.items()
        },
        "captions": [captions[i] for images in findings.splits.values() for i in images],
        "words (--min-count, --max-words, --tokens)": asdict(job.words),
        "backbone": msgspec.to_builtins(backbone),
        "features (--features, --dtype, --views, --pca)": [
            *(job.keep, job.numbers.name, job.views, job.pca)
        ],
        "schema": SCHEMA_VERSION,
    }
    return {name: _sha256(fact) for name, fact in facts.items()}


def _sha256(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _is_done(out: Path, parts: dict[str, str], report: Report) -> bool:
    """Whether this very dataset stands there; raises if another one does."""
    if not (out / "dataset.json").exists():
        return False
    try:
        info = read_info(out / "dataset.json")
    except InputError:
        info = DatasetInfo()
    if info.fingerprint != _sha256(parts):
        there = info.made_of
        other = [name for name, part in parts.items() if there and there.get(name) != part]
        raise InputError(
            f"{out}: holds a dataset with other {', other '.join(other) or 'contents'}; choose "
            "another --out, or delete it first"
        )
    try:
        open_dataset(out)
    except InputError as error:
        report(f"{error}: making it again")
        return False
    return True


def _write(
    job: Job,
    findings: Findings,
    features: FeatureRows,
    lost: dict[str, str],
    parts: dict[str, str],
    report: Report,
) -> None:
    source = findings.source
    kept = {
        split: [image for image in images if image not in lost]
        for split, images in findings.splits.items()
    }
    kept = {split: images for split, images in kept.items() if images}
    if "train" not in kept:
        raise InputError(f"{source.root}: none of its training pictures can be read")
    rows, backbone = features.rows(kept), features.info
    projections = None
    if job.pca:
        rows, projections = project(rows, job.pca)
        components = {part: one.describe() for part, one in projections.items()}
        backbone = msgspec.structs.replace(backbone, pca=components)
        for part, one in projections.items():
            report(
                f"{part}: {one.dim} components explain {one.explained.sum():.1%} of the variance"
            )
    info = DatasetInfo(
        fingerprint=_sha256(parts),
        made_of=parts,
        backbone=backbone,
        features=job.keep,
        views=job.views,
        source=SourceInfo(
            path=str(source.path.resolve()),
            format=source.format,
            images=str(source.root.resolve()),
            captions=", ".join(str(file.resolve()) for file in source.files),
        ),
        skipped=findings.unreadable | lost,
    )
    references = {split: {i: source.captions[i] for i in images} for split, images in kept.items()}
    write_dataset(job.out, references, job.words, rows, job.numbers, info, projections)
