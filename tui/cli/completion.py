"""Completion for shells: the scripts that ask the program, and its answers.

The script runs the program with ``_SCRIBETUI_COMPLETE`` set to the shell's name and with the words typed so far as
arguments, the last of them being typed. The first line of the answer is ``files`` or ``words``: whether the shell is
to offer the names of files as well. Each further line is a word, a tab and a help text; a script evaluates none of it.
"""

import os
from typing import Annotated

import typer

from tui.cli.base import OPEN, app, fail
from tui.cli.suggestions import suggest

VARIABLE = "_SCRIBETUI_COMPLETE"
"""The environment variable that makes the program answer a shell."""

BASH = """\
_scribetui_completion() {
    local cur="${COMP_WORDS[COMP_CWORD]}" line kind=
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ -z $kind ]]; then
            kind=$line
        else
            COMPREPLY+=("${line%%$'\\t'*}")
        fi
    done < <(_SCRIBETUI_COMPLETE=bash "$1" "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    if [[ $kind == words ]]; then
        compopt +o default 2>/dev/null
        [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
    elif [[ ${#COMPREPLY[@]} -gt 0 ]]; then
        compopt -o filenames 2>/dev/null
        while IFS= read -r line; do
            COMPREPLY+=("$line")
        done < <(compgen -f -- "$cur")
    fi
    return 0
}
complete -o default -F _scribetui_completion scribetui
"""

ZSH = """\
#compdef scribetui
_scribetui_completion() {
    local -a answer described how
    local line word
    answer=("${(@f)$(_SCRIBETUI_COMPLETE=zsh ${(Q)words[1]} "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
    for line in "${(@)answer[2,-1]}"; do
        word=${line%%$'\\t'*}
        described+=("${word//:/\\\\:}:${line#*$'\\t'}")
    done
    [[ $described[1] == *=:* ]] && how=(-S '')
    (( $#described )) && _describe -V 'scribetui' described "${(@)how}"
    [[ $answer[1] != words ]] && _files
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _scribetui_completion "$@"
else
    compdef _scribetui_completion scribetui
fi
"""

FISH = """\
function __scribetui_complete
    set -l typed (commandline -opc)
    set -l current (commandline -ct)
    set -l answer (env _SCRIBETUI_COMPLETE=fish $typed "$current" 2>/dev/null)
    test (count $answer) -gt 1; and printf '%s\\n' $answer[2..-1]
    test "$answer[1]" = words; or __fish_complete_path "$current"
end
complete --command scribetui --no-files --keep-order --arguments '(__scribetui_complete)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


@app.command()
def completion(
    shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish", help="The shell that you use.")],
) -> None:
    """Print a script that has a shell complete commands and jobs.

    For bash, add to ~/.bashrc: eval "$(scribetui completion bash)". For zsh, the same with zsh to ~/.zshrc, after
    compinit. For fish: scribetui completion fish > ~/.config/fish/completions/scribetui.fish.
    """
    if shell not in SCRIPTS:
        raise fail(f"There is completion for bash, zsh and fish, not for {shell}.", 2)
    typer.echo(SCRIPTS[shell], nl=False)


def is_asked() -> bool:
    """Whether it is a shell's script that runs the program."""
    return os.environ.get(VARIABLE, "") in SCRIPTS


def answer(arguments: list[str]) -> None:
    """Answer a shell's script: the words typed so far, the last one being typed."""
    from typer.main import get_command

    *words, current = arguments or [""]
    if os.environ[VARIABLE] == "bash":
        # bash takes "--format=srt" for three words.
        words = [word for n, word in enumerate(words) if word != "=" or not words[n - 1].startswith("-")]
        current = "" if current == "=" else current
    found = suggest(get_command(app), OPEN, words, current)
    typer.echo("files" if found.files else "words")
    for each in found.items:
        typer.echo(f"{each.word}\t{' '.join(each.help.split())}")
