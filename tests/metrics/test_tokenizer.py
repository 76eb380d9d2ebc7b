"""The tokeniser against COCO's. The tokens in the table are what Stanford's Java gives."""

import random
import string

import pytest

from conftest import flickr8k_folder
from limner.metrics.ptb_rules import split
from limner.metrics.tokenizer import PUNCTUATION, tokenize
from metrics.oracle import coco_tokens

HARD_CASES = [
    ("A dog runs .", "a dog runs"),
    ("The dog's T-shirt isn't red.", "the dog 's t-shirt is n't red"),
    ("They're here, and I'll stay!", "they 're here and i 'll stay"),
    ('a "quoted" -- word (here)', "a quoted word -lrb- here -rrb-"),
    ("Wow!! Really?! Yes.... no ...", "wow !! really ?! yes no"),
    (". . . wait . . .", "wait"),
    ("\"to be 'or not' to be\"", "to be or not to be"),
    ("“curly” ‘quotes’ don’t", "curly quotes do n't"),
    (
        "the '90s, 'em o'clock dogs' rock 'n' roll ma'am",
        "the '90s 'em o'clock dogs rock 'n' roll ma'am",
    ),
    ("t-shirt 1-2 -5 word- x–y a — b --- end", "t-shirt 1-2 -5 word x y a b end"),
    (
        "cannot gonna wanna gimme lemme gotta dunno",
        "can not gon na wan na gim me lem me got ta dunno",
    ),
    (
        "'tis 'twas could've y'all won't it's I'd they'd've",
        "'t is 't was could 've y' all wo n't it 's i 'd they 'd 've",
    ),
    ("IT'S DON'T CANNOT McDonald's iPhone LCD", "it 's do n't can not mcdonald 's iphone lcd"),
    (
        "Mr. Smith and Dr. Jones on Main St. in the U.S. at 5 p.m.",
        "mr. smith and dr. jones on main st. in the u.s. at 5 p.m.",
    ),
    ("apples, pears, etc. and more etc.", "apples pears etc. and more etc."),
    ("Acme Inc. The end", "acme inc. the end"),
    ("They live in the U.S. The end", "they live in the u.s. the end"),
    ("No. 5 and No. six", "no. 5 and no six"),
    ("1,000 3.5 1/2 ½ 10:30 1st 5ft 50% #1 24x7", "1,000 3.5 1/2 1/2 10:30 1st 5ft 50 % # 1 24x7"),
    ("5 1/2 inches", "5\xa01/2 inches"),
    ("call (555) 123-4567 or 555-123-4567", "call -lrb-555-rrb-\xa0123-4567 or 555-123-4567"),
    ("12/25/2012 2012-12-25 10-12-2012", "12/25/2012 2012-12-25 10-12-2012"),
    ("a 7-year-old girl", "a 7-year-old girl"),
    ("$5 US$5 €5 £5 ¥5 5¢", "$ 5 us$ 5 $ 5 # 5 ¥ 5 5 cents"),
    ("and/or his/her 24/7 a/b/c/d", "and/or his/her 24/7 a/b/c / d"),
    ("AT&T R&B salt & pepper Q&amp;A", "at&t r&b salt & pepper q&a"),
    ("(a) [b] {c} <d>", "-lrb- a -rrb- -lsb- b -rsb- -lcb- c -rcb- <d>"),
    (
        "mail a.b@c.com or see www.x.com/a, x.com. http://a.b/c?d=e",
        "mail a.b@c.com or see www.x.com / a x.com http://a.b/c?d=e",
    ),
    ("@user_1 #hashtag #1", "@user_1 #hashtag # 1"),
    (":) ;-) :D <3 ^_^ x", ":-rrb- ;--rrb- :d < 3 ^_^ x"),
    ("a 😀 dog 👨\u200d👩\u200d👧 🇬🇧 👍🏽", "a dog"),
    ("café naïve cafe\u0301 ﬁne", "café naïve cafe\u0301 ﬁne"),
    ("日本 語 привет مرحبا", "日本 語 привет مرحبا"),
    ("soft\xadhyphen zero\u200bwidth no\xa0break", "softhyphen zero width no break"),
    ("a\x01b a\x7fb", "a b a b"),
    (
        '<b>bold</b> <br/> <img src="a b.png"> x < y > z',
        '<b> bold </b> <br/> <img\xa0src="a\xa0b.png"> x < y > z',
    ),
    ("&quot;hi&quot; &lt;b&gt; &nbsp; &#39; &copy;", "hi < b > &#39; & copy"),
    ("snake_case __init__ a*b ** ^ ~ = + | \\", "snake_case __ init __ a * b ** ^ ~ = + | \\"),
    ("a\tb   c", "a b c"),
    ("line\none", "line one"),
    ("grey colour programme haematoma", "grey colour programme haematoma"),
    ("J.R.R. Tolkien, plan b. end", "j.r.r. tolkien plan b. end"),
    ("file.txt, notes.doc x", "file.txt notes.doc x"),
    ("C++ C# c'mon O'Reilly", "c++ c# c'mon o'reilly"),
    ("one  \u00a0x.org two\u00a0x.org", "one x.org two\u00a0x.org"),
    (".", ""),
    ("", ""),
    ("   ", ""),
]
SIGNS = "-- --- ... .. '' `` !! ?! – — … “ ” ‘ ’ « » £ € ¢ ½"
WORDS = """
    a The I dog dogs' grey cannot gonna 'tis don't DON'T won't I'd y'all o'clock ma'am 's 've 'll
    n't Mr. Dr. St. U.S. e.g. etc. a.m. No. Inc. ft. J. t-shirt 7-year-old 1 90 1,000 3.5 1/2 10:30
    5ft 555-1234 (555) 2014-01-02 AT&T &amp; &quot; <b> </b> http://a.b/c www.x.com x.com a@b.com
    @me #tag file.txt c++ :) ;-) :D <3 ^_^ ltd. pty. café cafe\u0301 日本 привет 😀 👍🏽 \u200b
"""
FRAGMENTS = [*WORDS.split(), *SIGNS.split(), *string.punctuation, "\t", "\u00a0"]


def random_captions(count: int) -> list[str]:
    """Fragments with none, one or two spaces between, and every third random printable ASCII."""
    dice = random.Random(231)
    captions = []
    for number in range(count):
        if number % 3:
            parts = [dice.choice(FRAGMENTS) + dice.choice(["", " ", " ", "  "]) for _ in range(6)]
        else:
            parts = [chr(dice.randint(32, 126)) for _ in range(dice.randint(0, 30))]
        captions.append("".join(parts).rstrip())
    return captions


def flickr8k_captions() -> list[str]:
    path = flickr8k_folder() / "Flickr8k.token.txt"
    if not path.is_file():
        pytest.skip(f"no {path}; set LIMNER_FLICKR8K to Flickr8k's folder")
    return [line.split("\t")[1] for line in path.read_text(encoding="utf-8").splitlines()]


def without_the_fast_path(caption: str) -> list[str]:
    line = caption.replace("\n", " ") + "\n\n"
    return [token for token in split(line) if token not in PUNCTUATION]


@pytest.mark.parametrize(("caption", "tokens"), HARD_CASES)
def test_tokens(caption, tokens):
    assert tokenize(caption) == [token for token in tokens.split(" ") if token]


def test_a_long_word_stays_whole():
    assert tokenize("ab" * 5000) == ["ab" * 5000]


@pytest.mark.parametrize("line_end", ["\n", "\r", "\r\n", "\v", "\f", "\x85", "\u2028", "\u2029"])
def test_a_line_end_is_a_space(line_end):
    assert tokenize(f"one{line_end}two") == ["one", "two"]


def test_the_fast_path_changes_nothing():
    captions = [caption for caption, _ in HARD_CASES] + random_captions(4000)
    for caption in captions:
        assert tokenize(caption) == without_the_fast_path(caption), caption


@pytest.mark.java
def test_equals_cocos():
    captions = [caption for caption, _ in HARD_CASES] + random_captions(2000)
    for caption, theirs in zip(captions, coco_tokens(captions), strict=True):
        assert tokenize(caption) == theirs, caption


@pytest.mark.java
def test_equals_cocos_on_flickr8k():
    captions = flickr8k_captions()
    differing = [
        (caption, theirs)
        for caption, theirs in zip(captions, coco_tokens(captions), strict=True)
        if tokenize(caption) != theirs
    ]
    assert not differing
