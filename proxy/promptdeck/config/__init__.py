"""Settings: declared once, read from YAML, environment and flags into one frozen Config.

    kinds      what a value may be: text in, typed value out, and back
    declaring  what a declaration is: kind, default, one line of why, names
    mappings   what values may be of what the user names: upstreams, models, servers
    upstreams  the declarations of where requests go
    settings   all others, and the tree `Config` that they make
    document   the file's YAML, with the line of each setting
    loading    file, PROMPTDECK_* variables and flags, each over the one before it
    render     `config show`, config.example.yaml, README's table

The YAML keys, the variables, the flags and all the documentation follow from the
declarations. Every scalar is read as the text that stands in the file, so that `no`, `007`
and `1:30` are what they look like. Whatever cannot be read makes one line of a
ConfigError: source, path, what was expected and what was found.
"""

from .declaring import Setting, in_ci
from .kinds import Provider
from .loading import Loaded, load
from .settings import SETTINGS, Config

__all__ = [
    "SETTINGS",
    "Config",
    "Loaded",
    "Provider",
    "Setting",
    "in_ci",
    "load",
]
