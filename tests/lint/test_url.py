import pytest

from kiloframe.lint import url


@pytest.mark.parametrize("name", ["methods/fdm", "datasets/kth", "metrics/fvd"])
def test_web_addresses_pass(problems_of, name):
    assert problems_of(url.check, name) == []


@pytest.mark.parametrize(
    "address",
    ["github.com/x", "javascript:alert(1)", "ftp://host.org/x", "https://", "https://a b.org", "https://u:p@h.org"],
)
def test_everything_else_is_refused(problems_of, address):
    change = ("project: https://fdmolv.github.io", f"project: '{address}'")
    assert problems_of(url.check, "methods/fdm", change) == [
        f"catalogue/methods/fdm.yaml:17: urls.project: {address!r} is no web address; write https://host/path, "
        "or null for unknown"
    ]
