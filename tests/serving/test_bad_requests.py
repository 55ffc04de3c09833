"""Every bad request ends in a problem document that says what is wrong, and changes nothing."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import func, select

from infra.database import engine
from infra.tables import inbox

pytestmark = pytest.mark.integration

GOOD = {"user_id": "bad-requests", "item_id": "i001", "event_type": "view"}


@pytest.fixture(scope="module")
def shop(make_shop):
    return make_shop()


@pytest.fixture(scope="module")
def client(shop, opened):
    with opened(shop) as client:
        yield client


def rows(settings):
    found = engine(settings)
    try:
        with found.connect() as connection:
            return connection.scalar(select(func.count()).select_from(inbox))
    finally:
        found.dispose()


@pytest.fixture
def refused(client, shop, problem_of):
    """Posts a body, holds that it is refused with a status and that nothing changed; gives the problem."""

    def post(content, status, media_type="application/json"):
        before = rows(shop.settings), client.get("/v1/users/bad-requests/interest").json()
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        document = problem_of(client.post("/v1/events", content=body, headers={"Content-Type": media_type}), status)
        assert (rows(shop.settings), client.get("/v1/users/bad-requests/interest").json()) == before
        return document

    return post


@pytest.fixture
def refused_field(refused):
    """Posts an event with one field changed; gives what the problem says about that field."""

    def post(field, value):
        document = refused({**GOOD, field: value}, 422)
        assert document["errors_total"] == 1
        assert document["errors"][0]["field"] == field
        return document["errors"][0]["message"]

    return post


@pytest.mark.parametrize("limit", ["0", "-1", "101", "1000000"])
def test_a_limit_out_of_range_is_told_the_range(client, problem_of, limit):
    document = problem_of(client.get("/v1/users/regular/recommendations", params={"limit": limit}), 422)
    assert document["detail"] == f"limit: must be from 1 to 100, not {limit}"
    assert document["errors"] == [{"field": "limit", "message": f"must be from 1 to 100, not {limit}"}]


@pytest.mark.parametrize("limit", ["ten", "1.5", "", "NaN", "1e1", "9" * 5000])
def test_a_limit_that_is_no_number(client, problem_of, limit):
    document = problem_of(client.get("/v1/users/regular/recommendations", params={"limit": limit}), 422)
    assert document["errors"][0]["field"] == "limit"


def test_a_misspelt_parameter(client, problem_of):
    document = problem_of(client.get("/v1/users/regular/recommendations?limt=5"), 422)
    assert document["errors"][0]["field"] == "limt"


@pytest.mark.parametrize("what", ["recommendations", "interest"])
@pytest.mark.parametrize("user_id", ["x" * 10_240, "x" * 257, "a%00b", "a%0Ab", "a%1Bb", "a%7Fb", "%C2%85"])
def test_a_user_id_that_is_too_long_or_holds_control_characters(client, problem_of, user_id, what):
    document = problem_of(client.get(f"/v1/users/{user_id}/{what}"), 422)
    assert document["errors"][0]["field"] == "user_id"
    assert len(document["detail"]) < 300


def test_no_user_id(client, problem_of):
    problem_of(client.get("/v1/users//recommendations"), 422)


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/users/regular", "/v1/users/regular/recommendations/", "/%00"])
def test_an_address_that_does_not_exist(client, problem_of, path):
    problem_of(client.get(path), 404)


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/users/regular/interest"), ("GET", "/v1/events")])
def test_a_method_that_an_address_does_not_have(client, problem_of, method, path):
    answer = client.request(method, path)
    problem_of(answer, 405)
    assert answer.headers["allow"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"not json", b"\xff\xfe", b"{'user_id': 1}", b"[" * 100_000, b'{"a": 1} x', b'{"user_id": "\\ud800"}'],
    ids=["empty", "cut", "words", "no-utf8", "single-quotes", "nested", "more-behind", "half-a-character"],
)
def test_a_body_that_is_not_json(refused, body):
    assert refused(body, 400)["detail"].startswith("The body is not JSON: ")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_none(refused, number):
    assert "not JSON" in refused(json.dumps(GOOD)[:-1].encode() + f', "rating": {number}}}'.encode(), 400)["detail"]


def test_a_number_too_large_to_be_one(refused):
    refused(json.dumps(GOOD)[:-1].encode() + b', "rating": 1e999}', 422)


def test_a_body_of_another_type(refused):
    assert "application/json" in refused(GOOD, 415, "text/plain")["detail"]


def test_a_body_that_is_too_long(refused, shop):
    most = shop.settings.api_body_bytes
    assert str(most) in refused(b'"' + b"x" * most + b'"', 413)["detail"]


def test_a_body_that_never_says_how_long_it_is(client, shop, problem_of):
    pieces = (b"x" * 65_536 for _ in range(shop.settings.api_body_bytes // 65_536 + 1))
    problem_of(client.post("/v1/events", content=pieces, headers={"Content-Type": "application/json"}), 413)


@pytest.mark.parametrize("content", [3, "event", None, True, {}, [[]], [None]])
def test_json_that_is_no_event(refused, content):
    assert refused(content, 422)["errors"]


def test_an_empty_list_and_one_too_long(refused, shop):
    most = shop.settings.api_batch_events
    for content in ([], [GOOD] * (most + 1)):
        assert refused(content, 422)["detail"] == f"body: a list must hold 1 to {most} events, not {len(content)}"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_id", 13085),
        ("user_id", 13085.0),
        ("item_id", ["i001"]),
        ("event_type", None),
        ("occurred_at", 1291900000),
        ("session_id", {}),
        ("dwell_ms", "3"),
        ("dwell_ms", 3.5),
        ("dwell_ms", True),
        ("quantity", "two"),
        ("price", 2.95),
        ("currency", 1),
        ("rating", "5"),
        ("text", 5),
    ],
)
def test_wrong_types(refused_field, field, value):
    assert refused_field(field, value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dwell_ms", -1),
        ("quantity", 0),
        ("quantity", -1),
        ("quantity", 10**30),
        ("price", -1),
        ("price", 10**9 + 1),
        ("rating", -0.5),
        ("rating", 10.5),
        ("currency", "pounds"),
        ("currency", "gbp"),
        ("event_type", "stare"),
        ("event_type", ""),
        ("user_id", ""),
        ("text", "x" * 10_001),
    ],
)
def test_values_out_of_range(refused_field, field, value):
    assert refused_field(field, value)


@pytest.mark.parametrize("field", ["event_id", "user_id", "item_id", "session_id"])
@pytest.mark.parametrize(
    "value", ["x" * 10_240, "a\x00b", "a\nb", "\x7f", "\u0085"], ids=["10kB", "0", "n", "7f", "85"]
)
def test_ids_that_are_too_long_or_hold_control_characters(refused_field, field, value):
    assert refused_field(field, value)


def test_text_may_have_lines_but_no_other_control_characters(refused_field):
    assert refused_field("text", "good\x00bad") == "must not hold control characters"


@pytest.mark.parametrize("moment", ["2010-12-10T09:01:01+00:00", "2010-12-10T10:00:00Z", "9999-12-31T23:59:59Z"])
def test_times_after_the_clock(refused_field, moment):
    assert "after the shop's clock" in refused_field("occurred_at", moment)


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00Z", "1989-12-31T23:59:59+00:00", "0001-01-01T00:00:00+14:00"])
def test_times_before_1990(refused_field, moment):
    assert refused_field("occurred_at", moment) == "must not be before 1990-01-01"


@pytest.mark.parametrize("moment", ["2010-12-10T08:00:00", "2010-12-10", "1291900000", "yesterday", ""])
def test_times_that_are_no_moments(refused_field, moment):
    assert refused_field("occurred_at", moment)


def test_an_item_is_needed_by_all_but_login_and_search(refused, client):
    assert "item_id is needed" in refused({"user_id": "bad-requests", "event_type": "cart"}, 422)["detail"]
    login = client.post("/v1/events", json={"user_id": "bad-requests-login", "event_type": "login"})
    assert login.status_code == 202


def test_unknown_fields(refused_field):
    assert refused_field("colour", "red")


def test_one_bad_event_keeps_a_whole_list_out_and_is_named(refused):
    document = refused([GOOD, {**GOOD, "rating": "x"}, {**GOOD, "quantity": 0}], 422)
    assert [error["field"] for error in document["errors"]] == ["[1].rating", "[2].quantity"]


def test_a_thousand_bad_events_are_counted_and_some_listed(refused):
    document = refused([{**GOOD, "rating": "x"}] * 1000, 422)
    assert document["errors_total"] == 1000
    assert len(document["errors"]) == 20


def test_a_long_name_is_not_sent_back(refused):
    document = refused({**GOOD, "x" * 100_000: 1}, 422)
    assert len(json.dumps(document)) < 2000


def test_what_nobody_expected_is_a_problem_without_a_trace(client, problem_of, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("the word is sesame")

    monkeypatch.setattr(client.app.state.service, "model", fail)
    document = problem_of(client.get("/v1/model"), 500)
    assert "sesame" not in json.dumps(document)
    assert document["instance"].removeprefix("urn:uuid:") in caplog.text
    assert "the word is sesame" in caplog.text
