"""The service asks the authenticator, and a first start makes what the administrator needs."""

import pytest

from syncline.errors import Unauthorized
from syncline.server.service import Service
from syncline.server.settings import Settings


async def test_the_first_start(tmp_path):
    service = Service(Settings(data=str(tmp_path / "data")), makes_key=True)
    service.start()
    assert service.user_of(service.first_key) == ".root"
    assert service.authenticator.accounts.setup_tokens.redeem(service.first_setup_token) == ("", ".root")
    with pytest.raises(Unauthorized):
        service.user_of(None)
    await service.stop()

    again = Service(Settings(data=str(tmp_path / "data"), open=True), makes_key=True)
    again.start()
    assert (again.first_key, again.first_setup_token) == (None, None)
    assert (again.user_of(service.first_key), again.user_of(None)) == (".root", "anyone")
    await again.stop()
