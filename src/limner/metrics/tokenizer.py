"""Tokenization of raw captions for scoring."""

import re
from functools import lru_cache

from limner.metrics.ptb_patterns import SPLIT_WORDS
from limner.metrics.ptb_rules import split

_LEFT_OUT = "'' ' `` ` -LRB- -RRB- -LCB- -RCB- . ? ! , : - -- ... ;"
PUNCTUATION = frozenset(_LEFT_OUT.split())
"""The tokens that COCO's evaluation removes. (Names of brackets are in lower case, and remain.)"""

_LINE_ENDS = re.compile(r"[\n\r\v\f\x85\u2028\u2029]")
# The end of a line as the rules see it: an empty line follows, and nothing else.
_END = "\n\n"
# A piece between spaces, with the spaces behind it and those pieces before it whose tokens can hang
# on what is behind a space. Letters and the signs below cannot: the rules that look past a space
# need a digit, a bracket, an ampersand, a period or the like before it. A line that has what may be
# a tag, or another blank than the space, is not cut.
_CHUNK = re.compile(r"""(?:[^ ]*[^ A-Za-z'",;?-][^ ]* +)*[^ ]*(?: +|$)""")
_IN_ONE = re.compile(r"[<\t\u00a0\u2000-\u200a\u3000]")
_PLAIN_WORD = re.compile(r"([A-Za-z]+) +")
_NOT_PLAIN = {word.replace(" ", "") for word in SPLIT_WORDS}


def tokenize(caption: str) -> list[str]:
    """The tokens for scoring, as in COCO's evaluation.

    They are those of Stanford CoreNLP 3.4.1 (`PTBTokenizer -preserveLines -lowerCase`) without
    `PUNCTUATION`. Contractions are split, hyphenated words are not, line ends count as spaces. A
    token may contain a no-break space (U+00A0): `5 1/2` is one token.

    There are three differences. Stanford's tokens may depend on the following caption (`No.` before
    a digit, `plan b.` before `The`, an open quote in a tag). It drops letters newer than Unicode
    6.1. pycocoevalcap strips a blank such as U+3000 from an address at the end of a caption.

    Args:
        caption: raw text.

    Returns:
        The tokens, in lower case.

    >>> tokenize("The dog's T-shirt isn't grey (but red).")
    ['the', 'dog', "'s", 't-shirt', 'is', "n't", 'grey', '-lrb-', 'but', 'red', '-rrb-']
    """
    line = _LINE_ENDS.sub(" ", caption) + _END
    chunks = [line] if _IN_ONE.search(line) else _CHUNK.findall(line)
    return [token for chunk in chunks for token in _tokens(chunk)]


@lru_cache(maxsize=1 << 16)
def _tokens(chunk: str) -> tuple[str, ...]:
    """Of one chunk. A word of letters alone is one token, unless it is one of those that split."""
    plain = _PLAIN_WORD.fullmatch(chunk)
    if plain and (word := plain[1].lower()) not in _NOT_PLAIN:
        return (word,)
    return tuple(token for token in split(chunk) if token not in PUNCTUATION)
