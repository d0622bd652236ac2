"""JSON drawn from the schemas themselves: what they accept, and where it can be spoilt."""

from functools import singledispatch

from hypothesis import strategies as st

from promptdeck.core.contract.compound import (
    Advised,
    Either,
    Hidden,
    ListOf,
    MapOf,
    Object,
    Tagged,
    nullable,
)
from promptdeck.core.contract.request import FIELDS
from promptdeck.core.contract.schema import (
    Anything,
    Boolean,
    Enum,
    Integer,
    Null,
    Number,
    Schema,
    Text,
)
from tests.chats import ANY_JSON, NAMES, TEXT

# What a 64-bit parser reads without loss.
INTEGERS = st.sampled_from([0, 1, 2, 1024]) | st.integers(-(2**63), 2**64 - 1)
FLOATS = st.floats(-(2.0**62), 2.0**62)
WRONG = [None, True, 7, 0.5, "x", [], {}]


@singledispatch
def values(schema: Schema):
    """Whatever the schema accepts by type, also beyond what is documented."""
    raise TypeError(schema)


@values.register
def _(schema: Anything):
    return ANY_JSON


@values.register
def _(schema: Null):
    return st.none()


@values.register
def _(schema: Boolean):
    return st.booleans()


@values.register
def _(schema: Number):
    return FLOATS | INTEGERS


@values.register
def _(schema: Integer):
    return INTEGERS | st.integers(-100, 100).map(float)


@values.register
def _(schema: Text):
    return st.sampled_from(schema.values) | TEXT if schema.values else TEXT


@values.register
def _(schema: Enum):
    return st.sampled_from(schema.values)


@values.register
def _(schema: Advised):
    return values(schema.inner) | ANY_JSON


@values.register
def _(schema: Hidden):
    return values(schema.inner)


@values.register
def _(schema: ListOf):
    return st.lists(values(schema.item), max_size=2)


@values.register
def _(schema: MapOf):
    return st.dictionaries(NAMES | TEXT, values(schema.item), max_size=2)


@values.register
def _(schema: Either):
    return st.one_of(*map(values, schema.options))


@values.register
def _(schema: Object):
    known = st.fixed_dictionaries(_of(schema.required), optional=_of(schema.optional))
    return known if schema.closed else with_strangers(known)


@values.register
def _(schema: Tagged):
    known = [values(branch) for branch in schema.branches.values()]
    tags = [*schema.others, "x_unheard_of"] if schema.open else [*schema.others]
    others = [with_strangers(st.fixed_dictionaries({schema.key: st.just(tag)})) for tag in tags]
    return st.one_of(*known, *others)


def _of(fields):
    return {key: values(item) for key, item in fields.items()}


def with_strangers(strategy):
    """Keys of a provider's own, with a prefix that keeps them apart from the known ones."""
    strangers = st.dictionaries(NAMES.map("x_{}".format), ANY_JSON, max_size=1)
    return st.builds(dict.__or__, strangers, strategy)


_FIELD_VALUES = {name: values(field.schema) for name, field in FIELDS.items()}


@st.composite
def requests(draw, most=5):
    """Bodies of chat completion requests without a violation."""
    names = draw(st.lists(st.sampled_from([*FIELDS]), max_size=most, unique=True))
    return {name: draw(_FIELD_VALUES[name]) for name in dict.fromkeys(["model", *names])}


def places(schema: Schema, value, path=()):
    """Each place of a sound value whose type is enforced, with the schema that does so."""
    if not isinstance(schema, Anything | Advised):
        yield path, schema
        for key, item in inside(schema, value):
            yield from places(item, value[key], (*path, key))


@singledispatch
def inside(schema: Schema, value):
    """The keys of a sound value with their schemas."""
    return []


@inside.register
def _(schema: Hidden, value):
    return inside(schema.inner, value)


@inside.register
def _(schema: Either, value):
    return inside(next(one for one in schema.options if type(value) in one.kinds), value)


@inside.register
def _(schema: Tagged, value):
    branch = schema.branches.get(value.get(schema.key) or schema.default)
    found = inside(branch, value) if branch else []
    return [
        (key, _or_null(item) if key == schema.key and schema.default else item)
        for key, item in found
    ]


def _or_null(tag):
    """Null is no wrong type for a tag that has a default: it says something else of the whole.

    The default branch's own tag takes null already, and `nullable` refuses to give it twice.
    """
    return tag if type(None) in tag.kinds else nullable(tag)


@inside.register
def _(schema: Object, value):
    return [(key, item) for key, item in schema.fields.items() if key in value]


@inside.register
def _(schema: ListOf, value):
    return [(index, schema.item) for index in range(len(value))]


@inside.register
def _(schema: MapOf, value):
    return [(key, schema.item) for key in value]


@st.composite
def spoilt(draw):
    """A request, the path of one place in it, and the request with a wrong type at that place."""
    body = draw(requests(most=3))
    found = [
        (path, schema)
        for name in sorted(body)
        for path, schema in places(FIELDS[name].schema, body[name], (name,))
    ]
    path, schema = draw(st.sampled_from(found))
    wrong = [value for value in WRONG if type(value) not in schema.kinds]
    return body, path, replaced(body, path, draw(st.sampled_from(wrong)))


def replaced(value, path, new):
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy
