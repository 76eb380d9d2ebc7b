"""A page as a tree, to ask it which number stands under which name."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "img", "link", "input", "br"}


@dataclass
class Node:
    """An element: its attributes, and the elements and texts in it."""

    tag: str
    attrs: dict[str, str | None] = field(default_factory=dict)
    children: list["Node | str"] = field(default_factory=list)

    def all(self, tag: str, style: str | None = None) -> list["Node"]:
        """All elements with a tag below this one, or only those of a class."""
        return [
            node
            for node in self._nodes()
            if node.tag == tag and style in (None, node.attrs.get("class"))
        ]

    def one(self, tag: str, style: str | None = None) -> "Node":
        """The only such element."""
        [node] = self.all(tag, style)
        return node

    @property
    def own(self) -> str:
        """The text that stands in it directly."""
        return "".join(child for child in self.children if isinstance(child, str))

    @property
    def text(self) -> str:
        """All text in it."""
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def number(self, attribute: str) -> float:
        """An attribute's number."""
        return float(self.attrs[attribute] or "")

    def _nodes(self) -> Iterator["Node"]:
        for child in self.children:
            if isinstance(child, Node):
                yield child
                yield from child._nodes()


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Node("")]

    def handle_starttag(self, tag, attrs):
        node = Node(tag, dict(attrs))
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag, attrs):
        self.open[-1].children.append(Node(tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag

    def handle_data(self, data):
        self.open[-1].children.append(data)


def parse(text: str) -> Node:
    """The tree of a page; raises where a tag closes that is not open."""
    builder = _Builder()
    builder.feed(text)
    [root] = builder.open
    return root


def table_of(table: Node) -> dict[str, dict[str, Node]]:
    """{row's name: {column's name: cell}} of a table."""
    heads = [th.text for th in table.one("thead").all("th")][-len(table.all("tr")[1].all("td")) :]
    return {
        row.one("th").text: dict(zip(heads, row.all("td"), strict=True))
        for row in table.one("tbody").all("tr")
    }


def facts_of(dl: Node) -> dict[str, str]:
    """{term: description} of a list of facts."""
    names, texts = ([node.text for node in dl.all(tag)] for tag in ("dt", "dd"))
    return dict(zip(names, texts, strict=True))
