"""What is administered in the data directory is told by the logs of a server that runs, in its order."""

import json

from syncline.server.register.acts import ActTable
from syncline.server.registry import open_registry
from tests.server.accounts import root
from tests.server.running import eventually


def administer(server, *acts):
    """What another program leaves in the register."""
    registry = open_registry(server.data, "", lambda: 1)
    for space, action in acts:
        ActTable(registry.database).add(space, ".user.ann", action)
    registry.close()


def waiting(server):
    registry = open_registry(server.data, "", lambda: 1)
    try:
        return [act.action for act in ActTable(registry.database).waiting()]
    finally:
        registry.close()


def told(server, space):
    return [action for _, _, action, _ in root(server, space).log()]


def test_a_space_that_is_not_there_yet_holds_up_its_own_acts_alone(serve):
    server = serve(create_spaces=False)
    administer(server, ("later", ".user.suspend"), ("default", ".user.create"), ("later", ".user.resume"))
    eventually(lambda: told(server, "default") == [".user.create"])
    eventually(lambda: waiting(server) == [".user.suspend", ".user.resume"])
    server.request("POST", "/v1/spaces", json.dumps({"name": "later"}), server.bearer())
    administer(server, ("default", ".user.setup"))  # at the next look
    eventually(lambda: told(server, "later") == [".user.suspend", ".user.resume"])
    eventually(lambda: waiting(server) == [])


def test_an_act_for_whose_space_there_is_no_room_is_told_when_there_is(serve):
    server = serve(max_open_spaces=1)
    server.request("POST", "/v1/spaces", json.dumps({"name": "later"}), server.bearer())
    with server.session("default", token=server.key):
        administer(server, ("later", ".user.create"))
        eventually(lambda: "is not told in later yet" in server.log())
    eventually(lambda: waiting(server) == [])
    assert told(server, "later") == [".user.create"]


def test_acts_about_a_space_that_was_deleted_are_dropped(serve):
    server = serve()
    server.request("POST", "/v1/spaces", json.dumps({"name": "gone"}), server.bearer())
    server.request("DELETE", "/v1/spaces/gone", headers=server.bearer())
    administer(server, ("gone", ".user.suspend"), ("default", ".user.create"))
    eventually(lambda: told(server, "default") == [".user.create"])
    eventually(lambda: waiting(server) == [])


def test_what_was_noted_while_no_server_ran_is_told_at_its_start(serve):
    server = serve()
    server.stop()
    administer(server, ("default", ".user.create"))
    server.start()
    eventually(lambda: told(server, "default") == [".user.create"])
