"""What the API shows of itself: documentation, headers, logs."""

from __future__ import annotations

import logging
import re
import subprocess
import sys

import pytest

from features.live.posted import PostedEvent

pytestmark = pytest.mark.integration


def test_openapi_describes_every_address_with_its_errors(client):
    schema = client.get("/openapi.json").json()
    assert set(schema["paths"]) == {
        "/v1/users/{user_id}/recommendations",
        "/v1/users/{user_id}/interest",
        "/v1/events",
        "/v1/model",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    for path in schema["paths"].values():
        for operation in path.values():
            assert operation["description"]
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"]
    asked = schema["paths"]["/v1/users/{user_id}/recommendations"]["get"]["parameters"]
    (limit,) = [one for one in asked if one["in"] == "query"]
    assert (limit["schema"]["minimum"], limit["schema"]["maximum"], limit["schema"]["default"]) == (1, 100, 10)
    body = schema["paths"]["/v1/events"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    event, events = body["anyOf"]
    assert event["examples"]
    assert events["maxItems"] == 1000
    assert client.get("/openapi.json").json() == schema


def test_the_documentation_and_its_link(client):
    page = client.get("/docs")
    assert page.status_code == 200
    assert "(/openapi.json)" in client.get("/openapi.json").json()["info"]["description"]


def test_the_documentation_needs_nothing_from_elsewhere(client):
    page = client.get("/docs").text
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(addresses) >= 3
    for address in addresses:
        assert address.startswith("/")
        assert client.get(address).status_code == 200


def test_the_example_of_an_event_is_one():
    example = PostedEvent.model_json_schema()["examples"][0]
    assert set(example) <= set(PostedEvent.model_fields)


def test_the_fields_of_an_event_are_those_of_the_schema():
    from features.events.schema import EVENT

    assert set(PostedEvent.model_fields) <= set(EVENT.names)


@pytest.mark.parametrize("path", ["/healthz", "/v1/nothing", "/v1/users/regular/interest"])
def test_headers_that_harden(client, path):
    headers = client.get(path, headers={"Origin": "https://elsewhere.example"}).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers


def test_logs_name_users_by_pseudonym_alone(client, caplog):
    with caplog.at_level(logging.INFO, logger="penchant"):
        for _ in range(2):
            client.get("/v1/users/mrs-secret/recommendations")
        client.post("/v1/events", json={"user_id": "mrs-secret", "item_id": "i001", "event_type": "view"})
    lines = [record.getMessage() for record in caplog.records if "/recommendations" in record.getMessage()]
    assert len(lines) == 2
    names = {line.rpartition("user=")[2] for line in lines}
    assert len(names) == 1
    assert names.pop().startswith("u-")
    assert "mrs-secret" not in caplog.text


def test_a_failing_database_does_not_log_ids(shop, opened, caplog):
    with opened(shop, shop.without_servers) as client:
        client.get("/v1/users/mrs-secret/recommendations")
        client.post("/v1/events", json={"user_id": "mrs-secret", "item_id": "i001", "event_type": "view"})
    assert "mrs-secret" not in caplog.text


def test_requests_are_measured_by_route_and_not_by_user(client):
    client.get("/v1/users/mrs-secret/recommendations")
    client.get("/v1/nothing")
    text = client.get("/metrics").text
    assert 'route="/v1/users/{user_id}/recommendations",status="200"} ' in text
    assert 'route="unmatched",status="404"' in text
    assert "mrs-secret" not in text


def test_importing_the_app_loads_nothing_heavy_and_does_nothing():
    code = (
        "import sys, serving.app, serving.connect\n"
        "heavy = {'tensorflow', 'mlflow', 'feast', 'great_expectations', 'airflow'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
