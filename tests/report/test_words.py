import re

from limner.evaluation.evaluate import score
from limner.report.words import length_chart, unsaid, word_chart

REFERENCES = {"1": ["a red dog runs", "the dog"], "2": ["a <b>cat</b> sleeps", "two cats"]}


def test_what_people_say_and_the_model_never_does():
    text = unsaid(score({"1": "a dog", "2": "a dog"}, REFERENCES))
    assert "The model uses 2 words, people" in text
    assert "<i>red</i>" in text
    assert "<i>dog</i>" not in text
    assert "<b>" not in text


def test_words_are_shares_of_the_captions():
    chart = word_chart(score({"1": "a dog", "2": "a cat"}, REFERENCES))
    tips = dict(re.findall(r"<title>(\w+, the model): ([\d.]+) %", chart))
    assert tips["a, the model"] == "100.0"
    assert tips["dog, the model"] == "50.0"


def test_a_model_that_says_nothing():
    silent = score({"1": "", "2": "..."}, REFERENCES)
    assert word_chart(silent) == ""
    assert "<rect" in length_chart(silent)
    assert unsaid(silent).startswith("The model uses 0 words")
