"""Unpack untrusted archives: nothing is written outside the folder.

The whole archive is checked before anything is written; it is unpacked into a hidden folder, and
the wanted files are moved into place when complete.
"""

import gzip
import lzma
import re
import shutil
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from limner.errors import LimnerError
from limner.io import check_space, writing

MAX_GROWTH = 20  # images hardly shrink in an archive, and captions to a fifth
MAX_MEMBERS = 500_000
_CHUNK = 256 * 1024
_PADDING = 1024 * MAX_MEMBERS  # overhead of tar: one or two blocks per member
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    NotImplementedError,  # a compression that zipfile does not know
)


class _Member(NamedTuple):
    name: str
    folder: bool
    size: int
    extract: Callable[..., object]


def unpack(
    archive: Path,
    kind: Literal["zip", "tar"],
    folder: Path,
    keep: Sequence[str],
    update: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Unpack the wanted files of an archive; existing ones are kept.

    Args:
        kind: "tar" may be compressed by gzip, bzip2 or xz.
        folder: destination of the names in ``keep``, each complete or missing.
        keep: top-level names of the archive.
        update: called with the number of written bytes, and of all.

    Raises:
        LimnerError: if the archive is damaged; has a name outside the folder, a link, a device, or
            names that differ only in case; unpacks to more than 20 times its size; has no name
            of ``keep``; or the disk is full.

    Example:
        >>> with zipfile.ZipFile("cats.zip", "w") as made:
        ...     made.writestr("cats/tom.txt", "a cat")
        >>> unpack(Path("cats.zip"), "zip", Path("pets"), ["cats"])
        >>> Path("pets/cats/tom.txt").read_text()
        'a cat'
    """
    wanted = [name for name in keep if not (folder / name).exists()]
    if not wanted:
        return
    limit = MAX_GROWTH * archive.stat().st_size + 1_000_000
    draft = folder / f".{archive.name}.unpacking"
    opened = zipfile.ZipFile if kind == "zip" else tarfile.open
    try:
        with opened(archive) as file:
            if isinstance(file, zipfile.ZipFile):
                members = _zip_members(file)
            else:
                members = _tar_members(file, limit)
            chosen = [m for m in _checked(members, limit) if m.name.split("/")[0] in wanted]
            total = sum(member.size for member in chosen)
            check_space(folder, total)
            with writing(draft):
                shutil.rmtree(draft, ignore_errors=True)  # of an interrupted process
                draft.mkdir(parents=True)
            done = 0
            for member in chosen:  # both modules stop at the declared size
                with writing(draft / member.name):
                    member.extract(path=draft)
                done += member.size
                update(done, total)
    except _DAMAGE as error:
        reason = " ".join(str(error).split())
        raise LimnerError(
            f"{archive}: damaged ({reason}); delete it and download it again"
        ) from None
    except _RefusedError as error:
        raise LimnerError(f"{archive}: {error}; it is not unpacked, take another copy") from None
    else:
        _move(wanted, draft, folder, archive)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


class _RefusedError(Exception):
    """An archive has contents that must not be unpacked."""


def _zip_members(file: zipfile.ZipFile) -> Iterator[_Member]:
    for info in file.infolist():
        mode = stat.S_IFMT(info.external_attr >> 16)
        if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _RefusedError(f"{info.filename!r} is a link or a device")
        if info.flag_bits & 1:
            raise _RefusedError(f"{info.filename!r} is encrypted")
        extract = partial(file.extract, info)
        yield _Member(info.orig_filename, info.is_dir(), info.file_size, extract)


def _tar_members(tar: tarfile.TarFile, limit: int) -> Iterator[_Member]:
    tar.extraction_filter = getattr(tarfile, "data_filter", None)  # since Python 3.11.4
    for info in tar:
        # The filter accepts links within the folder; a sparse file may be larger than it declares.
        if not (info.isreg() or info.isdir()) or info.issparse():
            raise _RefusedError(f"{info.name!r} is a link or a device, or sparse")
        extract = partial(tar.extract, info, set_attrs=False)
        yield _Member(info.name, info.isdir(), info.size, extract)
    while tar.fileobj and tar.fileobj.read(_CHUNK):  # verifies the checksum
        if tar.fileobj.tell() > limit + _PADDING:
            raise _RefusedError(f"it unpacks to more than {limit:,} bytes")


def _checked(members: Iterator[_Member], limit: int) -> Iterator[_Member]:
    """Yield members with normalized names, or refuse the archive."""
    seen: dict[str, tuple[str, bool]] = {}
    total = 0
    for count, member in enumerate(members, 1):
        total += member.size
        if total > limit or count > MAX_MEMBERS:
            raise _RefusedError(f"it unpacks to more than {limit:,} bytes or {MAX_MEMBERS:,} files")
        parts = _parts(member.name)
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            folder = depth < len(parts) or member.folder
            key = unicodedata.normalize("NFC", path).casefold()
            if key in seen and (seen[key] != (path, folder) or not folder):
                raise _RefusedError(f"{path!r} and {seen[key][0]!r} would be the same file")
            seen[key] = (path, folder)
        if parts:
            yield member._replace(name="/".join(parts))


def _parts(name: str) -> list[str]:
    """Split a name; refuse one that could be outside the folder on any system."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or re.search(r"[\\:\x00-\x1f]", name):
        raise _RefusedError(f"{name!r} leads out of the folder")
    return parts


def _move(wanted: Sequence[str], draft: Path, folder: Path, archive: Path) -> None:
    for name in wanted:
        if not (draft / name).exists():
            raise LimnerError(f"{archive}: no {name} in it; it is another archive, check the file")
    for name in wanted:
        with writing(folder / name):
            (draft / name).rename(folder / name)
