"""A receiver on loopback that dies, comes back, hangs, and answers whatever it likes."""

import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from maskedskipunet.notify.dispatcher import Dispatcher, SubscribedSink
from maskedskipunet.notify.secrets import Secret
from maskedskipunet.notify.sink import Attachments, RefusedError, RetryLaterError
from maskedskipunet.notify.webhook import WebhookSink, retry_after_s
from maskedskipunet.records.store import Records

from .conftest import PATIENCE_S, QUICK, Desk, delivery, until
from .receivers import Receiver

NONE = Attachments()
CERTIFICATE = Path(__file__).with_name("localhost.pem")  # for localhost, signed by itself, with its key; to 2126


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that takes one connection and does with it whatever it likes; gives its address."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            try:
                answer(connection)
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
    finally:
        thread.join()
        server.close()


def sink_at(url: str, **more: Any) -> WebhookSink:
    return WebhookSink(lambda: url, **{"timeout_s": PATIENCE_S} | more)


def test_a_receiver_that_dies_and_comes_back_loses_nothing_and_handles_nothing_twice(desk, receiver, caplog):
    keys = desk.life("a")
    with Dispatcher(desk.records, {"hook": SubscribedSink(desk.subscription, sink_at(receiver.url))}, backoff=QUICK):
        until(lambda: "the connection was refused" in desk.faults())
        with receiver.up():
            until(lambda: desk.count().waiting == 0)
        for event_id in ("b", "c"):
            keys += desk.life(event_id)
        until(lambda: "the connection was refused" in desk.faults())
        with receiver.up():
            receiver.steps += [(500, {}), (503, {"Retry-After": "0"}), (429, {"Retry-After": "0"}), (404, {})]
            until(lambda: desk.count().waiting == 0)
    assert sorted(receiver.handled) == sorted(keys)
    assert [key for key, message in receiver.handled.items() if message["key"] != key] == []
    assert len(receiver.requests) == len(keys) + 4
    assert "hunter2" not in caplog.text


def test_a_body_is_signed_with_its_time_so_that_a_receiver_can_check_both(receiver, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", "key")
    with receiver.up():
        sink_at(receiver.url, secret=Secret("env:HOOK_SECRET"), clock=lambda: 1234.9).send(delivery(), NONE)
    headers, body = receiver.requests[0]
    time_part, signed = headers["X-MaskedSkipUNet-Signature"].split(",v1=")
    assert time_part == "t=1234"
    assert signed == hmac.new(b"key", b"1234." + body, hashlib.sha256).hexdigest()
    assert json.loads(body) == delivery().message
    assert (headers["Idempotency-Key"], headers["Content-Type"]) == ("a:new:0", "application/json")


def test_a_secret_that_has_gone_is_named_and_nothing_is_sent_unsigned(receiver, monkeypatch):
    monkeypatch.delenv("HOOK_SECRET", raising=False)
    with receiver.up(), pytest.raises(RetryLaterError, match="HOOK_SECRET is not set"):
        sink_at(receiver.url, secret=Secret("env:HOOK_SECRET")).send(delivery(), NONE)
    assert receiver.requests == []


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 599])
def test_a_receiver_with_troubles_of_its_own_is_away_for_as_long_as_it_says(receiver, status):
    receiver.steps = [(status, {"Retry-After": "7"})]
    with receiver.up(), pytest.raises(RetryLaterError, match=f"it answers {status}") as away:
        sink_at(receiver.url).send(delivery(), NONE)
    assert away.value.retry_after_s == 7


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 422])
def test_whatever_else_is_a_refusal_and_redirects_are_not_followed(receiver, status):
    receiver.steps = [(status, {"Location": receiver.url})]
    with receiver.up(), pytest.raises(RefusedError, match=f"it answers {status}"):
        sink_at(receiver.url).send(delivery(), NONE)
    assert len(receiver.requests) == 1


def never(connection: socket.socket) -> None:
    connection.recv(1)  # until the other side hangs up


def drop_by_drop(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.02)


@pytest.mark.parametrize("answer", [never, drop_by_drop])
def test_an_answer_that_never_ends_is_given_up_in_time(answer):
    with answering(answer) as url, pytest.raises(RetryLaterError):
        sink_at(url, timeout_s=0.3).send(delivery(), NONE)


def test_a_huge_answer_is_not_read():
    def huge(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        while True:
            connection.sendall(bytes(65536))

    with answering(huge) as url:
        sink_at(url).send(delivery(), NONE)


@pytest.mark.parametrize(
    "words", [b"", b"SSH-2.0\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200]
)
def test_what_is_no_answer_leaves_the_message_waiting(words):
    with answering(lambda connection: connection.sendall(words)) as url, pytest.raises(RetryLaterError):
        sink_at(url, timeout_s=5).send(delivery(), NONE)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (None, 0),
        ("5", 5),
        (" 5 ", 5),
        ("-5", 0),
        ("soon", 0),
        ("²", 0),
        ("9" * 400, 999_999_999),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 20),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ],
)
def test_patience_is_asked_for_in_seconds_or_by_a_date(asked, seconds):
    assert retry_after_s(asked, 100.0) == seconds


def test_a_process_killed_while_it_delivers_loses_nothing_and_repeats_only_with_the_same_key(tmp_path, receiver):
    folder = tmp_path / "records"
    Records.open(folder).close()
    script = Path(__file__).with_name("delivering.py")
    command = [sys.executable, str(script), str(folder), receiver.url]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    told: set[str] = set()
    with receiver.up():
        for killed_after in (3, 20, 37):
            child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
            assert child.stdout is not None
            with child, child.stdout as said:
                while len(receiver.requests) < killed_after and (line := said.readline()):
                    told.add(line.strip())
                child.send_signal(signal.SIGKILL)
                told |= {line.strip() for line in said if line.endswith("\n")}
        with Records.open(folder) as records:
            desk = Desk(records)
            with Dispatcher(records, {"hook": SubscribedSink(desk.subscription, sink_at(receiver.url))}, backoff=QUICK):
                until(lambda: desk.count().waiting == 0)
    assert len(told) > 20
    assert told <= receiver.handled.keys()
    bodies: dict[str, set[bytes]] = {}
    for headers, body in receiver.requests:
        bodies.setdefault(headers["Idempotency-Key"], set()).add(body)
    assert {len(same) for same in bodies.values()} == {1}
    assert len(receiver.requests) - len(bodies) <= 3  # the one that each kill left in doubt


def test_a_certificate_of_ones_own_is_taken_where_it_is_named_and_refused_in_words_where_not():
    receiver = Receiver(CERTIFICATE)
    with receiver.up():
        with pytest.raises(RetryLaterError, match="its certificate is self-signed; name it with ca_file to trust it"):
            sink_at(receiver.url).send(delivery(), NONE)
        sink_at(receiver.url, ca_file=CERTIFICATE).send(delivery(), NONE)
    assert [*receiver.handled] == ["a:new:0"]


def test_an_https_address_where_plain_http_is_spoken_is_told_in_words(receiver):
    with receiver.up(), pytest.raises(RetryLaterError, match="it does not speak TLS on this port"):
        sink_at(receiver.url.replace("http:", "https:")).send(delivery(), NONE)


def test_headers_and_a_login_go_with_each_message_and_their_secrets_are_read_when_they_are_used(receiver, monkeypatch):
    monkeypatch.setenv("HOOK_TOKEN", "Bearer one")
    monkeypatch.setenv("HOOK_PASSWORD", "hunter2")
    sink = sink_at(receiver.url, headers={"Authorization": "env:HOOK_TOKEN", "Title": "Anomaly"})
    other = sink_at(receiver.url, login=("me", Secret("env:HOOK_PASSWORD")))
    with receiver.up():
        sink.send(delivery(), NONE)
        monkeypatch.setenv("HOOK_TOKEN", "Bearer two")
        sink.send(delivery(), NONE)
        other.send(delivery(), NONE)
        monkeypatch.setenv("HOOK_TOKEN", "two\r\nX: y")
        with pytest.raises(RetryLaterError, match="the value of header Authorization holds characters"):
            sink.send(delivery(), NONE)
    told = [headers["Authorization"] for headers, _ in receiver.requests]
    assert told == ["Bearer one", "Bearer two", "Basic bWU6aHVudGVyMg=="]
    assert receiver.requests[0][0]["Title"] == "Anomaly"
