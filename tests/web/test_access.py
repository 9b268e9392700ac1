"""Who may do what: logins and their limit, roles, tokens of forms, hosts, sizes, and what hostile requests get."""

import base64
import sqlite3
from typing import Any

import pytest

from maskedskipunet.errors import ConfigError, RecordsError
from maskedskipunet.records import users
from maskedskipunet.web import guard
from maskedskipunet.web.access import COOKIE, hash_of
from maskedskipunet.web.passwords import hash_password, is_password
from maskedskipunet.web.server import require_login
from maskedskipunet.web.settings import PageSettings

PASSWORD = "a long password"
READING = [
    "/live",
    "/review",
    "/events/a",
    "/events/a/clip.mp4",
    "/events/a/heat.png",
    "/events/a/reconstruction.jpg",
    "/kinds",
    "/runs",
    "/learning",
    "/timeline",
    "/calibration",
    "/",
]
WRITING = [
    "/events/a/answer",
    "/answers",
    "/kinds/answer",
    "/undo",
    "/learning/preview",
    "/calibration/use",
    "/calibration/back",
]


def basic(name: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def test_on_this_machine_alone_nobody_has_to_log_in_until_there_is_a_user(site: Any, browser: Any) -> None:
    assert browser.get("/review").status_code == 200

    site.add_user("ann")

    assert browser.get("/review").headers["location"] == "/login?next=%2Freview"
    assert browser.get("/api/v1/events").status_code == 401
    assert browser.get("/metrics").status_code == 401
    assert browser.get("/health").status_code == 200


@pytest.mark.parametrize("path", [path for path in READING if path != "/"])
def test_no_page_shows_anything_to_somebody_who_has_not_logged_in(site: Any, browser: Any, path: str) -> None:
    site.add_user("ann")

    answer = browser.get(path)

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?next=")
    assert answer.content == b""


@pytest.mark.parametrize("path", WRITING)
def test_no_change_is_made_for_somebody_who_has_not_logged_in(site: Any, browser: Any, path: str) -> None:
    site.add_user("ann")

    answer = browser.send(path, event="a", answer="anomaly", camera="door", kind="a")

    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Flive")
    assert site.records.event("a").answer is None


@pytest.mark.parametrize("path", WRITING)
def test_a_viewer_looks_and_changes_nothing(site: Any, path: str) -> None:
    site.add_user("vic", "viewer")
    viewer = site.logged_in("vic")

    assert viewer.get("/review").status_code == 200
    assert "/answer" not in viewer.get("/review").text
    assert viewer.send(path, event="a", answer="anomaly", camera="door", kind="a").status_code == 403
    assert site.records.event("a").answer is None


@pytest.mark.parametrize("path", WRITING)
@pytest.mark.parametrize("token", ["", "wrong", "ü"])
def test_a_form_without_the_pages_token_is_refused(site: Any, browser: Any, path: str, token: str) -> None:
    browser.csrf = token

    assert browser.send(path, event="a", answer="anomaly", camera="door", kind="a").status_code == 403
    assert site.records.event("a").answer is None


def test_the_token_of_one_session_is_not_that_of_another(site: Any) -> None:
    site.add_user("ann")
    ann, other = site.logged_in("ann"), site.logged_in("ann")
    ann.csrf, other.csrf = other.csrf, ann.csrf

    assert ann.send("/events/a/answer", answer="anomaly").status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://example.org"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_change_that_another_site_asks_for_is_refused(site: Any, browser: Any, headers: dict[str, str]) -> None:
    fields = {"csrf": browser.csrf, "answer": "anomaly"}

    assert browser.client.post("/events/a/answer", data=fields, headers=headers).status_code == 403
    assert site.records.event("a").answer is None
    own = {"origin": "http://127.0.0.1:8420", "sec-fetch-site": "same-origin"}
    assert browser.client.post("/events/a/answer", data=fields, headers=own).status_code == 303


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8420", "127.0.0.1.evil.example", "", "localhost.evil"])
def test_a_name_that_another_site_has_led_here_is_refused(browser: Any, host: str) -> None:
    assert browser.get("/review", headers={"host": host}).status_code == 421


def test_own_names_are_known_with_any_port_and_further_ones_by_choice(open_site: Any) -> None:
    site = open_site(host_names=("Cams.Example.org",))
    site.add_user("ann")
    for host in ("localhost", "127.0.0.1:1", "[::1]:8420", "cams.example.org", "CAMS.example.ORG:443"):
        assert site.browser().get("/login", headers={"host": host}).status_code == 200, host


def test_a_request_that_another_server_passes_on_needs_a_login(browser: Any) -> None:
    for name in ("x-forwarded-for", "forwarded", "via", "x-forwarded-host"):
        assert browser.get("/review", headers={name: "10.0.0.1"}).status_code == 303


def test_where_others_reach_the_page_it_does_not_start_without_a_user(open_site: Any) -> None:
    for changed in ({"host": "0.0.0.0"}, {"host": "::"}, {"host_names": ("cams.example.org",)}):
        site = open_site(**changed)
        with pytest.raises(ConfigError, match=r"there is no user.*users add NAME"):
            require_login(site.page)
        host = "cams.example.org" if "host_names" in changed else "10.0.0.3"
        assert site.browser().get("/review", headers={"host": host}).status_code == 303


def test_settings_that_cannot_be_are_refused(tmp_path: Any) -> None:
    with pytest.raises(ConfigError, match="is no IP address"):
        PageSettings(records=tmp_path, host="localhost")
    with pytest.raises(ConfigError, match="is no port"):
        PageSettings(records=tmp_path, port=70_000)


# -- logging in -------------------------------------------------------------------------------------------------------


def test_a_login_sets_a_cookie_out_of_reach_of_scripts_and_goes_on(site: Any, browser: Any) -> None:
    site.add_user("ann")

    answer = browser.client.post("/login", data={"name": "ann", "password": PASSWORD, "next": "/events/a"})

    cookie = answer.headers["set-cookie"].lower()
    assert (answer.status_code, answer.headers["location"]) == (303, "/events/a")
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie
    assert browser.get("/events/a").status_code == 200


def test_behind_tls_the_cookie_is_never_sent_without(site: Any) -> None:
    site.add_user("ann")
    browser = site.browser(base_url="https://127.0.0.1:8420")

    answer = browser.client.post("/login", data={"name": "ann", "password": PASSWORD})

    assert "secure" in answer.headers["set-cookie"].lower()


def test_the_database_holds_neither_passwords_nor_what_a_cookie_holds(site: Any, filled: Any) -> None:
    site.add_user("ann")
    browser = site.logged_in("ann")
    token = browser.client.cookies[COOKIE]

    connection = sqlite3.connect(filled.folder / "records.db")
    dump = "\n".join(connection.iterdump())
    connection.close()

    assert hash_of(token) in dump
    assert token not in dump
    assert PASSWORD not in dump
    assert "$argon2id$" in dump


def test_logging_out_ends_the_session_for_good(site: Any) -> None:
    site.add_user("ann")
    browser = site.logged_in("ann")
    token = browser.client.cookies[COOKIE]

    browser.client.post("/logout")

    browser.client.cookies.set(COOKIE, token)
    assert browser.get("/review").status_code == 303


def test_removing_a_user_ends_its_sessions(site: Any) -> None:
    site.add_user("ann")
    site.add_user("ben")
    browser = site.logged_in("ann")

    users.remove_user(site.records, "ann")

    assert browser.get("/review").status_code == 303


def test_a_session_that_nobody_uses_ends(site: Any, filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now_unix_s = [1.8e9]
    monkeypatch.setattr(site.records, "clock", lambda: now_unix_s[0])
    site.add_user("ann")
    browser = site.logged_in("ann")

    now_unix_s[0] += users.IDLE_S - 60
    assert browser.get("/review").status_code == 200
    now_unix_s[0] += users.IDLE_S - 60
    assert browser.get("/review").status_code == 200
    now_unix_s[0] += users.IDLE_S + 60
    assert browser.get("/review").status_code == 303


@pytest.mark.parametrize("name", ["ann", "nobody"])
def test_after_some_wrong_passwords_even_the_right_one_has_to_wait(
    site: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    now_unix_s = [1.8e9]
    monkeypatch.setattr(site.records, "clock", lambda: now_unix_s[0])
    site.add_user("ann")
    browser = site.browser()

    def log_in(password: str) -> Any:
        return browser.client.post("/login", data={"name": name, "password": password})

    statuses = [log_in("wrong password").status_code for _ in range(7)]
    assert statuses == [401] * 5 + [429] * 2
    assert log_in(PASSWORD).status_code == 429
    assert int(log_in(PASSWORD).headers["retry-after"]) == 30
    now_unix_s[0] += 31
    assert log_in(PASSWORD).status_code == (303 if name == "ann" else 401)


def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(site: Any, browser: Any) -> None:
    site.add_user("ann")

    wrong = [
        browser.client.post("/login", data={"name": name, "password": "wrong password"}).text.replace(
            f'"{name}"', '"NAME"'
        )
        for name in ("ann", "somebody-else")
    ]

    assert wrong[0] == wrong[1]


def test_a_program_sends_its_password_with_each_request_and_needs_no_token(site: Any, browser: Any) -> None:
    site.add_user("ann")
    site.add_user("vic", "viewer")
    path, body = "/api/v1/events/a/answer", {"answer": "anomaly"}

    assert browser.client.post(path, json=body, headers=basic("ann", PASSWORD)).status_code == 200
    assert browser.client.post(path, json=body, headers=basic("vic", PASSWORD)).status_code == 403
    assert browser.client.post(path, json=body, headers=basic("ann", "wrong")).status_code == 401
    assert browser.client.post(path, json=body, headers={"authorization": "Basic !!"}).status_code == 401
    assert browser.client.get("/metrics", headers=basic("vic", PASSWORD)).status_code == 200
    assert site.records.event("a").answered_by == "ann"


def test_names_and_passwords_of_users_are_checked(site: Any) -> None:
    for name in ("", "a b", "-x", "ü", "x" * 65, "a\nb"):
        with pytest.raises(RecordsError, match="is no name of a user"):
            users.add_user(site.records, name, "hash", "viewer")
    site.add_user("ann")
    with pytest.raises(RecordsError, match="already a user 'ANN'"):
        users.add_user(site.records, "ANN", "hash", "viewer")
    with pytest.raises(RecordsError, match="There are: ann"):
        users.remove_user(site.records, "ben")
    for password in ("short", "x" * 1001):
        with pytest.raises(ConfigError, match="a password of"):
            hash_password(password)
    assert not is_password("x" * 5000, hash_password(PASSWORD))


# -- hostile requests -------------------------------------------------------------------------------------------------

TRAVERSAL = [
    "/events/../records.db",
    "/events/..%2f..%2frecords.db/clip.mp4",
    "/events/%2e%2e/clip.mp4",
    "/events/..%5c..%5crecords/clip.mp4",
    "/events/a%00/clip.mp4",
    "/events/a/../../../records.db",
    "/events/..%2f..%2frecords/heat.png",
    "/events/%2e%2e/reconstruction.jpg",
    "/events/a%2fclip.mp4/clip.mp4",
    "/events/.turn/clip.mp4",
    "/static/../app.py",
    "/static/%2e%2e/app.py",
    "/static/..%2fapp.py",
    "/static//etc/passwd",
    "/static/%2fetc/passwd",
    "/runs/../../etc/files/passwd",
    "/runs/one/files/../config.yaml",
    "/runs/one/files/plots/../../config.yaml",
    "/runs/one/files/plots/%2e%2e/config.yaml",
    "/runs/one/files/config.yaml",
    "/runs/%2e%2e/files/plots/all.png",
    "/runs/one/files/plots/away.png",
    "/runs/away/files/plots/all.png",
    "/cameras/..%2f..%2frecords/picture.jpg",
    "/timeline/..%2f..%2fdoor/data?start=1&end=2",
    "//etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
]


@pytest.mark.parametrize("path", TRAVERSAL)
def test_no_path_leads_out_of_its_folder(site: Any, browser: Any, tmp_path: Any, path: str) -> None:
    run = tmp_path / "runs" / "one"
    (run / "plots").mkdir(parents=True)
    (run / "config.yaml").write_text("secret: secret in config\n")
    (tmp_path / "secret.png").write_text("secret picture")
    (run / "plots" / "away.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "runs" / "away").symlink_to(run)

    answer = browser.get(path)

    assert answer.status_code in (400, 404, 409), answer.text
    assert "secret" not in answer.text
    assert "root:" not in answer.text
    assert "import" not in answer.text


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("clip", "clip.mp4"),
        ("picture", "picture.jpg"),
        ("heat_map", "heat.png"),
        ("reconstruction", "reconstruction.jpg"),
    ],
)
def test_a_link_in_the_place_of_a_file_is_not_followed_out_of_the_records(
    filled: Any, browser: Any, tmp_path: Any, name: str, address: str
) -> None:
    (tmp_path / "secret.mp4").write_text("secret")
    recorded = filled.records.event("a")
    path = getattr(filled.records.folder.files("a", recorded.began_unix_s), name)
    path.unlink(missing_ok=True)
    path.symlink_to(tmp_path / "secret.mp4")

    assert browser.get(f"/events/a/{address}").status_code == 404
    exported = browser.get("/events/a/export.html").text
    assert "secret" not in exported
    assert base64.b64encode(b"secret").decode() not in exported


@pytest.mark.parametrize("address", ["/api/v1/events/a\\b", "/api/v1/cameras/%1f/curve"])
def test_the_api_refuses_an_address_that_is_none_in_json_too(browser: Any, address: str) -> None:
    answer = browser.get(address)

    assert answer.status_code == 400
    assert answer.json()["what"] == "That is no address of this page."


def test_records_that_are_a_link_themselves_are_served(open_site: Any, filled: Any, tmp_path: Any) -> None:
    (tmp_path / "link").symlink_to(filled.folder)

    assert open_site(records=tmp_path / "link").browser().get("/events/a/clip.mp4").status_code == 200


def test_a_request_that_is_too_large_is_refused(site: Any, browser: Any) -> None:
    def without_length() -> Any:
        for _ in range(40):
            yield b"a" * 10_000

    form = {"content-type": "application/x-www-form-urlencoded"}
    large = "answer=" + "a" * guard.MOST_BODY_BYTES

    assert browser.client.post("/events/a/answer", content=large, headers=form).status_code == 413
    assert browser.client.post("/events/a/answer", content=without_length(), headers=form).status_code == 413
    assert browser.client.post("/api/v1/undo", content=without_length(), headers=form).status_code in (400, 413)
    many = "&".join(f"event=e{number}" for number in range(5000))
    assert browser.client.post("/answers", content=many, headers=form).status_code == 400
    assert browser.get("/review?camera=" + "x" * 500).status_code == 400
    assert browser.get("/" + "x" * 3000).status_code == 400


def test_a_request_that_comes_too_slowly_is_given_up(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    monkeypatch.setattr(guard, "BODY_TIMEOUT_S", 0.05)
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(30)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/x-www-form-urlencoded")]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/events/a/answer", "raw_path": b"/events/a/answer", "query_string": b"", "root_path": "",
        "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8420), "state": {},
    }  # fmt: skip
    asyncio.run(site.app(scope, receive, send))

    assert sent[0]["status"] == 413


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "CONNECT"])
def test_other_methods_are_refused(browser: Any, method: str) -> None:
    assert browser.client.request(method, "/events/a").status_code == 405


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/api/v1/events/a/answer", b"{"),
        ("/api/v1/events/a/answer", b"[]"),
        ("/api/v1/events/a/answer", b'{"answer": 1}'),
        ("/api/v1/events/a/answer", b"\xff\xfe"),
        ("/api/v1/events/a/answer", b"[" * 50_000),
        ("/api/v1/answers", b'{"answer": "normal", "events": []}'),
        ("/api/v1/answers", b'{"answer": "normal", "events": ["a", 7]}'),
        ("/api/v1/undo", b'{"action": 5}'),
    ],
)
def test_malformed_json_is_refused_in_words(site: Any, browser: Any, path: str, content: bytes) -> None:
    headers = {"content-type": "application/json", "x-csrf-token": browser.csrf}

    answer = browser.client.post(path, content=content, headers=headers)

    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"what", "where", "cure"}


def test_malformed_forms_are_refused_in_words(browser: Any) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    for content, headers in (
        (b"\xff", form),
        (b"a=%ff", form),
        (b"{}", {"content-type": "application/json"}),
        (b"", {}),
    ):
        assert browser.client.post("/answers", content=content, headers=headers).status_code in (400, 403)


def test_an_error_that_nobody_expected_shows_no_detail(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from starlette.testclient import TestClient

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(site.records, "page", fail)
    client = TestClient(site.app, base_url="http://127.0.0.1:8420", raise_server_exceptions=False)

    for path in ("/review", "/api/v1/events"):
        answer = client.get(path)
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert "Traceback" not in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]
