"""A report's HTML read back: its tables, numbers, pictures and attributes."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "input", "br", "wbr", "circle", "rect", "line", "path"}


@dataclass
class Node:
    """An element with what it holds."""

    tag: str
    attributes: dict[str, str | None]
    children: list["Node | str"] = field(default_factory=list)

    def find(self, tag: str, **wanted: str) -> list["Node"]:
        """Every element of a tag under this one whose attributes are those wanted."""
        nodes = [child for child in self.children if isinstance(child, Node)]
        here = [n for n in nodes if n.tag == tag and all(n.attributes.get(k) == v for k, v in wanted.items())]
        return here + [found for node in nodes for found in node.find(tag, **wanted)]

    def every(self) -> list["Node"]:
        """This and all elements under it."""
        return [self, *(each for child in self.children if isinstance(child, Node) for each in child.every())]

    @property
    def text(self) -> str:
        """All its text, blanks joined."""
        parts = [child.text if isinstance(child, Node) else child for child in self.children]
        return " ".join("".join(parts).split())

    @property
    def numbers(self) -> list[tuple[float, str]]:
        """Value and text of each number in it."""
        return [(float(str(node.attributes["value"])), node.text) for node in self.find("data")]


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Node("root", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, dict(attrs))
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Node(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop().tag == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(html: str) -> Node:
    """The page as a tree. Fails where elements are not nested."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    assert len(parser.open) == 1
    return parser.root
