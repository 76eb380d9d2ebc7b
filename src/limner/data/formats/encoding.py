"""Text files as people save them: with a byte order mark, Windows line ends, from Excel."""

import codecs
import sys
from pathlib import Path

from limner.errors import InputError


def read_text(path: Path) -> str:
    """Text of a file, or of standard input (`-`), with Unix line ends, less the last one.

    It is UTF-8, or UTF-16 with its byte order mark, as Excel's "Unicode text" is.

    Raises:
        InputError: if the file is missing, a folder, empty, not readable, or in another encoding.
    """
    content = sys.stdin.buffer.read() if str(path) == "-" else read_bytes(path)
    text = _decoded(path, content).replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise InputError(f"{path}: empty")
    return text.removesuffix("\n")


def read_bytes(path: Path, most: int = -1) -> bytes:
    """The bytes of a file, or the first of them.

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
        raise InputError(f"{path}: cannot be read ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _decoded(path: Path, content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError:
            raise InputError(
                f"{path}: damaged UTF-16; save the file with the encoding UTF-8"
            ) from None
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        line = before.count(b"\n") + 1
        raise InputError(
            f"{path}, line {line}: not UTF-8; save the file with the encoding UTF-8"
        ) from None
