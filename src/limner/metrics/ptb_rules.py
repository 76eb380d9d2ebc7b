r"""Splits a line into tokens of the Penn Treebank, by a table of rules.

At each position, a rule matches a token and the context that must follow it. The rule with the
longest match, including the context, is applied; of equally long ones, the first. Matching
continues after the token, so that the context is matched again.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache

from limner.metrics import ptb_patterns as ptb

Rule = tuple[re.Pattern[str], Callable[[str], str]]
"""A kind of token: its pattern, with the token as group 1, and its transformation."""


def _always(written: str) -> Callable[[str], str]:
    return lambda token: written


def _soft(token: str) -> str:
    return token.replace("\u00ad", "") or "-"


def _with_period(token: str) -> str:
    return token + "."


def _unbroken(token: str) -> str:
    """Spaces inside a token become no-break spaces."""
    return token.replace(" ", "\u00a0")


def _bracketed(token: str) -> str:
    return _unbroken(token).replace("(", "-LRB-").replace(")", "-RRB-")


def _ampersand(token: str) -> str:
    return re.sub("(?i:&amp;)", "&", token)


_CURLY = str.maketrans(
    dict.fromkeys("\u0091‘‛‹", "`")
    | dict.fromkeys("\u0092’›", "'")
    | dict.fromkeys("\u0093“«", "``")
    | dict.fromkeys("\u0094”»", "''")
)


def _closing(token: str) -> str:
    token = token.replace("&apos;", "'").replace("&quot;", "''")
    return token.replace('"', "''").translate(_CURLY)


def _opening(token: str) -> str:
    token = token.replace("&apos;", "'").replace("&quot;", '"')
    return token.replace("'", "`").replace('"', "``").translate(_CURLY)


_SIGNS = str.maketrans(
    {"¢": "cents", "£": "#", "\u0080": "$", "¤": "$", "₠": "$", "€": "$"}
    | {"¼": "1/4", "½": "1/2", "¾": "3/4", "⅓": "1/3", "⅔": "2/3"}
)


def _in_ascii(token: str) -> str:
    return token.translate(_SIGNS)


def _rule(token: str, context: str = "", written: Callable[[str], str] = str) -> Rule:
    return re.compile(rf"({token}){context}"), written


@cache
def rules() -> tuple[Rule, ...]:
    """All rules, compiled at the first call (0.1 s)."""
    return (
        *(
            _rule(ptb.any_case(first), ptb.any_case(second))
            for first, second in (word.split() for word in ptb.SPLIT_WORDS)
        ),
        _rule(r"[cC]\+\+|[cCfF]#"),
        _rule(ptb.TAG, written=_unbroken),
        _rule(
            r"(?i:&(?:md|mdash|ndash);)|[\u0096\u0097\u2013-\u2015]",
            written=_always("--"),
        ),
        _rule(r"(?i:&amp;)", written=_ampersand),
        _rule(r"(?i:&(?:ht|tl|ur|lr|qc|ql|qr|odq|cdq);)|&#[0-9]+;"),
        _rule(ptb.WORD, ptb.AUXILIARY, _soft),
        _rule(ptb.BEFORE_NOT, ptb.NOT, _soft),
        _rule(ptb.WORD, written=_soft),
        *map(_rule, ptb.APOSTROPHE_WORDS),
        _rule(rf"[yY]{ptb.APOSTROPHE}", rf"[{ptb.LETTER}]"),
        *map(_rule, (ptb.URL, *ptb.HOSTS, ptb.EMAIL, ptb.MENTION)),
        _rule(rf"{ptb.AUXILIARY}|{ptb.NOT}", "[^A-Za-z]", _closing),
        _rule(ptb.DATE),
        _rule(ptb.NUMBER, written=_soft),
        _rule(ptb.RAISED_OR_LOWERED),
        _rule(ptb.FRACTION, written=_unbroken),
        _rule(r"[\u00bc-\u00be\u2153-\u215e]", written=_in_ascii),
        _rule(ptb.SPECIAL_WORDS, written=_ampersand),
        _rule(ptb.SLASHED),
        _rule(ptb.CURRENCY, written=_in_ascii),
        _rule(ptb.ACRONYM, ptb.NEW_SENTENCE, _with_period),
        _rule("[A-Za-z]", ptb.NEW_SENTENCE),
        _rule(ptb.BEFORE_NUMBER, rf"[{ptb.BLANK}]?[{ptb.DIGIT}]"),
        _rule(r"(?i:pt)[eyEY]\.|(?i:co)\.", rf"[{ptb.SPACE}](?i:ltd|lim)"),
        _rule(
            ptb.MAY_END, rf"\.[{ptb.BLANK}](?:[{ptb.BLANK}{ptb.CAPITAL}]|{ptb.TAG})", _with_period
        ),
        _rule(rf"{ptb.MAY_END}\.", r"[\s\S]{2}"),
        _rule(ptb.MAY_END, r"\.", _with_period),
        _rule(rf"{ptb.BEFORE_NAME}\."),
        _rule(ptb.BEFORE_NAME, rf"[{ptb.SPACE}]"),
        _rule(ptb.ACRONYM, r"\n"),
        _rule(rf"{ptb.APOSTROPHE}[0-9][0-9]", rf"[{ptb.BLANK}]"),
        _rule(ptb.FILE_NAME, rf"[{ptb.BLANK}.?!,]"),
        _rule(rf"{ptb.WORD}\.", ptb.CLAUSE_END, _soft),
        *(_rule(number, written=_bracketed) for number in ptb.PHONE_NUMBERS),
        _rule('"|(?i:&quot;)', "[A-Za-z0-9$]", _opening),
        _rule('"|(?i:&quot;)', written=_closing),
        _rule("<|(?i:&lt;)", written=_always("<")),
        _rule(">|(?i:&gt;)", written=_always(">")),
        _rule(ptb.SMILEY, "[^A-Za-z0-9]", _bracketed),
        _rule(ptb.ASIAN_SMILEY, written=_bracketed),
        *(_rule(re.escape(sign), written=_always(name)) for sign, name in ptb.BRACKETS.items()),
        _rule("-+", written=lambda dashes: "--" if len(dashes) in (3, 4) else dashes),
        _rule(ptb.ELLIPSIS, written=_always("...")),
        *map(_rule, (ptb.RUNS, ptb.CLAUSE_END, ptb.SENTENCE_END)),
        _rule(rf"{ptb.HYPHENED}\.", ptb.CLAUSE_END, _soft),
        _rule(ptb.HYPHENED, written=_soft),
        _rule(rf"{ptb.LINKED}\.", ptb.CLAUSE_END),
        _rule(ptb.LINKED),
        _rule(rf"{ptb.JOINED_CAPITALS}\.", ptb.CLAUSE_END, _ampersand),
        _rule(ptb.JOINED_CAPITALS, written=_ampersand),
        _rule("'", r"[A-Za-z][^ \t\n\r\u00a0]", _opening),
        _rule(rf"{ptb.AUXILIARY}|{ptb.NOT}|{ptb.APOSTROPHE}", written=_closing),
        _rule(ptb.QUOTES, written=_closing),
        _rule(ptb.SYMBOL),
        _rule(rf"[{ptb.SPACE}]+|(?i:&nbsp;)", written=_always("")),
    )


_BLANKS = re.compile(rf"\n|[ \t][{ptb.SPACE}]*")


def split(line: str) -> Iterator[str]:
    r"""Tokens of a lower-case line, including punctuation; unmatched characters are omitted.

    >>> list(split("He can't (or won't) pay $5."))
    ['he', 'ca', "n't", '-lrb-', 'or', 'wo', "n't", '-rrb-', 'pay', '$', '5', '.']
    """
    position = 0
    while position < len(line):
        if blanks := _BLANKS.match(line, position):
            position = blanks.end()
            continue
        reach, end, token = position, position + 1, ""
        for pattern, written in rules():
            found = pattern.match(line, position)
            if found and found.end() > reach:
                reach, end, token = found.end(), found.end(1), found[1]
                write = written
        if token and (text := write(token).lower()):
            yield text
        position = end
