"""declaring: placeholders as a shell fills them, names that follow from a path, secrets unshown."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.config import SETTINGS, Config, in_ci
from promptdeck.config.declaring import fill

NAMES = st.sampled_from(["A", "B_2", "_c"])
# What means nothing to a shell within double quotes.
PLAIN = st.text(st.sampled_from("ab 1-./:"), max_size=5)
PARTS = st.one_of(
    PLAIN,
    NAMES.map("${{{}}}".format),
    st.builds("${{{}:-{}}}".format, NAMES, PLAIN),
)


@given(st.lists(PARTS, max_size=5).map("".join), st.fixed_dictionaries({"A": PLAIN, "_c": PLAIN}))
def test_placeholders_are_filled_as_a_shell_does(text: str, environ: dict[str, str]) -> None:
    ran = subprocess.run(
        ["/bin/sh", "-uc", f'printf %s "{text}"'], env=environ, capture_output=True, text=True
    )
    if ran.returncode == 0:
        assert fill(text, environ) == ran.stdout
    else:
        with pytest.raises(ValueError, match="is not in the environment; set it or write"):
            fill(text, environ)


@given(st.text(), st.dictionaries(NAMES, st.text()))
def test_text_without_placeholders_stays_as_it_is(text: str, environ: dict[str, str]) -> None:
    plain = text.replace("${", "$")
    assert fill(plain, environ) == plain
    assert fill(text.replace("${", "$${"), environ).replace("${", "$") == plain


@pytest.mark.parametrize(
    ("environ", "answer"),
    [({}, False), ({"CI": "true"}, True), ({"CI": "TRUE"}, True), ({"CI": "1"}, True)]
    + [({"CI": text}, False) for text in ("", "0", "false", "no")],
)
def test_ci_is_what_ci_systems_say(environ: dict[str, str], answer: bool) -> None:
    assert in_ci(environ) is answer


def test_variable_and_flag_follow_from_the_path() -> None:
    setting = SETTINGS["log.level"]
    assert (setting.variable, setting.flag) == ("PROMPTDECK_LOG_LEVEL", "--log-level")
    assert setting.parameter == "log_level"


def test_the_repr_of_a_section_leaves_its_secrets_out() -> None:
    upstream = Config().upstream._replace(api_key="sk-hush")
    assert "hush" not in repr(upstream)
    assert repr(upstream).startswith("UpstreamSection(url='https://api.openai.com/v1', connect_")
