"""Read text files with a byte order mark, Windows line ends or legacy encodings."""

import codecs
import logging
import sys
from pathlib import Path

from limner.errors import InputError

WINDOWS = ("cp1252", "cp1250", "cp1251", "cp1253", "cp1256", "cp874", "cp932", "cp949", "cp950",
           "gb18030")  # fmt: skip
"""Encodings other than UTF-8 that Excel and Notepad write, by locale."""

_told: set[tuple[Path, str]] = set()


def read_text(path: Path) -> str:
    """Read the text of a file, or of standard input (`-`), with Unix line ends.

    UTF-8, and UTF-16 with a byte order mark, are detected. Other files are read in the best
    matching encoding of `WINDOWS`, with a warning per folder and encoding.

    Args:
        path: the file.

    Returns:
        Its text.

    Raises:
        InputError: if the file is missing, a folder, empty, not readable, or no text.
    """
    content = sys.stdin.buffer.read() if str(path) == "-" else read_bytes(path)
    text = _decoded(path, content).replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise InputError(f"{path}: empty")
    return text.removesuffix("\n")


def read_bytes(path: Path, most: int = -1) -> bytes:
    """Read the bytes of a file, or its first bytes.

    Raises:
        InputError: if the file is missing, a folder or not readable.
    """
    if path.is_dir():
        raise InputError(f"{path}: a folder, expected a file")
    try:
        with path.open("rb") as file:
            return file.read(most)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # ValueError: NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read ({reason})") from None


def _decoded(path: Path, content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError:
            raise InputError(
                f"{path}: damaged UTF-16; save the file with the encoding UTF-8"
            ) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = len((error.object[: error.start] + b"?").splitlines())
        problem = f"{path}, line {line}: not UTF-8"
    encoding = _guessed(content)
    if not encoding:
        raise InputError(f"{problem}; save the file with the encoding UTF-8")
    if (path.parent, encoding) not in _told:
        _told.add((path.parent, encoding))
        name = encoding.replace("cp125", "Windows-125")
        advice = "if letters are wrong, save the file with the encoding UTF-8"
        logging.getLogger(__name__).warning(f"{problem}, read as {name}; {advice}")
    return content.decode(encoding)


def _guessed(content: bytes) -> str | None:
    """The most likely encoding; Windows-1252 if undecided."""
    utf8 = content.decode(errors="replace")
    damaged = utf8.count("\ufffd")
    is_utf8 = sum(character > "\x7f" for character in utf8) >= 2 * damaged
    if is_utf8 or content.startswith(codecs.BOM_UTF8) or b"\0" in content:
        return None
    from charset_normalizer import from_bytes  # noqa: PLC0415 (slow, and rarely needed)

    found = from_bytes(content, cp_isolation=list(WINDOWS))
    best = found.best()
    if not best:
        return None
    likely = [m for m in found if m.chaos <= best.chaos and m.coherence > best.coherence - 0.1]
    is_western = any("cp1252" in match.could_be_from_charset for match in likely)
    return "cp1252" if is_western else best.encoding
