import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@pytest.fixture
def receiver():
    """A webhook that keeps what is posted; answers 401 to whoever does not say who it is."""
    posted = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200 if "Authorization" in self.headers else 401)
            self.end_headers()

        def log_message(self, *_):
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_address[1], posted
    server.shutdown()
    server.server_close()
    thread.join()


def cameras(place, sinks):
    path = place / "cameras.yaml"
    path.write_text(f"model: not/trained/yet\ncameras: {{door: rtsp://10.0.0.5/x}}\nsinks: {json.dumps(sinks)}\n")
    return path


def test_each_sink_gets_one_test_message_and_says_what_came_of_it(cli, place, receiver, monkeypatch):
    port, posted = receiver
    monkeypatch.setenv("HOOK_TOKEN", "Bearer hunter2")
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/x"
    sinks = {
        "hook": {"type": "webhook", "url": url, "headers": {"Authorization": "env:HOOK_TOKEN"}},
        "stranger": {"type": "webhook", "url": url},
        "nas": {"type": "folder", "path": str(place / "nas")},
        "post": {
            "type": "mail", "host": "127.0.0.1", "port": closed, "security": "none", "sender": "a@b.c", "to": ["d@e.f"]
        },
    }  # fmt: skip
    answer = cli("sinks", "test", "--config", cameras(place, sinks), "--json", "s.json")
    assert answer.code == 1
    assert answer.out.splitlines() == [
        "hook: delivered",
        "stranger: not delivered, it answers 401",
        "nas: delivered",
        "post: not delivered, the server cannot be reached: the connection was refused",
    ]
    assert {message["kind"] for message in posted} == {"test"}
    assert "test message" in posted[0]["text"]
    assert len([*(place / "nas").iterdir()]) == 1
    assert json.loads((place / "s.json").read_text())["sinks"][0] == {"sink": "hook", "fault": None}
    assert "hunter2" not in answer.out + answer.err
    assert not (place / "records").exists()
    alone = cli("sinks", "test", "nas", "--config", cameras(place, sinks))
    assert (alone.code, alone.out) == (0, "nas: delivered\n")


def test_a_broker_that_is_not_there_is_told_in_words(cli, place):
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = free.getsockname()[1]
    path = cameras(place, {"home": {"type": "mqtt", "host": "127.0.0.1", "port": closed}})
    answer = cli("sinks", "test", "--config", path)
    assert answer.out == "home: not delivered, the broker cannot be reached: the connection was refused\n"


def test_sinks_that_there_are_not_are_refused(cli, place):
    path = cameras(place, {"nas": {"type": "folder", "path": str(place / "nas")}})
    assert "there is no sink 'hook'" in cli("sinks", "test", "hook", "--config", path).refusal()
    assert "no sink is named" in cli("sinks", "test", "--config", cameras(place, {})).refusal()
    assert "--config PATH must be given" in cli("sinks", "test").refusal()
