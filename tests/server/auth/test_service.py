"""The service asks the authenticator, and a first start makes what the administrator needs."""

import pytest

from syncline.errors import Unauthorized
from syncline.server.service import Service
from syncline.server.settings import Settings


def nobody():
    raise AssertionError("no host app asks")


async def test_the_first_start(tmp_path):
    service = Service(Settings(data=str(tmp_path / "data")), makes_key=True)
    service.start()
    assert (await service.identify(service.first_key, nobody)).user == ".root"
    assert service.authenticator.accounts.setup_tokens.redeem(service.first_setup_token) == ("", ".root")
    with pytest.raises(Unauthorized):
        await service.identify(None, nobody)
    await service.stop()

    again = Service(Settings(data=str(tmp_path / "data"), open=True), makes_key=True)
    again.start()
    assert (again.first_key, again.first_setup_token) == (None, None)
    assert (await again.identify(service.first_key, nobody)).user == ".root"
    assert (await again.identify(None, nobody)).user == "anyone"
    await again.stop()
