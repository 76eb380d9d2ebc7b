"""What stands on `limner caption`'s command line: files, folders and addresses."""

from pathlib import Path

from limner.data.images import SUFFIXES, Source
from limner.data.remote import fetch_bytes
from limner.errors import InputError


def find_pictures(names: list[str]) -> tuple[list[tuple[str, Source]], list[str]]:
    """Pictures behind names, each with its path or bytes, and a message for each that failed.

    A folder stands for the pictures in it and in the folders below, by their endings, in order;
    an http(s) address is fetched.
    """
    found: list[tuple[str, Source]] = []
    failed = []
    for name in names:
        try:
            if not name:
                raise InputError("an empty name; name a file, a folder or an address")
            if name.lower().startswith(("http://", "https://")):
                found.append((name, fetch_bytes(name)))
            elif Path(name).is_dir():
                found += [(str(path), path) for path in _pictures_in(Path(name))]
            else:
                found.append((name, Path(name)))
        except InputError as error:
            failed.append(str(error))
    return found, failed


def _pictures_in(folder: Path) -> list[Path]:
    pictures = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not pictures:
        raise InputError(f"{folder}: no picture in it ({', '.join(sorted(SUFFIXES))})")
    return pictures
