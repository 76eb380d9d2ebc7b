"""From whatever somebody has to a dataset: a look at it, and then the work.

The slow part is kept in `OUT/partial` (`limner.data.preparing.extraction`), so that a run that was
stopped goes on where it was. The dataset's files follow (`limner.data.writing`).
"""

import shutil
from pathlib import Path

import msgspec

from limner.backbones.backbone import Backbone
from limner.backbones.open_backbone import open_backbone
from limner.backbones.pca import check_dim
from limner.config import sha256_of_json
from limner.data.dataset import Dataset
from limner.data.formats import Source, read_source, split_by_ratio
from limner.data.opening import open_dataset
from limner.data.preparing.check import Findings, Progress, find, summary
from limner.data.preparing.config import CheckConfig, PrepareConfig
from limner.data.preparing.contents import contents_of
from limner.data.preparing.feature_rows import FeatureRows, FromFile, FromPictures, Report
from limner.data.schema import DatasetInfo, SourceInfo, read_info
from limner.data.writing import project, write_dataset
from limner.errors import InputError
from limner.io import locked


def nothing(stage: str, done: int, total: int) -> None:
    """The progress that nobody sees."""


def look_before(
    config: CheckConfig, report: Report = print, progress: Progress = nothing
) -> Findings:
    """What the source is, and everything that is wrong with it or odd.

    Args:
        config: what to look at, and how it is split.
        report: takes a line for the user.
        progress: takes a stage's name, how many pictures are done, and of how many.

    Raises:
        InputError: if no captions can be found in it.
    """
    return _look_at(_source_of(config, report), config, report, progress)


def _source_of(config: CheckConfig, report: Report) -> Source:
    source = read_source(
        config.source,
        format=config.format,
        captions=config.captions,
        images=config.images,
        split_files=config.split or None,
    )
    report(f"{config.source}: taken for {source.title} (--format {source.format})")
    return source


def _look_at(source: Source, config: CheckConfig, report: Report, progress: Progress) -> Findings:
    there = source.pictures.keys() | set(source.feature_ids)
    captioned = [image for image in source.captions if image in there]
    shares = dict(zip(("train", "dev", "test"), config.ratio, strict=True))
    splits = source.splits or split_by_ratio(captioned, shares, config.seed)
    ordered = dict(sorted(splits.items(), key=lambda split: split[0] != "train"))
    findings = find(source, ordered, progress, config.limits)
    for line in summary(findings):
        report(line)
    return findings


def prepare(config: PrepareConfig, report: Report = print, progress: Progress = nothing) -> Dataset:
    """Make a dataset, or go on making it; open it if it is there already.

    Args:
        config: what to do.
        report: takes a line for the user, e.g. the name of a picture that cannot be read.
        progress: takes a stage's name, how many pictures are done, and of how many.

    Raises:
        InputError: if the source, the splits or the backbone cannot be used, no picture can be
            read, or `out` holds something else.
        LimnerError: if the disk is full, or would be.
    """
    if config.out.exists() and not config.out.is_dir():
        raise InputError(f"{config.out}: a file; --out takes a folder")
    if config.out.resolve() in [p.resolve() for p in (config.source, config.images) if p]:
        raise InputError(f"{config.out}: holds the pictures; name another folder by --out")
    source = _source_of(config, report)
    backbone = backbone_of(config, source)  # what is wrong with it is told before the long look
    findings = _look_at(source, config, report, progress)
    check_training(findings)
    config.vocabulary(findings.references)  # what cannot be is told now, not after an hour
    features = feature_rows(config, findings, backbone)
    if config.pca:
        check_dim(config.pca, min(filter(None, (features.info.dim, features.info.grid_dim))))
        pictures = len(findings.splits["train"])
        if config.features != "grid" and config.pca >= pictures:
            raise InputError(
                f"--pca {config.pca}: {pictures} training pictures have {pictures - 1} principal "
                "components at most; ask for fewer"
            )
    parts = contents_of(config, findings, features.info).hashes()
    partial = config.out / "partial"
    if _is_done(config.out, parts, report):
        report(f"{config.out}: prepared already, nothing to do")
        shutil.rmtree(partial, ignore_errors=True)  # of a run that was stopped at its very end
        return open_dataset(config.out)
    with locked(partial / "lock"):
        if not _is_done(config.out, parts, lambda line: None):  # by another process, meanwhile
            lost = features.make(partial, report, progress)
            _write(config, findings, features, lost, parts, report)
        shutil.rmtree(partial, ignore_errors=True)
    return open_dataset(config.out)


def backbone_of(config: CheckConfig, source: Source) -> Backbone | None:
    """The network that features come from; None where somebody has them, and does not say."""
    if source.features is not None and not config.backbone:
        return None
    return open_backbone(
        config.backbone, weights=config.weights, keep=config.features, size=config.size
    )


def feature_rows(config: CheckConfig, findings: Findings, backbone: Backbone | None) -> FeatureRows:
    """What the features of a source come from."""
    if findings.source.features is None and backbone:
        return FromPictures(config, findings, backbone)
    return FromFile(config, findings, backbone)


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


def _is_done(out: Path, parts: dict[str, str], report: Report) -> bool:
    """Whether this very dataset stands there; raises if another one does."""
    if not (out / "dataset.json").exists():
        return False
    try:
        info = read_info(out / "dataset.json")
    except InputError:
        info = DatasetInfo()
    if info.fingerprint != sha256_of_json(parts):
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
    config: PrepareConfig,
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
    if config.pca:
        rows, projections = project(rows, config.pca)
        components = {part: one.describe() for part, one in projections.items()}
        backbone = msgspec.structs.replace(backbone, pca=components)
        for part, one in projections.items():
            report(
                f"{part}: {one.dim} components explain {one.explained.sum():.1%} of the variance"
            )
    info = DatasetInfo(
        fingerprint=sha256_of_json(parts),
        made_of=parts,
        backbone=backbone,
        features=config.features,
        views=config.views,
        source=SourceInfo(
            path=str(source.path.resolve()),
            format=source.format,
            images=str(source.root.resolve()),
            captions=", ".join(str(file.resolve()) for file in source.files),
        ),
        skipped=findings.unreadable | lost,
    )
    references = {split: {i: source.captions[i] for i in images} for split, images in kept.items()}
    write_dataset(config.out, references, config, rows, config.numbers, info, projections)
