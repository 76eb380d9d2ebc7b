import pytest

from limner.metrics import tokenize


@pytest.mark.parametrize(
    ("caption", "tokens"),
    [
        ("A dog runs .", "a dog runs"),
        ("The dog's T-shirt isn't red.", "the dog 's t-shirt is n't red"),
        ("They're here, and I'll stay!", "they 're here and i 'll stay"),
        ('a "quoted" -- word (here)', "a quoted word here"),
        ("don’t", "do n't"),
        ("3.5 metres at 10:30", "3.5 metres at 10:30"),
        ("Café", "café"),
        ("...", ""),
        ("", ""),
    ],
)
def test_tokens(caption, tokens):
    assert tokenize(caption) == tokens.split()
