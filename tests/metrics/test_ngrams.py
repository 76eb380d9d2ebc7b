from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from limner.metrics.ngrams import count_ngrams, lookup

SENTENCES = st.lists(st.lists(st.sampled_from(["a", "b", "ab", "c"]), max_size=7), max_size=6)


@given(SENTENCES)
def test_every_ngram_is_counted_where_it_is(sentences):
    for n, ngrams in enumerate(count_ngrams(sentences), start=1):
        counted = [Counter() for _ in sentences]
        rows = zip(ngrams.sentence, ngrams.gram, ngrams.count, strict=True)
        for sentence, gram, count in rows:
            counted[sentence][ngrams.texts[gram]] += count
        assert counted == [
            Counter(" ".join(sentence[i : i + n]) for i in range(len(sentence) - n + 1))
            for sentence in sentences
        ]
        assert len(set(ngrams.texts)) == len(ngrams.texts)
        keys = ngrams.sentence * (len(ngrams.texts) or 1) + ngrams.gram
        assert (np.diff(keys) > 0).all()


def test_lookup_in_an_empty_table():
    empty = np.array([], dtype=np.int64)
    assert lookup(np.array([1, 2]), empty, empty).tolist() == [0, 0]
