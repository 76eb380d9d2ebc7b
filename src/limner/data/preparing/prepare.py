"""Prepare a dataset: check the captions, then compute the features.

Features are stored in `OUT/partial` (`limner.data.feature_store`), so that an interrupted run can
be continued. The files of the dataset are written at the end (`limner.data.writing`).
"""

import shutil

import msgspec

from limner.backbones.info import BackboneInfo
from limner.backbones.open_backbone import open_backbone
from limner.backbones.pca import check_dim
from limner.config import sha256_of_json
from limner.data.dataset import Dataset
from limner.data.formats import Source, read_source, split_by_ratio
from limner.data.opening import open_dataset
from limner.data.preparing.check import Findings, find, findings_of, summary, trouble
from limner.data.preparing.config import CheckConfig, PrepareConfig
from limner.data.preparing.contents import Contents, contents_of
from limner.data.preparing.feature_rows import FeatureRows, FromFile, FromImages, Report
from limner.data.preparing.scan import Progress
from limner.data.schema import DatasetInfo, SourceInfo, read_info
from limner.data.writing import project, write_dataset
from limner.errors import InputError
from limner.io import locked


def nothing(stage: str, done: int, total: int) -> None:
    """Ignore progress."""


def check_source(
    config: CheckConfig, report: Report = print, progress: Progress = nothing
) -> Findings:
    """Read a source, and find its problems.

    Args:
        config: the options.
        report: called with each message.
        progress: called with the name of the stage, the number of images done, and of all.

    Returns:
        The findings.

    Raises:
        InputError: if no captions are found.
    """
    source = _source_of(config, report)
    findings = find(source, _splits_of(config, source), progress, config.limits)
    for line in summary(findings):
        report(line)
    return findings


def _source_of(config: CheckConfig, report: Report) -> Source:
    source = read_source(
        config.source,
        format=config.format,
        captions=config.captions,
        images=config.images,
        split_files=config.split or None,
    )
    report(f"{config.source}: read as {source.title} (`format` {source.format})")
    return source


def _splits_of(config: CheckConfig, source: Source) -> dict[str, list[str]]:
    """The splits of the source, or by ratio; `train` first."""
    there = source.image_files.keys() | set(source.feature_ids)
    captioned = [image for image in source.captions if image in there]
    shares = dict(zip(("train", "dev", "test"), config.ratio, strict=True))
    splits = source.splits or split_by_ratio(captioned, shares, config.seed)
    return dict(sorted(splits.items(), key=lambda split: split[0] != "train"))


def prepare(config: PrepareConfig, report: Report = print, progress: Progress = nothing) -> Dataset:
    """Make a dataset, resume its preparation, or open it if it exists.

    Args:
        config: the options.
        report: called with each message, for example about an unreadable image.
        progress: called with the name of the stage, the number of images done, and of all.

    Returns:
        The dataset.

    Raises:
        InputError: if the source, the splits or the backbone cannot be used, no image can be
            read, or `out` has other contents.
        LimnerError: if the disk has too little space.
    """
    if config.out.exists() and not config.out.is_dir():
        raise InputError(f"{config.out}: a file; `out` takes a folder")
    if (config.out / "history.jsonl").exists():
        raise InputError(f"{config.out}: contains a run; choose another `out`")
    if config.out.resolve() in [p.resolve() for p in (config.source, config.images) if p]:
        raise InputError(f"{config.out}: contains the images; choose another `out`")
    source = _source_of(config, report)
    features = feature_rows(config, source)
    splits = _splits_of(config, source)
    before = findings_of(source, splits, {})  # fail before the features are computed
    for line in summary(before):
        report(line)
    check_training(before)
    config.vocabulary(before.references)
    _check_components(config, before, features.info)
    partial = config.out / "partial"
    if _is_done(config, before, features.info, report, progress):
        report(f"{config.out}: prepared already, nothing to do")
        shutil.rmtree(partial, ignore_errors=True)  # of a run that was stopped at the end
    else:
        with locked(partial / "lock"):
            # by another process, meanwhile
            if not _is_done(config, before, features.info, lambda line: None, progress):
                seen = features.make(before.splits, partial, report, progress)
                findings = findings_of(source, splits, seen)
                for line in trouble(findings):
                    report(line)
                check_training(findings)
                _write(config, findings, features, report)
            shutil.rmtree(partial, ignore_errors=True)
    return open_dataset(config.out)


def feature_rows(config: CheckConfig, source: Source) -> FeatureRows:
    """The source of the features."""
    backbone = None
    if source.features is None or config.backbone:
        backbone = open_backbone(
            config.backbone, weights=config.weights, keep=config.features, size=config.size
        )
    if source.features is None and backbone:
        return FromImages(config, source, backbone)
    return FromFile(config, source, backbone)


def check_training(findings: Findings) -> None:
    """Raise InputError if there is nothing to train on."""
    if "train" in findings.splits:
        return
    source = findings.source
    if source.splits and "train" not in source.splits:
        raise InputError(
            f"{source.path}: has the splits {', '.join(source.splits)} and no train; name one with "
            "`split` train=FILE"
        )
    if findings.unreadable:
        which = "training" if findings.splits else f"{len(findings.unreadable)}"
        raise InputError(f"{source.root}: none of its {which} images can be read")
    name = next(iter(source.captions), "")
    raise InputError(
        f"{source.path}: none of the training images is in {source.root}; names in the captions, "
        f"such as {name!r}, must be files there"
    )


def _check_components(config: CheckConfig, findings: Findings, info: BackboneInfo) -> None:
    """Raise InputError if `pca` exceeds the number of principal components."""
    if not config.pca:
        return
    check_dim(config.pca, min(filter(None, (info.dim, info.grid_dim))))
    images = len(findings.splits["train"])
    if config.features != "grid" and config.pca >= images:
        raise InputError(
            f"`pca` {config.pca}: {images} training images have {images - 1} principal "
            "components at most; ask for fewer"
        )


def _is_done(
    config: PrepareConfig, before: Findings, info: BackboneInfo, report: Report, progress: Progress
) -> bool:
    """Whether the same dataset exists already; raises if another one does."""
    out = config.out
    if not (out / "dataset.json").exists():
        return False
    findings = find(before.source, before.splits, progress, config.limits)
    parts = contents_of(config, findings, info).hashes()
    try:
        there = read_info(out / "dataset.json")
    except InputError:
        there = DatasetInfo()
    if there.fingerprint != sha256_of_json(parts):
        made_of = there.made_of or parts
        other = ", other ".join(
            part.name
            for part in msgspec.structs.fields(Contents)
            if made_of.get(part.encode_name) != parts.get(part.encode_name)
        )
        raise InputError(
            f"{out}: holds a dataset with other {other or 'contents'}; choose "
            f"another `out` (with `reuse` {out}, the network runs for new images alone), or "
            "delete it first"
        )
    try:
        open_dataset(out)
    except InputError as error:
        report(f"{error}: making it again")
        return False
    return True


def _write(
    config: PrepareConfig, findings: Findings, features: FeatureRows, report: Report
) -> None:
    source = findings.source
    lost = features.unusable(findings.splits)
    for reason in lost.values():
        report(f"{reason} (left out)")
    kept = {
        split: [image for image in images if image not in lost]
        for split, images in findings.splits.items()
    }
    kept = {split: images for split, images in kept.items() if images}
    if "train" not in kept:
        raise InputError(f"{source.root}: none of its training images can be read")
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
    parts = contents_of(config, findings, features.info).hashes()
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
    sha256s = {image: one.sha256 for image, one in findings.seen.items()}
    write_dataset(config.out, references, config, rows, config.numbers, info, projections, sha256s)
