"""What shells and editors are given: completion, and the schema of our files."""

from __future__ import annotations

import sys
from importlib.resources import files
from typing import Literal

_SCHEMAS = {"config": "config/switchhook.schema.json", "rules": "rules/rules.schema.json"}


def completion(shell: Literal["bash", "zsh", "fish"]) -> int:
    """Print what lets a shell complete commands and options.

    For example:

        switchhook completion bash > ~/.local/share/bash-completion/completions/switchhook
        switchhook completion zsh > ~/.zfunc/_switchhook
        switchhook completion fish > ~/.config/fish/completions/switchhook.fish

    Parameters
    ----------
    shell
        Which one. The folder of the zsh example has to be in fpath.
    """
    from switchhook.cli import make_app

    sys.stdout.write(make_app(()).generate_completion(prog_name="switchhook", shell=shell))
    return 0


def schema(kind: Literal["config", "rules"] = "config") -> int:
    """Print the JSON Schema of a file of ours, by which an editor completes and checks it.

    For example:

        switchhook schema > switchhook.schema.json
        switchhook schema rules > rules.schema.json

    Editors that use Taplo take it by a first line such as "#:schema ./switchhook.schema.json".

    Parameters
    ----------
    kind
        A configuration, or a rules file.
    """
    sys.stdout.write(files("switchhook").joinpath(_SCHEMAS[kind]).read_text(encoding="utf-8"))
    return 0
