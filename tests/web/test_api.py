"""The JSON below api/v1 holds every record whole, and its index and page name every file."""

import json
from pathlib import Path

import msgspec
import pytest

from kiloframe.results import Result
from kiloframe.schema import Dataset, Method, Metric
from kiloframe.web import api


@pytest.fixture(scope="module")
def built(cat, tmp_path_factory):
    out = tmp_path_factory.mktemp("docs")
    result = Result(slug="fdm", title="FDM", scale="toy", seed=0, seeds=[0])
    results = {"fdm": (result, Path("results/fdm"), False)}
    return out, api.write(cat, results, out) + api.write_page(cat, results, out)


def read(built, name):
    data = json.loads((built[0] / "api/v1" / name).read_text(encoding="utf-8"))
    assert data["schema_version"] == api.API_VERSION
    return data


@pytest.mark.parametrize(("kind", "struct"), [("methods", Method), ("datasets", Dataset), ("metrics", Metric)])
def test_records_come_back_whole(built, cat, kind, struct):
    records = getattr(cat, kind)
    together = read(built, f"{kind}.json")
    assert together["count"] == len(records) and list(together["records"]) == list(records)
    for slug, record in records.items():
        assert msgspec.convert(read(built, f"{kind}/{slug}.json")["record"], struct) == record
        assert msgspec.convert(together["records"][slug], struct) == record


def test_survey_references_and_results(built, cat):
    assert read(built, "survey.json")["record"] == json.loads(json.dumps(cat.survey))
    assert read(built, "references.json")["records"] == cat.references
    run = read(built, "results/fdm.json")
    assert run["frozen"] is False and run["record"]["scale"] == "toy"


def test_index_names_every_file(built):
    named = {"index.json"}
    for endpoint in read(built, "index.json")["endpoints"]:
        named |= {endpoint["path"].replace("{slug}", slug) for slug in endpoint.get("slugs", ["{slug}"])}
    there = {path.relative_to(built[0] / "api/v1").as_posix() for path in (built[0] / "api/v1").rglob("*.json")}
    assert named == there


def test_the_page_documents_every_endpoint(built):
    page = (built[0] / "api/json/index.md").read_text(encoding="utf-8").replace("&#123;", "{").replace("&#125;", "}")
    for endpoint in read(built, "index.json")["endpoints"]:
        assert f"<code>/api/v1/{endpoint['path']}</code>" in page
