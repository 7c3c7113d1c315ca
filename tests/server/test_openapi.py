"""The description for machines says what the server really serves."""

from syncline.server.app import ADDRESSES, DESCRIBED

RESOLVES = "#/components/schemas/"


def test_every_address_and_method_is_described(open_server):
    described = open_server.request("GET", "/openapi.json").json["paths"]
    served = {
        (path, method.lower())
        for address in ADDRESSES
        for path in address.paths
        for method in address.handlers
        if path.startswith("/v1/") or path in ("/livez", "/readyz")
    }
    assert {(path, method) for path, methods in described.items() for method in methods} == served


def test_it_says_which_routes_ask_for_no_credentials(open_server):
    described = open_server.request("GET", "/openapi.json").json["paths"]
    without = {path for path, methods in described.items() for each in methods.values() if each.get("security") == []}
    assert without == {path for address in DESCRIBED if address.is_public for path in address.paths}
    assert "/v1/auth/login" in without


def test_every_reference_resolves_and_every_operation_has_a_name(open_server):
    document = open_server.request("GET", "/openapi.json").json
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))
    assert {reference.removeprefix(RESOLVES) for reference in references(document)} <= set(
        document["components"]["schemas"]
    )


def references(value):
    if isinstance(value, dict):
        yield from (each for key, each in value.items() if key == "$ref")
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)
