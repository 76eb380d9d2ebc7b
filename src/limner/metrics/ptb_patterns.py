r"""Regular expressions for the tokens of the Penn Treebank.

Classes such as `[A-Z]` are case sensitive, except in `any_case` or `(?i:...)`. Every pattern finds
its longest match: longer alternatives come first.

Source: the behavior of Stanford CoreNLP 3.4.1's PTBTokenizer, which COCO's evaluation runs,
including its peculiarities: `APOSTROPHE` matches two characters of Windows-1252 in Unicode's
control range, and capitals may precede a dollar sign.
"""

from collections.abc import Callable, Iterable


def any_case(pattern: str) -> str:
    """The pattern, case insensitive."""
    return f"(?i:{pattern})"


def _ranges(codes: Iterable[int]) -> str:
    """Ascending code points as the contents of a character class."""
    spans: list[list[int]] = []
    for code in codes:
        if spans and code == spans[-1][1] + 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    return "".join(rf"\u{first:04x}-\u{last:04x}" for first, last in spans)


def _class(test: Callable[[str], bool]) -> str:
    """The characters up to U+FFFF that satisfy a test, as the contents of a character class."""
    return _ranges(code for code in range(0x10000) if test(chr(code)))


# Contents of character classes.
LETTER = _class(str.isalpha)
CAPITAL = _class(str.isupper)
DIGIT = _class(str.isdecimal) + r"\u07c0-\u07c9"
SOFT_HYPHEN = r"\u00ad"
SPACE = r" \t\u00a0\u2000-\u200a\u3000"
BLANK = SPACE + r"\n"
# The accents and vowel signs that the tokenizer treats as parts of words.
MARK = (
    r"\u02c2-\u02c5\u02d2-\u02df\u02e5-\u02eb\u02ed\u02ef-\u036f\u0375\u0378-\u0379\u0384-\u0385"
    r"\u03f6\u0483-\u0487\u055a-\u055f\u0591-\u05bd\u05bf\u05c1-\u05c2\u05c4-\u05c5\u05c7"
    r"\u0615-\u061a\u064b-\u065e\u0670\u06d6-\u06e4\u06e7-\u06ed\u06fd-\u06fe\u070f\u0711"
    r"\u0730-\u074c\u07a6-\u07b0\u07eb-\u07f3\u0900-\u0903\u093c\u093e-\u094e\u0951-\u0955"
    r"\u0962-\u0963\u0981-\u0983\u09bc\u09be-\u09c4\u09c7-\u09c8\u09cb-\u09cd\u09d7\u09e2-\u09e3"
    r"\u0a01-\u0a03\u0a3c\u0a3e-\u0a4f\u0a81-\u0a83\u0abc\u0abe-\u0acf\u0b82\u0bbe-\u0bc2"
    r"\u0bc6-\u0bc8\u0bca-\u0bcd\u0c01-\u0c03\u0c3e-\u0c56\u0d3e-\u0d44\u0d46-\u0d48\u0e31"
    r"\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd"
)

APOSTROPHE = r"(?:['\u0092\u2019]|(?i:&apos;))"
ANY_APOSTROPHE = r"(?:['`\u0091\u0092\u2018\u2019\u201b]|(?i:&apos;))"
CLAUSE_END = r"[,;:\u3001]"

# Words: letters, then letters and digits; `word.word` without a space is one word.
_WORD_START = rf"(?:[{LETTER}{MARK}{SOFT_HYPHEN}]|&[aeiouAEIOU](?i:acute|grave|uml);)"
_WORD_PART = rf"{_WORD_START}(?:[{DIGIT}]|{_WORD_START})*"
WORD = rf"{_WORD_PART}(?:[.!?]{_WORD_PART})*"
AUXILIARY = rf"{APOSTROPHE}(?:[msdMSD]|(?i:re|ve|ll))"
BEFORE_NOT = rf"[A-Za-z{SOFT_HYPHEN}]*[A-MO-Za-mo-z]{SOFT_HYPHEN}*"
NOT = rf"[nN]{ANY_APOSTROPHE}(?i:t)"
SPLIT_WORDS = ("gon na", "got ta", "lem me", "gim me", "wan na", "can not", "'t is", "'t was")

# Numbers, and words with digits and hyphens.
_SEPARATED = rf"[{DIGIT}]*(?:[.:,\u066b\u066c{SOFT_HYPHEN}][{DIGIT}]+)+"
NUMBER = rf"[-+]?(?:{_SEPARATED}|[{DIGIT}]+)"
DATE = rf"[{DIGIT}]{{1,2}}[-/][{DIGIT}]{{1,2}}[-/][{DIGIT}]{{2,4}}"
FRACTION = rf"(?:[{DIGIT}]{{1,4}}[- \u00a0])?[{DIGIT}]{{1,4}}(?:\\?/|\u2044)[{DIGIT}]{{1,4}}"
RAISED_OR_LOWERED = (
    r"[\u207a\u207b\u208a\u208b]?(?:[\u00b2\u00b3\u00b9\u2070\u2074-\u2079]+|[\u2080-\u2089]+)"
)
PHONE_NUMBERS = (
    r"\([0-9]{2,3}\)[ \u00a0]?[0-9]{3,4}[- \u00a0]?[0-9]{3,5}",
    r"(?:\+\+?)?(?:[0-9]{2,4}[- \u00a0])?[0-9]{2,4}[- \u00a0][0-9]{3,4}[- \u00a0]?[0-9]{3,5}",
    r"(?:(?:\+\+?)?[0-9]{2,4}\.)?[0-9]{2,4}\.[0-9]{3,4}\.[0-9]{3,5}",
)
_INITIALS = r"[A-Za-z](?:\.[A-Za-z])+"
_NATIONS = any_case(r"(?:canada|sino|korean|eu|japan|non)-u\.s|u\.s\.-u\.(?:k|s\.s\.r)")
ACRONYM = rf"(?:{_INITIALS}|{_NATIONS})"
_LINKED = rf"(?:[dDlLoO]{ANY_APOSTROPHE}[{LETTER}{DIGIT}])?[{LETTER}{DIGIT}]+"
LINKED = rf"{_LINKED}(?:[-_\u058a\u2010\u2011]{_LINKED})*"
HYPHENED = (
    rf"[A-Za-z0-9][A-Za-z0-9.,{SOFT_HYPHEN}]*"
    rf"(?:-(?:{ACRONYM}\.|[A-Za-z0-9{SOFT_HYPHEN}]+))+"
)
_SLASH_PART = r"[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}"
SLASHED = rf"{_SLASH_PART}(?:\\?/{_SLASH_PART}){{1,2}}"
JOINED_CAPITALS = r"[A-Z]+(?:(?:(?i:&amp;)|[+&])[A-Z]+)+"

# Words with an apostrophe that are not split.
APOSTROPHE_WORDS = (
    rf"{APOSTROPHE}[nN]{APOSTROPHE}?",
    rf"{APOSTROPHE}(?i:em|till?|cause|[2-9]0s)",
    rf"(?:[dDjJlL]|(?i:dunkin|somethin|ol)){APOSTROPHE}",
    rf"[A-HJ-XZn]{ANY_APOSTROPHE}[{LETTER}]{{2,}}",
    rf"[{LETTER}]+[aeiouyAEIOUY]{ANY_APOSTROPHE}[aeiouA-Z][{LETTER}]*",
    rf"[oO]{ANY_APOSTROPHE}[oO]",
    any_case(r"cont'd\.?|nor'easter|c'mon|e'er|s'mores|ev'ry|li'l|nat'l"),
    rf"(?i:cap){APOSTROPHE}[nN]|[cC]{APOSTROPHE}(?i:est)",
)
SPECIAL_WORDS = any_case(r"-(?:[lr][rcs]b)-|c\.d\.s|pro-|anti-|s(?:&|&amp;)(?:p-500|ls)")

# Addresses.
_IN_PATH, _PATH_END = r'[^ \t\n\f\r"<>|()]', r'[^ \t\n\f\r"<>|.!?(){},-]'
URL = r'(?i:https?)://[^ \t\n\f\r"<>|(){}]+' + _PATH_END
_HOSTS = (
    r'(?i:www)\.(?:[^ \t\n\f\r"<>|.!?(){},]+\.)+[A-Za-z]{2,4}',
    r"""(?:[^\t\n\f\r !"$'(),-_`{|}]+\.)+(?i:com|net|org|edu)""",
)
HOSTS = [host + path for host in _HOSTS for path in ("", rf"/{_IN_PATH}+{_PATH_END}")]
_MAIL_PART = r'[^ \t\n\f\r"<>|(){}.\u00a0]+'
EMAIL = (
    r'(?:<|(?i:&lt;))?[A-Za-z0-9][^ \t\n\f\r"<>|(){}\u00a0]*'
    rf"@(?:{_MAIL_PART}\.)*{_MAIL_PART}(?:>|(?i:&gt;))?"
)
MENTION = rf"@[A-Za-z_][A-Za-z0-9_]*|#{_WORD_START}+"
FILE_NAME = rf"(?:(?:[{DIGIT}]|{_WORD_START})+\.)+" + any_case(
    "bat|bmp|c|cgi|class|cpp|dll|docx?|exe|gif|gz|h|html?|jar|java|jpe?g|mov|mp3|pdf|php|pl|png|ppt"
    "|ps|py|sql|tar|txt|wav|x|xml|zip"
)
_TAG_NAME = r"[A-Za-z][A-Za-z0-9_:.-]*"
_ATTRIBUTE = rf"""{_TAG_NAME}(?: *= *(?:'[^'\r\n]*'|"[^"\r\n]*"))?"""
TAG = rf"<(?:[!?][A-Za-z-][^>\r\n]*|{_TAG_NAME}(?: +{_ATTRIBUTE})* */?|/{_TAG_NAME}) *>"

# Abbreviations: those of the first kind end a sentence if a capital or two blanks follow.
_STARTS = (
    r"A About According Additionally After An As At But Earlier He Her Here However If In It Last "
    r"Many More Mr\. Ms\. Now Once One Other Our She Since So Some Such That The Their Then There "
    r"These They This We What When While Yet You"
)
_SENTENCE_START = "|".join(rf"{word[0]}(?i:{word[1:]})" for word in _STARTS.split())
NEW_SENTENCE = rf"\.[{BLANK}]+(?:{_SENTENCE_START}|{TAG})[{BLANK}]"
MAY_END = "(?:" + any_case(
    "jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|mon|tues?|wed|thu|thurs|fri"
    "|ala|ariz|calif|colo|conn|ct|dak|fla|ga|ind|kans?|ky|md|mich|minn|mo|mont|neb|nev|okla|penn"
    "|tenn|va|vt|wisc?|wyo|assn|bancorp|bhd|bldg|blvd|bros|cos?|corp|esq|inc|intl|jr|ltd|plc|rd|rt"
    r"|sr|sys|univ|al|est|etc|ext|seq|sq|tel|(?:ed|ph)\.d"
)
MAY_END += (
    "|A(?i:rk|z)|D(?i:el)|I(?i:ll)|L(?i:a)|M(?i:ass|iss)|O(?i:re)|P(?i:a)|T(?i:ex)|W(?i:ash)"
    "|(?i:pp?t)[ey](?i:s?))"
)
BEFORE_NAME = rf"(?:(?i:a\.k\.a)|{ACRONYM}|[A-Za-z]|" + any_case(
    "adj|adm|adv|alex|assoc|asst|attys?|ave|brig|capt|cf|cie|col|co?mdr|cpl|dept|det|drs?|elec|ens"
    "|ft|gen|govs?|hon|insp|invt|jos|lieut|lt|maj|messrs|m[ft]g|mlle|mme|mrs?|ms|msgr|mt|natl|pfc"
    r"|ph|pres|profs?|pvt|reps?|rev|sens?|sfc|sgt|spc|ste?|supts?|treas|vs|wm"
)
BEFORE_NAME += "|M(?i:iss))"
BEFORE_NUMBER = any_case(r"(?:art|bldg|ca|figs?|nos?|op|pp|prop)\.")

# Signs.
SMILEY = r"[<>]?[:;=][-o*']?[()DPdpO\\{@|\[\]]"
ASIAN_SMILEY = (
    r"[\^x=~<>]\.(?i:\[\^x=)[^<]*<>\]|[-\^x=~<>']_[-\^x=~<>']"
    r"|\([-\^x=~<>'][_.]?[-\^x=~<>']\)|\([\^x=~<>']-[\^x=~<>'`]\)"
)
BRACKETS = {"(": "-LRB-", ")": "-RRB-", "[": "-LSB-", "]": "-RSB-", "{": "-LCB-", "}": "-RCB-"}
QUOTES = r"""[`\u0091-\u0094\u00ab\u00bb\u2018-\u201f\u2039\u203a]{1,2}|''"""
ELLIPSIS = r"\.{3,5}|(?:\.[ \u00a0]){2,4}\.|\u2026"
RUNS = r"@+|#+|_+|\*+|(?:\\\*){1,3}|[?!]+|[A-Z]*\$|<<|>>"
SENTENCE_END = r"[.\u00a1\u00bf\u037e\u0589\u061f\u06d4\u0700-\u0702\u07fa\u3002]"
SYMBOL = (
    r"[=/+%&~\^|\\\u00a6-\u00a9\u00ac\u00ae-\u00b4\u00b6-\u00b8\u00d7\u00f7\u0387\u05be\u05c0"
    r"\u05c3\u05c6\u05f3\u05f4\u0600-\u0603\u0606-\u060a\u060c\u0614\u061b\u061e\u066a\u066d"
    r"\u0703-\u070d\u07f6-\u07f8\u0964\u0965\u0e4f\u1fbd\u2016\u2017\u2020-\u2023\u2030-\u2038"
    r"\u203b\u203e-\u2042\u2044\u207a-\u207e\u208a-\u208e\u2100-\u214f\u2190-\u2bff\u3012\u30fb"
    r"\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]"
)
CURRENCY = r"[\u0080\u00a2-\u00a5\u060b\u0e3f\u20a0\u20a4\u20ac\uffe0\uffe1\uffe5\uffe6]"
