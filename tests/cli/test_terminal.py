"""What is shown to people: nothing that others wrote commands their terminal."""


def test_a_name_is_shown_and_not_obeyed(syncline):
    syncline("keys", "create", "\x1b[2J\x9b31mred\u202e", "--admin")
    shown = syncline("keys", "list")
    assert (shown.code, "\ufffd[2J\ufffd" in shown.out) == (0, True)
    assert not {"\x1b", "\x9b", "\u202e"} & set(shown.out)
