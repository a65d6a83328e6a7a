"""What our runs found about claims, as the filters and tables read it."""

import pytest

from kiloframe import UserError, sources
from kiloframe.verdicts import VERDICTS, summary, verdicts


def test_every_claim_has_a_verdict_and_it_is_that_of_the_result(cat, root):
    for slug in ("fdm", "sora"):
        method = cat.methods[slug]
        found = verdicts(method)
        assert list(found) == [claim.id for claim in method.claims] and set(found.values()) <= set(VERDICTS)
        run = sources.latest_result(slug, root)
        told = {claim.id: claim.verdict for claim in run[0].claims} if run else {}
        assert {id: told.get(id, "not run") for id in found} == {id: v.replace("-", " ") for id, v in found.items()}


def test_verdicts_are_counted_in_words(cat):
    assert summary(cat.methods["sora"]) == f"{len(cat.methods['sora'].claims)} not run"
    told = summary(cat.methods["fdm"])
    assert sum(int(part.split()[0]) for part in told.split(", ")) == len(cat.methods["fdm"].claims)


def test_without_results_nothing_is_told(cat, monkeypatch):
    def gone(slug):
        raise UserError("this needs a checkout")

    monkeypatch.setattr(sources, "latest_result", gone)
    assert summary(cat.methods["fdm"]) is None and verdicts(cat.methods["fdm"], missing_ok=True) == {}
    with pytest.raises(UserError, match="checkout"):
        cat.methods.where(verdict="held")


def test_sql_knows_the_verdicts(cat):
    _, rows = cat.query("select id, verdict from claims where method = 'fdm'")
    assert dict(rows) == verdicts(cat.methods["fdm"])
    _, rows = cat.query("select distinct method from claims where verdict = 'not_held'")
    assert {slug for (slug,) in rows} == set(cat.methods.where(verdict="not-held"))
