"""What varies in the requests of agents by machine and day: presets of `match.preset`, as data.

A preset says where a request names such a thing, and what it is called in the canonical
form. Patterns are anchored by the words that an agent writes around it and by what such a
value looks like, so that any other text goes on to count. They are ours and take time that
is linear in the text: each is tried only where a word stands that hints at it, and all
repetition is bounded. `volatile` says what a preset is, `renaming` applies them.
"""

from collections.abc import Iterable, Mapping

from .volatile import Preset, identity, left, parameter, spot, token

# What a path is made of. Bounded, as are all repetitions here, so that no text takes long.
_IN_PATH = r"[^\s\0<>\"'`|()\[\],;]"
_ROOT = r"(?:/|~/|[A-Za-z]:[\\/])"
# Words by which a sentence goes on behind a path: no folder is told by them.
_PROSE = (
    r"(?:an?|and|are|as|at|but|by|for|from|has|have|if|in|is|it|its|not|of|on|only|or|so|that|the"
    r"|then|this|to|use|using|via|was|where|which|with|you|your|read-only|writable|empty|clean)\b"
)
_LINE_END = r"(?=[ .]{0,2}(?:\n|<))"
"""`renaming` has every text end with a line end, and `<` begins a closing tag."""
# A path that is the rest of its line, with blanks in its folders; else up to white space, a tag or
# a quote. A full stop that ends a sentence is not its.
_PATH = (
    rf"({_ROOT}(?:[^\s\0<>\"`|]{{0,400}}(?:(?<![.,;:!?)]) (?!{_PROSE}|[(\[-])[^\s\0<>\"`|]{{1,60}})"
    rf"{{0,8}}(?<![.,;:!?)]){_LINE_END}"
    rf"|{_IN_PATH}{{0,400}}{_IN_PATH}(?<!\.))|/(?=[ .]?(?:\n|<)))"
)
# The same, or whatever stands between quotes.
_QUOTED = (
    rf"(?:\"({_ROOT}[^\"\n\0]{{0,400}})\"|'({_ROOT}[^'\n\0]{{0,400}})'|`({_ROOT}[^`\n\0]{{0,400}})`"
    rf"|\(({_ROOT}[^()\n\0]{{0,400}})\)|[\"'`(]?{_PATH})"
)
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_CLOCK = (
    r"(?:,? (?:at )?|T)\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:\s?[AaPp]\.?[Mm]\b\.?)?"
    r"(?: ?(?:Z|UTC|GMT)?(?: ?[+-]\d{2}:?\d{2})?\b)?"
)
# 2026-11-28, 2026/11/28, 28.11.2026, 11/28/2026, Sat Nov 28 2026, Saturday, November 28, 2026,
# 28 November 2026, each with a time of day or without.
_DATE = (
    rf"((?:\d{{4}}[-/.]\d{{2}}[-/.]\d{{2}}|\d{{1,2}}[./-]\d{{1,2}}[./-]\d{{4}}"
    rf"|(?:{_DAY},? )?"
    rf"(?:{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}|\d{{1,2}}\.? {_MONTH},? \d{{4}}))"
    rf"(?:{_CLOCK})?)"
)
_SYSTEM = (
    r"((?i:linux|darwin|win32|windows(?:_nt)?|mac ?os(?: ?x)?|freebsd|openbsd)"
    # Names of releases have a digit, or are words of this kind.
    r"(?:[ ,/-]+(?i:version|build|kernel|lts|pro|home|enterprise|education|server|generic"
    r"|x64|x86_64|amd64|arm64|aarch64|\(?[\w.#~+-]{0,40}\d[\w.#~+-]{0,40}\)?)){0,6})"
)
_SHELL = (
    r"((?:/[\w.-]{1,40}){0,6}/?\b(?i:bash|zsh|fish|dash|ksh|tcsh|sh|powershell|pwsh|cmd)(?:\.exe)?)"
)

_OWN_FOLDERS = (
    "claude codex gemini config local cache opencode qwen cursor aider continue goose"
).split()

AGENT = Preset(
    "agent",
    "what any agent says of the machine and the day that it runs on",
    "the four presets below, and the system prompts that agents publish",
    identities=(
        identity(
            "call",
            "ids of tool calls, wherever the request repeats them",
            "$.messages[*].tool_calls[*].id",
            "$.messages[*].tool_call_id",
            "$.messages[*].content[*].id",
            "$.messages[*].content[*].tool_use_id",
            "$.input[*].call_id",
            "$.contents[*].parts[*].functionCall.id",
            "$.contents[*].parts[*].functionResponse.id",
            "$.contents[*].parts[*].function_call.id",
            "$.contents[*].parts[*].function_response.id",
        ),
        identity("item", "ids of the items of a Responses request", "$.input[*].id"),
        identity(
            "seal",
            "signatures and encrypted reasoning that a provider wants back",
            "$.messages[*].content[*].signature",
            "$.messages[*].tool_calls[*].extra_content.google.thought_signature",
            "$.input[*].encrypted_content",
            "$.contents[*].parts[*].thoughtSignature",
            "$.contents[*].parts[*].thought_signature",
        ),
    ),
    spots=(
        spot(
            "cwd",
            "the working directory, wherever the request says it",
            rf"(?i:working directory)(?: is)?:?\s{{1,3}}{_QUOTED}",
            "working directory",
            spreads=True,
        ),
        spot(
            "cwd",
            "the working directory",
            rf"<cwd>({_ROOT}[^<\n\0]{{0,400}})</cwd>",
            "<cwd>",
            spreads=True,
        ),
        spot(
            "cwd",
            "the folder of the workspace",
            r"(?i:workspace (?:root(?: folder)?|directory|folder|path))(?: is)?:?"
            rf"\s{{1,3}}{_QUOTED}",
            "workspace ",
            spreads=True,
        ),
        spot(
            "home",
            "the home directory, wherever the request says it",
            rf"(?i:home (?:directory|folder))(?: is)?:?\s{{1,3}}{_QUOTED}",
            "home ",
            spreads=True,
        ),
        spot(
            "home",
            "the home directory, by the folder in it that is an agent's own",
            # Of no other path: people write of `.cache` folders, too.
            r"(?<![\w./~-])((?:/home/|/Users/|[A-Za-z]:[\\/]Users[\\/])[\w.-]{1,64}"
            r"(?: [\w.-]{1,40}){0,2}|(?:/var)?/root)\Z",
            "/.",
            "\\.",
            spreads=True,
            behind=rf"[/\\]\.(?:{'|'.join(_OWN_FOLDERS)})[/\\]",
        ),
        spot(
            "date",
            "the date, where the agent tells it",
            rf"(?i:(?:today's|current) date(?: and time)?)(?: is|:| =)+\s{{0,3}}{_DATE}",
            "today's date",
            "current date",
        ),
        spot("date", "the date", rf"(?i:today is) {_DATE}", "today is"),
        spot("date", "the date", rf"<current_date>{_DATE}</current_date>", "<current_date>"),
        spot(
            "time",
            "the time, where the agent tells it",
            rf"(?i:(?:current|local) (?:date ?/ ?)?time)(?: is|:| =)+\s{{0,3}}(?:{_DATE}"
            r"|(\d{1,2}:\d{2}(?::\d{2})?(?: ?[AaPp][Mm])?))",
            "current time",
            "local time",
            "current date/time",
        ),
        spot(
            "timezone",
            "the time zone",
            r"(?i:<timezone>|time ?zone: )([A-Z][\w+-]{1,30}(?:/[\w+-]{1,30}){0,2})" + _LINE_END,
            "<timezone>",
            "timezone: ",
            "time zone: ",
        ),
        spot(
            "platform",
            "the platform, and its version",
            r"(?<!\w)(?i:platform(?: is)?:?|operating system(?: is)?:?|os(?: version)?:) "
            rf"{_SYSTEM}(?:{_LINE_END}|(?=, Shell: ))",
            "platform",
            "operating system",
            "os version: ",
            "os: ",
        ),
        spot(
            "shell",
            "the shell",
            rf"(?<!\w)(?i:shell: |<shell>){_SHELL}{_LINE_END}",
            "shell: ",
            "<shell>",
        ),
        spot(
            "host",
            "the host's name",
            rf"(?<!\w)(?i:host ?name: )([\w.-]{{1,64}}){_LINE_END}",
            "hostname: ",
            "host name: ",
        ),
        spot(
            "user",
            "the user's name",
            rf"(?<!\w)(?i:user ?name: |logged in as:? |os user: )([\w.@\\-]{{1,64}}){_LINE_END}",
            "username: ",
            "user name: ",
            "logged in as",
            "os user: ",
        ),
        spot(
            "session",
            "ids of sessions and requests",
            r"(?i:(?:session|conversation|thread|request)[ _-]id)(?: is)?:? "
            rf"([A-Za-z_-]{{0,40}}\d[\w-]{{5,60}}){_LINE_END}",
            "session",
            "conversation",
            "thread",
            "request",
            spreads=True,
        ),
        spot(
            "tmp",
            "a file's name made at random, in the part of a body that has it",
            r"filename=\"(tmp[a-z0-9_]{8})(?=[.\"])",
            'filename="tmp',
        ),
        spot(
            "branch",
            "the branch of git",
            rf"(?i:(?:current|git) branch: )([\w./+-]{{1,120}}){_LINE_END}",
            "current branch: ",
            "git branch: ",
        ),
    ),
    told=(
        parameter(
            "session",
            "ids of sessions and requests, as a parameter or a key",
            r"(?=\D{0,40}\d)[\w.:-]{6,80}",
            *("session id", "conversation id", "thread id"),
            *("request id", "trace id", "correlation id"),
        ),
        parameter(
            "cwd",
            "the working directory, as a parameter or a key",
            rf"{_ROOT}[^\0\n]{{1,400}}",
            *("cwd", "working directory", "project root", "workspace root"),
        ),
    ),
    tokens=(
        token(
            "uuid",
            r"-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-",
            r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(?![0-9A-Za-z])",
            "UUIDs",
        ),
        token(
            "tmp",
            "tmp",
            r"(?:/private)?(?:/var)?/tmp/(?:tmp[._]?[A-Za-z0-9_]{6,16}|pytest-of-[\w.-]{1,64}/pytest-\d{1,9})(?![\w-])",
            "temporary folders with names made at random",
        ),
        token(
            "tmp",
            "/var/folders/",
            r"(?:/private)?/var/folders/\w{2}/\w{20,40}/[A-Z](?:/tmp[A-Za-z0-9_]{6,16})?(?![\w-])",
            "temporary folders of macOS",
        ),
        token(
            "tmp",
            r"Temp[\\/]{1,4}tmp",
            r"[A-Za-z]:[\\/]{1,4}Users[\\/]{1,4}[\w. -]{1,64}[\\/]{1,4}AppData[\\/]{1,4}Local"
            r"[\\/]{1,4}Temp[\\/]{1,4}tmp[A-Za-z0-9_]{6,16}(?![\w-])",
            "temporary folders of Windows",
        ),
    ),
)

CLAUDE_CODE = Preset(
    "claude-code",
    "Claude Code: Anthropic Messages",
    "Claude Code 2.1.197 (npm), `claude -p`, two folders, users and days",
    includes=("agent",),
    left=(left("$.metadata", "device and session, in user_id"),),
    spots=(
        spot(
            "billing",
            "the first system text: version, entry point and a digest for billing",
            r"(?<=\0\n)(x-anthropic-billing-header: [^\n\0]{1,400})(?=\n\0)",
            "x-anthropic-billing-header",
        ),
        spot(
            "home",
            "the home directory, by the instructions in it",
            rf"Contents of ({_ROOT}[^\0\n<>\"`|]{{1,200}})"
            r"(?=[\\/]\.claude[\\/]CLAUDE\.md \(user's private)",
            "contents of ",
            spreads=True,
        ),
        spot(
            "memory",
            "the folder of memories, named for the working directory",
            r"(?i:(?<=file-based )memory at|memory (?:directory|system) at) "
            rf"`({_ROOT}[^`\n\0]{{0,400}})`",
            "memory at",
            "memory directory at",
            "memory system at",
            spreads=True,
        ),
        spot(
            "scratchpad",
            "its temporary folder, by user, working directory and session",
            r"(?<=/tmp)(/claude-\d{1,9}/-[^\s\0<>\"'`|()\[\],;/]{1,200}(?:/[0-9a-f-]{36})?)",
            "/claude-",
            spreads=True,
        ),
        spot(
            "git",
            "branch, status and last commits, as the prompt gives them at its end",
            r"gitStatus: This is the git status at the start of the conversation\.[^\n\0]{0,300}"
            r"\n\n"
            r"(Current branch: [^\n\0]{0,300}\n\n(?:Main branch[^\n\0]{0,300}\n\n)?"
            r"(?:Git user: [^\n\0]{0,300}\n\n)?Status:\n"
            r"(?:(?:\(clean\)|[ MADRCUT?!]{1,2} [^\n\0]{0,400})\n){0,400}\nRecent commits:"
            r"(?:\n[0-9a-f]{7,40} [^\n\0]{0,400}){0,40})",
            "gitstatus: ",
        ),
    ),
)

CODEX = Preset(
    "codex",
    "codex: OpenAI Responses",
    "codex 0.171.0 (npm), `codex exec`, two folders, users and days",
    includes=("agent",),
    left=(
        left("$.client_metadata", "installation, session, turn and git commit"),
        left("$.prompt_cache_key", "the session"),
        left("$.input[*].internal_chat_message_metadata_passthrough", "ids of turns"),
    ),
    spots=(
        spot(
            "skills",
            "folders of skills",
            rf"- `r\d{{1,3}}` = `({_ROOT}[^`\n\0]{{0,400}})`",
            "- `r",
            spreads=True,
        ),
        spot(
            "chunk",
            "the id of a command's output",
            r"(?<=\n)Chunk ID: ([0-9a-f]{6})(?=\nWall time: )",
            "chunk id: ",
            in_results=True,
        ),
        spot(
            "took",
            "the time that a command took",
            r"(?<=\n)Wall time: (\d{1,7}(?:\.\d{1,9})? seconds)(?=\n)",
            "wall time: ",
            in_results=True,
        ),
        spot(
            "ran",
            "the time that a script took, of models that call tools by code",
            r"(?<=\n)Wall time (\d{1,7}(?:\.\d{1,9})? seconds)(?=\nOutput:)",
            "wall time ",
            in_results=True,
        ),
    ),
)

GEMINI_CLI = Preset(
    "gemini-cli",
    "Gemini CLI: generateContent",
    "Gemini CLI 0.61.0 (npm), `gemini -p`, two folders, users and days",
    includes=("agent",),
    spots=(
        spot(
            "project-tmp",
            "the temporary folder of the project",
            rf"project's temporary directory is: {_PATH}",
            "project's temporary directory",
            spreads=True,
        ),
        spot(
            "cwd",
            "the folder of the workspace",
            rf"\*\*Workspace Directories:\*\*\n  - {_PATH}(?=\n)",
            "**workspace directories:**",
            spreads=True,
        ),
    ),
)

OPENCODE = Preset(
    "opencode",
    "opencode: chat completions",
    "opencode 1.18.33 (npm), `opencode run`, two folders, users and days",
    includes=("agent",),
    left=(left("$.prompt_cache_key", "the session"),),
    spots=(
        spot(
            "shell",
            "the shell, in the description of the tool bash",
            rf"(?<=, )Shell: {_SHELL}(?=\n)",
            "shell: ",
        ),
    ),
)

PRESETS: Mapping[str, Preset] = {
    preset.name: preset for preset in (AGENT, CLAUDE_CODE, CODEX, GEMINI_CLI, OPENCODE)
}
"""All presets by name."""


def merged_presets(names: Iterable[str]) -> Preset:
    """Several presets as one, each entry once; ValueError for a name that there is not."""
    todo, parts = list(names), list[Preset]()
    while todo:
        name = todo.pop(0)
        if name not in PRESETS:
            raise ValueError(f"no preset {name!r}; there are {', '.join(PRESETS)}")
        if PRESETS[name] not in parts:
            parts.append(PRESETS[name])
            todo += PRESETS[name].includes
    return Preset(
        "+".join(part.name for part in parts),
        "; ".join(part.about for part in parts),
        "; ".join(part.source for part in parts),
        left=tuple(dict.fromkeys(item for part in parts for item in part.left)),
        identities=tuple(dict.fromkeys(item for part in parts for item in part.identities)),
        spots=tuple(dict.fromkeys(item for part in parts for item in part.spots)),
        tokens=tuple(dict.fromkeys(item for part in parts for item in part.tokens)),
        told=tuple(dict.fromkeys(item for part in parts for item in part.told)),
    )
