"""The README's Python runs, as a newcomer would run it."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_first_example_syncs(serve, tmp_path, capsys):
    server = serve()
    example = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[1]
    for ours, theirs in {
        "http://localhost:8080": f"http://127.0.0.1:{server.port}",
        "sk_…": server.key,
        "notes.db": str(tmp_path / "notes.db"),
    }.items():
        assert ours in example
        example = example.replace(ours, theirs)
    exec(example)
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in printed] == [[str(number), ".root"] for number in (1, 2, 3, 4)]
    assert "urgent" in printed[2]
    assert "remove" in printed[3]
