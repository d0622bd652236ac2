"""The configuration file: from YAML nodes to what it says of each setting, and on which line.

Works on the composed nodes rather than on constructed values: they know their
lines, keep every scalar as text, and still show a key that stands twice.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from .declaring import Given, Setting
from .kinds import NOTHING, found
from .settings import SECTIONS, SETTINGS, nearest, unknown


class Document:
    """A YAML text called `name`, in a file or in a variable.

    `fill` is applied to every text in it, and may raise ValueError. Whatever is wrong is added
    to `problems` as a line that begins with `name` and the number of the line; reading goes on.
    """

    def __init__(self, name: str, problems: list[str], fill: Callable[[str], str] = str) -> None:
        self._name = name
        self._problems = problems
        self._fill = fill
        self._seen: set[str] = set()

    def settings(self, data: bytes) -> Iterator[Given]:
        """Every setting that a whole file says, in its order."""
        root = self._compose(data)
        if root is None or self._is_nothing(root):
            return
        if root.id != "mapping":
            self._note(root, f"expected settings, found {_found(root)}")
            return
        for path, key, node in self._pairs(root, ""):
            if path in SECTIONS:
                yield from self._section(path, node)
            else:
                yield from self._setting(path, key, node)

    def value(self, text: str, setting: Setting) -> Iterator[Given]:
        """The value of `setting`, where `text` is that value and nothing else."""
        root = self._compose(text)
        if root is not None:
            yield from self._given(setting, root, self._name)

    def _compose(self, data: bytes | str) -> Any:
        """The root node; None for no text, and with a problem for what is not YAML."""
        import yaml  # 30 ms, and only where there is YAML to read

        try:
            return yaml.compose(data, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
            reason = getattr(error, "problem", None) or getattr(error, "reason", "")
        # PyYAML lets these through for "\UFFFFFFFF" and for a thousand brackets.
        except (ValueError, OverflowError, RecursionError) as error:
            place, reason = "", error
        self._problems.append(f"{self._name}{place}: not YAML: {reason}")
        return None

    def _section(self, path: str, node: Any) -> Iterator[Given]:
        """The settings below a section's key."""
        if node.id == "mapping":
            for inner, key, value in self._pairs(node, path):
                yield from self._setting(inner, key, value)
        elif not self._is_nothing(node):
            keys = ", ".join(SECTIONS[path]._fields)
            self._note(node, f"{path}: expected settings below it ({keys}), found {_found(node)}")

    def _setting(self, path: str, key: Any, node: Any) -> Iterator[Given]:
        """The value of the setting at `path`; a path that is no setting is a problem at `key`."""
        if setting := SETTINGS.get(path):
            yield from self._given(setting, node, self._at(key))
        else:
            self._note(key, unknown(path, nearest(path, SECTIONS)))

    def _given(self, setting: Setting, node: Any, source: str) -> Iterator[Given]:
        """A node's value for `setting`, or nothing and a problem; `source` is its place."""
        try:
            read = self._nested if setting.is_mapping else self._raw
            raw = read(node, setting.path)
        except ValueError as error:
            self._problems.append(f"{source}: {error}")
        else:
            yield Given(setting, raw, source)

    def _raw(self, node: Any, path: str) -> Any:
        """A node's value as `Given.raw` has it. ValueError that begins with its path."""
        if node.id == "sequence":
            return [self._item(child, f"{path}[{i}]") for i, child in enumerate(node.value)]
        return self._item(node, path)

    def _nested(self, node: Any, path: str) -> Any:
        """A node's value with whatever stands in it: texts, lists, mappings. ValueError."""
        if node.id == "sequence":
            return [self._nested(child, f"{path}[{i}]") for i, child in enumerate(node.value)]
        if node.id == "mapping":
            pairs = self._pairs(node, path)
            return {key.value: self._nested(value, inner) for inner, key, value in pairs}
        return self._text(node, path)

    def _item(self, node: Any, path: str) -> str | dict[str, str]:
        """A text, or a mapping of texts, which is all that lists have in them. ValueError."""
        if node.id == "mapping":
            pairs = self._pairs(node, path)
            return {key.value: self._text(value, inner) for inner, key, value in pairs}
        return self._text(node, path)

    def _text(self, node: Any, path: str) -> str:
        # Not what YAML 1.1 makes of it: `no` would be false, and 1:30 would be ninety.
        if node.id != "scalar":
            raise ValueError(f"{path}: expected text, found {_found(node)}")
        try:
            return self._fill(node.value)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def _pairs(self, node: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
        """Path, key and value of each entry; a key that cannot be one is noted and left out."""
        for key, value in node.value:
            if key.id != "scalar":
                self._note(key, f"a key must be text, not {_found(key)}")
                continue
            name = key.value if re.fullmatch(r"[\w.-]+", key.value) else repr(key.value)
            inner = f"{path}.{name}" if path else name
            if inner in self._seen:
                self._note(key, f"{inner} stands here a second time; keep one of them")
                continue
            self._seen.add(inner)
            yield inner, key, value

    def _is_nothing(self, node: Any) -> bool:
        # A section whose settings are all commented out.
        return node.id == "scalar" and node.value in NOTHING

    def _at(self, node: Any) -> str:
        return f"{self._name}:{node.start_mark.line + 1}"

    def _note(self, node: Any, problem: str) -> None:
        self._problems.append(f"{self._at(node)}: {problem}")


def _found(node: Any) -> str:
    """How a problem shows a node: its text, or its kind."""
    return found(node.value if node.id == "scalar" else [] if node.id == "sequence" else {})
