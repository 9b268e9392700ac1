"""`maskedskipunet completion bash|zsh|fish`: a script with which a shell completes commands, options and values.

The script holds all words, so that nothing is started when somebody presses the tabulator.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Literal

from maskedskipunet.cli import console
from maskedskipunet.cli.parsing import LIST_WORDS, PROGRAM, Parser, WordsListed
from maskedskipunet.files import atomic_write

Words = Mapping[str, tuple[str, ...]]  # each option's values; under "" those of arguments that stand alone

BASH = """\
_{program}() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" words=""
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{commands} --help --version"
    else
        case "${{COMP_WORDS[1]}} $before" in
{values}
        *)
            case "${{COMP_WORDS[1]}}" in
{options}
            esac ;;
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _{program} {program}"""
ZSH_START = "autoload -U +X compinit bashcompinit && compinit && bashcompinit"


def run(arguments: Sequence[str]) -> int:
    parser = Parser(
        "completion",
        "bash|zsh|fish",
        'Print a script that completes commands and options in a shell. bash: eval "$(maskedskipunet completion '
        'bash)" in ~/.bashrc; zsh: the same with zsh in ~/.zshrc; fish: maskedskipunet completion fish '
        "--out ~/.config/fish/completions/maskedskipunet.fish.",
    )
    parser.add(
        "shell",
        type=Literal["bash", "zsh", "fish"],
        metavar="bash|zsh|fish",
        required=True,
        help="Print the script for this shell.",
    )
    parser.add("--out", type=Path, metavar="FILE", help="Write the script into this file (default: it is printed).")
    options = parser.parse(arguments)
    from maskedskipunet.cli.main import COMMANDS  # which names this module too

    words = {command: words_of(command) for command in COMMANDS}
    lines = _fish(COMMANDS, words) if options.shell == "fish" else _bash(words, options.shell == "zsh")
    if options.out is not None:
        with atomic_write(options.out) as part:
            part.write_text("".join(f"{line}\n" for line in lines))
        return 0
    for line in lines:
        console.say(line)
    return 0


def words_of(command: str) -> Words:
    """Return what may be typed after a command."""
    try:
        import_module(f"maskedskipunet.cli.{command}").run([LIST_WORDS])
    except WordsListed as listed:
        return listed.words
    raise AssertionError(f"{command} does not read its arguments first")


def _bash(words: Mapping[str, Words], for_zsh: bool) -> Iterator[str]:
    values, options = [], []
    for command, known in words.items():
        values += [
            f'        "{command} {option}") words="{" ".join(choices)}" ;;'
            for option, choices in known.items()
            if option and choices
        ]
        listed = " ".join(filter(None, known))
        alone = " ".join(known[""])
        options.append(f'            {command}) [[ $current == -* ]] && words="{listed}" || words="{alone}" ;;')
    script = BASH.format(
        program=PROGRAM, commands=" ".join(words), values="\n".join(values), options="\n".join(options)
    )
    if for_zsh:
        yield ZSH_START
    yield from script.splitlines()


def _fish(commands: Mapping[str, str], words: Mapping[str, Words]) -> Iterator[str]:
    for command, purpose in commands.items():
        yield f'complete -c {PROGRAM} -f -n __fish_use_subcommand -a {command} -d "{purpose}"'
    for command, known in words.items():
        start = f"complete -c {PROGRAM} -n '__fish_seen_subcommand_from {command}'"
        for option, choices in known.items():
            kind = "l" if option.startswith("--") else "s"
            name = f" -{kind} {option.lstrip('-')}" if option else ""
            listed = f" -x -a '{' '.join(choices)}'" if choices else ""
            if name or listed:
                yield f"{start}{name}{listed}"
