"""`lcrs completion`: what a shell needs to complete verbs and flags."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from lcrs.cli import streams

NAME = "completion"
SUMMARY = "Print what makes a shell complete lcrs' verbs and flags"

_HELP = """\
bash: eval "$(lcrs completion bash)" in ~/.bashrc;
zsh: eval "$(lcrs completion zsh)" in ~/.zshrc, after compinit;
fish: lcrs completion fish > ~/.config/fish/completions/lcrs.fish
"""


@dataclass(frozen=True)
class Flag:
    """An option of a verb."""

    names: tuple[str, ...]
    summary: str
    takes_value: bool
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verb:
    """A verb, with the verbs below it as it is typed: `zoo list`."""

    name: str
    summary: str
    flags: tuple[Flag, ...]
    words: tuple[str, ...] = ()
    """What may follow in place of a file."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lcrs completion`."""
    parser.epilog = _HELP
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("shell", choices=tuple(_WRITERS))


def run(arguments: argparse.Namespace) -> int:
    """Prints the code of a shell."""
    from lcrs.cli.parser import build_parser

    streams.write_text(_WRITERS[arguments.shell](list(_verbs(build_parser()))))
    return 0


def _verbs(parser: argparse.ArgumentParser, name: str = "", summary: str = "") -> Iterator[Verb]:
    """A parser and those below it: the first one is lcrs itself."""
    flags, words, below = [], [], []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            summaries = {choice.dest: choice.help or "" for choice in action._choices_actions}
            below = [(key, summaries.get(key, ""), child) for key, child in action.choices.items()]
            words += [key for key, _, _ in below]
        elif action.option_strings:
            choices = tuple(map(str, action.choices or ()))
            flags.append(Flag(tuple(action.option_strings), action.help or "", action.nargs != 0, choices))
        else:
            words += map(str, action.choices or ())
    yield Verb(name, summary, tuple(flags), tuple(words))
    for key, text, child in below:
        yield from _verbs(child, f"{name} {key}".strip(), text)


def _bash(verbs: list[Verb]) -> str:
    cases = []
    for verb in verbs:
        flags = " ".join(name for flag in verb.flags for name in flag.names)
        cases.append(f"    {shlex.quote(verb.name)}) flags={shlex.quote(flags)}")
        cases.append(f"      words={shlex.quote(' '.join(verb.words))}")
        for flag in verb.flags:
            if flag.choices:
                names, choices = "|".join(flag.names), " ".join(flag.choices)
                cases.append(f"      case $previous in {names}) words={shlex.quote(choices)} flags=;; esac")
        cases.append("      ;;")
    nested = "|".join(shlex.quote(verb.name) for verb in verbs if any(verb.words) and " " not in verb.name)
    return f"""\
_lcrs() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} verb= flags= words= word
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case $word in -*) ;; *)
      if [ -z "$verb" ]; then verb=$word; else
        case $verb in {nested}) verb="$verb $word";; esac
      fi;; esac
  done
  case $verb in
{chr(10).join(cases)}
  esac
  if [[ $current == -* ]]; then words=$flags; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o bashdefault -o default -F _lcrs lcrs
"""


def _zsh(verbs: list[Verb]) -> str:
    """Zsh runs completions of bash, and says of each flag nothing more than its name."""
    return f"autoload -U +X bashcompinit && bashcompinit\n{_bash(verbs)}"


def _fish(verbs: list[Verb]) -> str:
    lines = ["complete -c lcrs -n __fish_use_subcommand -f"]
    for verb in verbs:
        *above, last = verb.name.split() or [""]
        if last:
            where = " ".join(f"__fish_seen_subcommand_from {word};" for word in above)
            condition = f"{where.replace(';', ' ; and').removesuffix(' ; and')}" or "__fish_use_subcommand"
            lines.append(
                f"complete -c lcrs -n {shlex.quote(condition)} -a {last} -d {_fish_quote(verb.summary)}"
            )
        seen = " ; and ".join(f"__fish_seen_subcommand_from {word}" for word in verb.name.split())
        for flag in verb.flags:
            parts = ["complete -c lcrs", f"-n {shlex.quote(seen or '__fish_use_subcommand')}"]
            for name in flag.names:
                parts.append(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}")
            parts += ["-x -a " + shlex.quote(" ".join(flag.choices))] if flag.choices else []
            parts += ["-r"] if flag.takes_value and not flag.choices else []
            lines.append(" ".join([*parts, f"-d {_fish_quote(flag.summary)}"]))
    return "\n".join(lines) + "\n"


def _fish_quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


_WRITERS = {"bash": _bash, "zsh": _zsh, "fish": _fish}
