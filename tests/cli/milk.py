"""The document that the tests of ``doc`` are about: how it is made, and what it shows then."""

MILK = ("title=Milk", "done=false", "--text", "notes=two pints", "--counter", "votes=1", "--set", "tags=shop,urgent")
KEPT = {"done": False, "notes": "two pints", "tags": ["shop", "urgent"], "title": "Milk", "votes": 1}
