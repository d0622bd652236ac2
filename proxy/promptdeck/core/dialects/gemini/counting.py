"""What counts of a request of this protocol, and what as equal."""

import re

from promptdeck.core.text.jsontext import JSON

# What a request is by the proto's own names is the same by the names of its JSON (proto3's JSON
# mapping: "parsers accept both the lowerCamelCase name and the original proto field name").
_SNAKE = re.compile(r"(?<=[a-z0-9])_([a-z])")
# Below these keys stands data of the user's own, whose names are theirs: schemas, arguments,
# results and labels.
OWN = frozenset(
    """args response parametersJsonSchema responseJsonSchema responseSchema parameters labels
    partialArgs""".split()
)
# Of these the text is base64.
_BYTES = frozenset(["data", "thoughtSignature"])
# The form of an answer, by both names that Google's servers know it by (`$alt`).
_ALT = ("alt=", "$alt=", "%24alt=")
_VERSION = re.compile(r"^/v1(?:alpha|beta)\d*/")
_VERBS = (":streamGenerateContent", ":generateContent")


def counted_target(target: str) -> str:
    """A target without what chooses the variant alone: the verb's `stream`, `alt`.

    Nor does the key count, nor which version of the API it is: what is recorded at v1beta is
    asked for at v1 by newer clients.
    """
    path, mark, query = target.partition("?")
    stream, plain = _VERBS
    path = path.removesuffix(stream) + plain if path.endswith(stream) else path
    path = _VERSION.sub("/v1/", path)
    if mark:
        kept = [pair for pair in query.split("&") if not pair.startswith((*_ALT, "key="))]
        query = "&".join(kept)
        mark = "?" if query else ""
    return path + mark + query


def wants_events(query: str) -> bool:
    """True if a query asks for a stream as events."""
    return any(pair in query.split("&") for pair in (f"{name}sse" for name in _ALT))


def counting(body: dict[str, JSON]) -> dict[str, JSON]:
    """A body, without labels, in its one form: the names of JSON, a role for each turn."""
    counted: dict[str, JSON] = _named("", body)
    if "contents" in counted:
        contents = counted["contents"]
        turns = contents if isinstance(contents, list) else [contents]
        counted["contents"] = [_turn(turn) for turn in turns]
    # "Currently, text only" and without a role of its own (API reference, `systemInstruction`).
    if isinstance(system := counted.get("systemInstruction"), dict):
        counted["systemInstruction"] = {k: v for k, v in _parted(system).items() if k != "role"}
    return counted


def _named(key: str, value: JSON) -> JSON:
    """A value with all its members under the names of JSON, but for data of the user's own."""
    if key in OWN:
        return value
    if isinstance(value, list):
        return [_named(key, item) for item in value]
    if isinstance(value, dict):
        named = ((camel(name, value), item) for name, item in value.items())
        return {name: _named(name, item) for name, item in named if item is not None}
    return _standard(value) if key in _BYTES and isinstance(value, str) else value


def camel(name: str, holder: dict[str, JSON]) -> str:
    """A member's name in JSON; as it is where the object has another of that name."""
    if "_" not in name:
        return name
    camel = _SNAKE.sub(lambda match: match[1].upper(), name)
    return name if camel in holder else camel


_STEP = re.compile(r"\.([^\W\d][\w-]*)|\[(\d+)\]|.+", re.DOTALL)


def path_written(path: str, body: JSON) -> str:
    """A path by the names of JSON, with those that the client has in its body: `max_output_tokens`.

    From where the body is put otherwise than the path has it, the path stays.
    """
    written = path[:1]
    holder = body
    for step in _STEP.finditer(path, 1):
        name, index = step[1], step[2]
        if name and isinstance(holder, dict):
            names = (own for own in holder if own == name or camel(own, holder) == name)
            name = next(names, name)
            holder = holder.get(name)
            written += f".{name}"
        elif index and isinstance(holder, list) and int(index) < len(holder):
            holder = holder[int(index)]
            written += step[0]
        elif index == "0" and isinstance(holder, dict):
            written += step[0]  # what stands by itself is a list of one
        else:
            return written + path[step.start() :]
    return written


def _standard(text: str) -> str:
    """Base64 in its standard alphabet, unpadded ("either standard or URL-safe base64 encoding
    with/without paddings are accepted", proto3's JSON mapping)."""
    return text.replace("-", "+").replace("_", "/").rstrip("=")


def _turn(content: JSON) -> JSON:
    """A turn with its role, which is the user's where none is said (API reference, `Content`)."""
    return {"role": "user", **_parted(content)} if isinstance(content, dict) else content


def _parted(content: dict[str, JSON]) -> dict[str, JSON]:
    """Content whose parts are a list: a sole one stands by itself in Google's own examples."""
    if isinstance(part := content.get("parts"), dict):
        return {**content, "parts": [part]}
    return content
