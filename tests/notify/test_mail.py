"""A mail server on loopback, small enough to read."""

import email
import email.policy
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import get_args

import pytest

from maskedskipunet.monitor.monitor_events import Fault
from maskedskipunet.monitor.recorder import DRIFT, LOST
from maskedskipunet.notify.dispatcher import Dispatcher, SubscribedSink
from maskedskipunet.notify.mail import STATE_SUBJECTS, MailServer, MailSink
from maskedskipunet.notify.secrets import Secret
from maskedskipunet.notify.sink import Attachments, RefusedError, RetryLaterError
from maskedskipunet.records.subscriptions import FAULTS, StateChoice

from .conftest import PICTURE, QUICK, delivery, until

NONE = Attachments()


class Server:
    """Takes mail; answers each command as told, else kindly."""

    def __init__(self) -> None:
        self.mails: list[email.message.EmailMessage] = []
        self.commands: list[str] = []
        self.answers: dict[str, str] = {}
        self.features: list[str] = []
        self.port = 0

    @contextmanager
    def up(self) -> Iterator[None]:
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def say(self, text: str) -> None:
                self.wfile.write(text.encode() + b"\r\n")

            def handle(self) -> None:
                self.say("220 here")
                while line := self.rfile.readline().decode().strip():
                    command = line[:4].upper()
                    server.commands.append(line)
                    if command == "EHLO":
                        lines = ["here", *server.features]
                        for number, feature in enumerate(lines):
                            self.say(f"250{' ' if number == len(lines) - 1 else '-'}{feature}")
                    elif command in server.answers:
                        self.say(server.answers[command])
                    elif command == "DATA":
                        self.say("354 go on")
                        content = b""
                        while (part := self.rfile.readline()) not in (b".\r\n", b""):
                            content += part
                        server.mails.append(email.message_from_bytes(content, policy=email.policy.default))
                        self.say("250 taken")
                    else:
                        self.say("221 bye" if command == "QUIT" else "250 yes")

        with socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Handler) as listening:
            self.port = listening.server_address[1]
            thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield
            finally:
                listening.shutdown()
                thread.join()


@pytest.fixture
def server() -> Server:
    return Server()


def sink_at(server: Server, **more) -> MailSink:
    how = {"host": "127.0.0.1", "port": server.port, "security": "none"} | more
    return MailSink(
        MailServer(**how), sender="watch@example.org", to=["me@example.org", "you@example.org"], timeout_s=20
    )


def test_an_event_is_a_mail_with_its_picture_and_an_id_that_stays_the_same(server, tmp_path):
    picture = tmp_path / "a.jpg"
    picture.write_bytes(PICTURE)
    told = delivery(message={"has_picture": True})
    with server.up():
        for _ in range(2):
            sink_at(server).send(told, Attachments(picture=picture))
    first, second = server.mails
    assert first["Message-ID"] == second["Message-ID"] == "<a.new.0@maskedskipunet>"
    assert (first["From"], first["To"]) == ("watch@example.org", "me@example.org, you@example.org")
    assert first["Subject"] == "door: something unusual"
    (attached,) = first.iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == ("a.jpg", PICTURE)
    assert "Highest score: 0.4" in first.get_body().get_content()


def test_a_picture_on_its_way_is_waited_for_once(server):
    with server.up():
        with pytest.raises(RetryLaterError, match="the picture is not written yet"):
            sink_at(server).send(delivery(message={"has_picture": True}), NONE)
        sink_at(server).send(delivery(message={"has_picture": True}, attempts=1), NONE)
    assert len(server.mails) == 1


@pytest.mark.parametrize(
    ("command", "answer", "error"),
    [
        ("MAIL", "451 later", RetryLaterError),
        ("DATA", "452 full", RetryLaterError),
        ("DATA", "554 no", RefusedError),
        ("RCPT", "550 nobody", RefusedError),
    ],
)
def test_what_the_server_answers_says_whether_to_wait_or_to_go_on(server, command, answer, error):
    server.answers[command] = answer
    with server.up(), pytest.raises(error, match=answer[:3]):
        sink_at(server).send(delivery(), NONE)


def test_no_mail_and_no_password_goes_out_unencrypted_where_encryption_is_asked_for(server, monkeypatch):
    monkeypatch.setenv("MAIL_PASSWORD", "hunter2")
    server.features = ["AUTH PLAIN LOGIN"]
    with server.up(), pytest.raises(RetryLaterError, match=r"it offers no encryption \(STARTTLS\)"):
        sink_at(server, security="starttls", username="me", password=Secret("env:MAIL_PASSWORD")).send(delivery(), NONE)
    assert server.mails == []
    assert {line[:4] for line in server.commands} <= {"ehlo", "EHLO", "QUIT", "quit"}


def test_a_login_that_fails_is_told_without_the_password(server, monkeypatch):
    monkeypatch.setenv("MAIL_PASSWORD", "hunter2")
    server.features, server.answers["AUTH"] = ["AUTH PLAIN"], "535 wrong hunter2"
    with server.up(), pytest.raises(RetryLaterError) as away:
        sink_at(server, username="me", password=Secret("env:MAIL_PASSWORD")).send(delivery(), NONE)
    assert str(away.value) == "the server refuses the login (535)"


def test_a_server_that_comes_back_gets_the_mails_that_wait(desk, server):
    with server.up():
        pass
    desk.tell("new", "a")
    with Dispatcher(desk.records, {"hook": SubscribedSink(desk.subscription, sink_at(server))}, backoff=QUICK):
        until(lambda: any("cannot be reached" in str(fault) for fault in desk.faults()))
        with server.up():
            until(lambda: desk.count().delivered == 1)
    assert [mail["Message-ID"] for mail in server.mails] == ["<a.new.0@maskedskipunet>"]


def of_state(phase, **more):
    message = {"kind": "state", "state": "dark", "detail": "contrast 2 of 255"} | more
    return delivery(event_id="state-1", phase=phase, sequence=int(phase == "end"), message=message)


def test_a_state_of_a_camera_is_a_mail_in_words(server):
    with server.up():
        for phase in ("new", "end"):
            sink_at(server).send(of_state(phase), NONE)
        sink_at(server).send(of_state("new", state="a state of a later version"), NONE)
    assert [mail["Subject"] for mail in server.mails] == [
        "door: the picture is black or covered",
        "door: no longer: the picture is black or covered",
        "door: a state of a later version",
    ]
    assert "contrast 2 of 255" in server.mails[0].get_body().get_content()


def test_every_state_that_a_camera_may_be_in_can_be_chosen_and_has_words():
    states = {LOST, DRIFT, *get_args(Fault)}
    assert states == {*get_args(StateChoice)} - {"all"} == {*FAULTS, "night"} == {*STATE_SUBJECTS}
