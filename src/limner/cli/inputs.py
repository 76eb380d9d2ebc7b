"""Image arguments of `limner caption`: files, folders, patterns, `-` and addresses."""

import sys
from pathlib import Path

from limner.errors import InputError
from limner.images.images import Source, check_image
from limner.images.limits import USUAL_LIMITS, ImageLimits
from limner.images.sources import images_in, only_images

MAX_BYTES = 100_000_000
"""Maximum bytes read from standard input."""


def find_images(
    names: list[str], limits: ImageLimits = USUAL_LIMITS
) -> tuple[list[tuple[str, Source]], list[str]]:
    """Find images by name; returns (name, source) pairs and an error message per failure.

    Args:
        names: files; folders, searched recursively for image suffixes; patterns
            (``photos/*.jpg``, ``**/*.png``), for the images and folders that match, unless a file
            has exactly that name; ``-`` for standard input; http(s) addresses.
        limits: for standard input; nothing else is opened here.
    """
    found: list[tuple[str, Source]] = []
    failed = []
    for name in names:
        try:
            if not name:
                raise InputError("empty name; give a file, a folder or an address")
            if name == "-":
                found.append((name, _standard_input(limits)))
            elif "://" in name and not Path(name).exists():
                found.append((name, name))
            else:
                found += [(str(path), path) for path in _paths(name)]
        except InputError as error:
            failed.append(str(error))
    return found, failed


def _paths(name: str) -> list[Path]:
    """The files of a name; a missing file is returned as is, and fails when it is opened."""
    path = Path(name)
    if path.is_dir():
        return images_in(path)
    if path.exists() or not any(sign in name for sign in "*?["):
        return [path]
    return only_images(path, _matching(path))


def _matching(pattern: Path) -> list[Path]:
    """Matching files, and the contents of matching folders."""
    try:  # not glob.glob, which follows cyclic links to folders
        matches = list(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
    except (ValueError, NotImplementedError) as error:
        raise InputError(f"{pattern}: invalid pattern ({error}); write ** as a folder") from None
    return [*matches, *(p for match in matches if match.is_dir() for p in match.rglob("*"))]


def _standard_input(limits: ImageLimits) -> bytes:
    content = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise InputError(
            f"standard input: more than {MAX_BYTES:,} bytes; save it to a file instead"
        )
    check_image(content, "standard input", limits)
    return content
