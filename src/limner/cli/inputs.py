"""Image arguments of `limner caption`: files, folders, patterns, `-` and addresses."""

import sys
from pathlib import Path

from limner.errors import InputError
from limner.images.images import SUFFIXES, Source, check_image
from limner.images.limits import USUAL_LIMITS, ImageLimits

MAX_BYTES = 100_000_000
"""Maximum bytes read from standard input."""


def find_images(
    names: list[str], limits: ImageLimits = USUAL_LIMITS
) -> tuple[list[tuple[str, Source]], list[str]]:
    """Find images by name; returns (name, path or bytes) pairs and an error message per failure.

    Args:
        names: files; folders, searched recursively for image suffixes; patterns
            (``photos/*.jpg``, ``**/*.png``), for the images and folders that match, unless a file
            has exactly that name; ``-`` for standard input; http(s) addresses.
        limits: for addresses and standard input; files are not opened here.
    """
    found: list[tuple[str, Source]] = []
    failed = []
    for name in names:
        try:
            if not name:
                raise InputError("empty name; give a file, a folder or an address")
            if name == "-":
                found.append((name, _standard_input(limits)))
            elif name.lower().startswith(("http://", "https://")):
                from limner.images.remote import fetch_bytes  # noqa: PLC0415 (slow: imports ssl)

                found.append((name, fetch_bytes(name, limits=limits)))
            elif "://" in name and not Path(name).exists():
                raise InputError(f"{name}: only http and https addresses are supported")
            else:
                found += [(str(path), path) for path in _paths(name)]
        except InputError as error:
            failed.append(str(error))
    return found, failed


def _paths(name: str) -> list[Path]:
    """The files of a name; a missing file is returned as is, and fails when it is opened."""
    path = Path(name)
    if path.is_dir():
        inside = path.rglob("*")
        found = [p for p in inside if not any(n[0] == "." for n in p.relative_to(path).parts)]
    elif path.exists() or not any(sign in name for sign in "*?["):
        return [path]
    else:
        found = _matching(path)
    images = sorted({p for p in found if p.suffix.lower() in SUFFIXES and p.is_file()})
    if not images:
        lack = "no image in it" if path.is_dir() else "no image matches"
        raise InputError(f"{path}: {lack} ({', '.join(sorted(SUFFIXES))})")
    return images


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
