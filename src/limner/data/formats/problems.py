"""Reports of skipped input, abbreviated for many problems of the same kind."""

from dataclasses import dataclass, field

SHOWN = 5
"""Maximum number of lines per kind; the others are counted."""


@dataclass
class Problems:
    """Lines by kind.

    >>> problems = Problems()
    >>> for line in range(1, 9):
    ...     problems.add("blank captions in a.csv", f"a.csv, line {line}: a blank caption")
    >>> problems.lines()[4:]
    ['a.csv, line 5: a blank caption', 'and 3 more blank captions in a.csv']
    """

    shown: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, line: str) -> None:
        """Record a problem; `kind` is a plural noun, printed after a number."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.counts[kind] <= SHOWN:
            self.shown.setdefault(kind, []).append(line)

    def followed_by(self, other: "Problems") -> "Problems":
        """The problems of both, those of `other` after these."""
        return Problems(self.shown | other.shown, self.counts | other.counts)

    def lines(self) -> list[str]:
        """The lines, grouped by kind, in the order of their occurrence."""
        told: list[str] = []
        for kind, shown in self.shown.items():
            more = self.counts[kind] - len(shown)
            told += [*shown, f"and {more} more {kind}"] if more else shown
        return told
