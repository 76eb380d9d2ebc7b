"""Raw captions to the tokens that are scored."""

import re

_TOKEN = re.compile(
    r"\w+?(?=n['’]t\b)"  # do|n't: what stands before n't
    r"|n['’]t\b"
    r"|['’](?:s|m|d|re|ve|ll)\b"
    r"|\w+(?:[-./:,]\w+)*",
    re.IGNORECASE,
)


def tokenize(caption: str) -> list[str]:
    """Lower-case tokens in the manner of the Penn Treebank, without punctuation.

    Contractions are split as the Treebank splits them; hyphenated words stay whole.

    >>> tokenize("The dog's T-shirt isn't red.")
    ['the', 'dog', "'s", 't-shirt', 'is', "n't", 'red']
    """
    return [token.replace("’", "'") for token in _TOKEN.findall(caption.lower())]
