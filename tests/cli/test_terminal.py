"""What is shown to people: nothing that others wrote commands their terminal."""

import pytest

from tests.cli.terminals import start


def test_a_name_is_shown_and_not_obeyed(syncline):
    syncline("keys", "create", "\x1b[2J\x9b31mred\u202e", "--admin")
    shown = syncline("keys", "list")
    assert (shown.code, "\ufffd[2J\ufffd" in shown.out) == (0, True)
    assert not {"\x1b", "\x9b", "\u202e"} & set(shown.out)


@pytest.mark.parametrize(
    "words", ["-h", "backup create -h", "lgo", "import", "push nowhere.jsonl", "doc get x -d a.db", "context list"]
)
def test_what_these_tests_fork_does_what_is_started(terminal, words):
    variables = terminal.environment(SYNCLINE_TOKEN="Zoë")
    started = start(words.split(), "{}\n", terminal.directory, variables)
    assert terminal(*words.split(), input="{}\n", SYNCLINE_TOKEN="Zoë") == started
