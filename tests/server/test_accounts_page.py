"""The commands of ``docs/accounts.md`` run, one after the other, as somebody would type them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "accounts.md"
OATHTOOL = f"""oathtool() {{ {sys.executable} -c 'import pyotp, sys; print(pyotp.TOTP(sys.argv[1]).now())' "$3"; }}"""


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="the page uses curl and jq")
def test_every_command_of_the_page_succeeds(serve):
    server = serve()
    page = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL))
    assert page.count("$URL/") > 20
    commands = page.replace("http://localhost:8080", server.url)
    script = f"set -eux -o pipefail\nKEY={server.key}\n{OATHTOOL}\n{commands}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()[-2_000:] + done.stdout.decode()[-500:]
