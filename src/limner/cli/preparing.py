"""The commands prepare and check."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import limner.data.preparing.prepare as work
from limner.cli.console import log, print_counts, print_line, staged_bar
from limner.cli.options import struct_options
from limner.data.preparing.config import CheckConfig, PrepareConfig
from limner.data.preparing.feature_rows import FromImages
from limner.report.check import write_check
from limner.report.page import refuse_other_files


@struct_options
def prepare(*, config: PrepareConfig) -> None:
    """Prepare a dataset from images and captions. An interrupted run continues when repeated."""
    with staged_bar("images") as update:
        dataset = work.prepare(config, log, update)
    print_counts(dataset)


@struct_options
def check(
    html: Annotated[
        Path | None, typer.Option(help="Write an HTML page of all findings, with images.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all findings as JSON, with all names.")
    ] = False,
    *,
    config: CheckConfig,
) -> None:
    """Report problems of images and captions, and estimate the cost of `prepare`.

    The exit status is 2 if no training images are left.
    """
    if html:
        refuse_other_files(html)
    with staged_bar("images") as update:
        findings = work.check_source(config, (lambda line: None) if as_json else print_line, update)
    cost = None
    if "train" in findings.splits:
        rows = work.feature_rows(config, findings.source)
        cost = rows.cost(findings.splits) if isinstance(rows, FromImages) else None
    if as_json:
        facts = {**findings.to_json(), "cost": asdict(cost) if cost else None}
        print(json.dumps(facts, ensure_ascii=False, indent=2))
    elif cost:
        print(f"preparing takes {cost}")
    if html:
        write_check(html, findings, cost)
        if not as_json:
            print(f"page: {html}")
    work.check_training(findings)
    config.vocabulary(findings.references)
