"""What stands on `limner caption`'s command line: files, folders, patterns, `-` and addresses."""

import sys
from pathlib import Path

from limner.errors import InputError
from limner.images.images import SUFFIXES, Source, check_picture
from limner.images.limits import USUAL_LIMITS, ImageLimits

MAX_BYTES = 100_000_000
"""What is read from standard input, which may have no end."""


def find_pictures(
    names: list[str], limits: ImageLimits = USUAL_LIMITS
) -> tuple[list[tuple[str, Source]], list[str]]:
    """Pictures behind names, each with its path or bytes, and a message for each that failed.

    Args:
        names: a file; a folder, for the pictures in it and in the folders below, by their endings,
            in order; a pattern (``photos/*.jpg``, ``**/*.png``), for the pictures and folders that
            match, unless a file has that very name; ``-`` for a picture on standard input; an
            http(s) address, which is fetched.
        limits: what is refused; what comes from a file is not opened here.
    """
    found: list[tuple[str, Source]] = []
    failed = []
    for name in names:
        try:
            if not name:
                raise InputError("an empty name; name a file, a folder or an address")
            if name == "-":
                found.append((name, _standard_input(limits)))
            elif name.lower().startswith(("http://", "https://")):
                from limner.images.remote import fetch_bytes  # noqa: PLC0415 (slow: it brings ssl)

                found.append((name, fetch_bytes(name, limits=limits)))
            elif "://" in name and not Path(name).exists():
                raise InputError(f"{name}: only http and https addresses are fetched")
            else:
                found += [(str(path), path) for path in _paths(name)]
        except InputError as error:
            failed.append(str(error))
    return found, failed


def _paths(name: str) -> list[Path]:
    """The files that a name stands for; what is not there at all is left to who opens it."""
    path = Path(name)
    if path.is_dir():
        inside = path.rglob("*")
        found = [p for p in inside if not any(n[0] == "." for n in p.relative_to(path).parts)]
    elif path.exists() or not any(sign in name for sign in "*?["):
        return [path]
    else:
        found = _matching(path)
    pictures = sorted({p for p in found if p.suffix.lower() in SUFFIXES and p.is_file()})
    if not pictures:
        lack = "no picture in it" if path.is_dir() else "no picture matches"
        raise InputError(f"{path}: {lack} ({', '.join(sorted(SUFFIXES))})")
    return pictures


def _matching(pattern: Path) -> list[Path]:
    """What matches, and what is in the folders that do."""
    try:  # pathlib's, not glob's: that goes in circles where links to folders do
        matches = list(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
    except (ValueError, NotImplementedError) as error:
        raise InputError(f"{pattern}: not a pattern ({error}); write ** as a folder") from None
    return [*matches, *(p for match in matches if match.is_dir() for p in match.rglob("*"))]


def _standard_input(limits: ImageLimits) -> bytes:
    content = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise InputError(
            f"standard input: more than {MAX_BYTES:,} bytes; save it to a file and name that"
        )
    check_picture(content, "standard input", limits)
    return content
