import socket
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.errors import ConfigError
from maskedskipunet.notify.building import build_sinks
from maskedskipunet.notify.config import SETTINGS
from maskedskipunet.notify.mail import MailSettings
from maskedskipunet.notify.secrets import Secret
from maskedskipunet.notify.sink_parsing import read_sinks
from maskedskipunet.notify.webhook import WebhookSettings

CERTIFICATE = str(Path(__file__).with_name("localhost.pem"))
HOOK = {"type": "webhook", "url": "https://example.org/hook"}


@pytest.fixture(autouse=True)
def secrets(monkeypatch, tmp_path):
    monkeypatch.setenv("TOKEN", "hunter2")
    (tmp_path / "secret").write_text("hunter3\nsecond line\n")
    (tmp_path / "empty").write_text("")
    return tmp_path


def one(**told):
    (sink,) = read_sinks({"a": told})
    return sink


def test_a_sink_of_each_kind_is_read_and_built(desk, secrets):
    sinks = read_sinks(
        {
            "out": {"type": "lines"},
            "nas": {"type": "folder", "path": str(secrets / "clips")},
            "hook": HOOK | {"secret": "env:TOKEN"},
            "home": {"type": "mqtt", "host": "broker", "username": "me", "password": f"file:{secrets}/secret"},
            "mail": {"type": "mail", "host": "smtp.example.org", "sender": "a@example.org", "to": "b@example.org"},
        }
    )
    assert [sink.subscription.sink for sink in sinks] == ["out", "nas", "hook", "home", "mail"]
    assert sinks[3].settings.password.reveal() == "hunter3"
    subscribed_sinks = build_sinks(sinks, desk.records, ["door"])
    assert [*subscribed_sinks] == ["out", "nas", "hook", "home", "mail"]
    for subscribed in subscribed_sinks.values():
        subscribed.sink.close()
    assert {type(sink.settings) for sink in sinks} | {SETTINGS["metrics"]} == set(SETTINGS.values())


def test_settings_are_what_the_kind_has_where_nothing_is_said():
    mail = one(type="mail", host="h", sender="a@b.c", to=["d@e.f"])
    assert (mail.subscription.phases, mail.subscription.events_per_hour) == (("new",), 12)
    assert one(**HOOK).subscription.phases == ("new", "update", "end")
    assert one(type="folder", path="x").subscription.phases == ("end",)


def test_values_may_be_text_as_a_plain_reader_gives_them():
    sink = one(**HOOK, timeout_s="2.5", events_per_hour="3", phases=["end"], waiting_s=60, update_every_s="0")
    assert (sink.settings.timeout_s, sink.subscription.events_per_hour, sink.subscription.waiting_s) == (2.5, 3, 60.0)
    assert one(type="mqtt", host="h", tls="true", discovery="").settings.tls is True


def test_a_sink_is_told_of_the_states_that_it_names_and_mqtt_of_all_faults():
    assert one(**HOOK).subscription.states == ()
    assert one(**HOOK, states=["lost", "dark"], states_after_s=60).subscription.states == ("lost", "dark")
    assert one(**HOOK, states="all").subscription.takes_state("night")
    home = one(type="mqtt", host="h").subscription
    assert (home.takes_state("moved"), home.takes_state("night")) == (True, False)
    assert one(type="mqtt", host="h", states=[]).subscription.states == ()


def test_headers_login_and_certificates_are_checked_and_no_secret_among_them_is_repeated(tmp_path):
    (tmp_path / "words.pem").write_text("no certificate")
    sound = one(**HOOK, headers={"Title": "x", "Priority": 5, "Authorization": "env:TOKEN"}, ca_file=CERTIFICATE)
    assert sound.settings.headers == {"Title": "x", "Priority": "5", "Authorization": "env:TOKEN"}
    mail = {"type": "mail", "host": "h", "sender": "a@b.c", "to": "d@e.f"}
    wrong = {
        "a": HOOK | {"headers": {"Authorization": "hunter2", "X-Api-Key": "hunter2", "no name": "x", "Host": "x"}},
        "b": HOOK | {"headers": "hunter2"},
        "c": HOOK | {"username": "me"},
        "d": HOOK | {"username": "me", "password": "env:TOKEN", "headers": {"authorization": "env:TOKEN"}},
        "e": {"type": "webhook", "url": "http://h/x", "ca_file": CERTIFICATE},
        "f": HOOK | {"ca_file": str(tmp_path / "words.pem")},
        "g": mail | {"ca_file": str(tmp_path / "none.pem")},
        "h": mail | {"ca_file": CERTIFICATE, "security": "none"},
        "i": {"type": "mqtt", "host": "h", "birth": "a/#"},
        "j": HOOK | {"states": ["gone"]},
    }
    with pytest.raises(ConfigError) as error:
        read_sinks(wrong)
    told = str(error.value)
    for fault in (
        "a: header Authorization: name a secret as",
        "a: header X-Api-Key: name a secret as",
        "a: 'no name' is not the name of a header",
        "a: header Host is set by the sink itself",
        "b: headers must be a mapping of names to texts",
        "c: username and password belong together",
        "d: give a login or a header Authorization, not both",
        "e: ca_file needs an https address",
        "words.pem holds no certificate",
        "none.pem is no file",
        "h: ca_file needs starttls or ssl",
        "i: birth is not an MQTT topic",
        "j: states must be one of all, lost",
    ):
        assert fault in told
    assert "hunter2" not in told


def test_every_fault_of_every_sink_is_told_at_once(secrets):
    with pytest.raises(ConfigError) as error:
        read_sinks(
            {
                "a": {"type": "webhok"},
                "b": HOOK | {"secret": "hunter2", "timeout": 5, "timeout_s": 0, "phases": ["new", "over"]},
                "c": {"type": "mail", "host": "a b", "port": 70000, "sender": "nobody", "to": []},
                "d": {"type": "mqtt", "host": "h", "password": "env:NOT_SET", "topic": "a/#"},
                "e": "lines",
                "f": {"type": "folder"},
                "g": {"type": "webhook", "url": "https://me:hunter2@example.org/x", "events_per_hour": "many"},
                "h": {"type": "metrics", "host": "everywhere"},
                "i": {"type": "webhook", "url": f"file:{secrets}/empty"},
            },
            "cameras.yaml, sinks",
        )
    told = str(error.value)
    for fault in (
        "a: type must be one of lines, folder",
        "b: there is no setting 'timeout', perhaps you mean timeout_s",
        "b: name a secret as env:NAME or file:/path instead of writing it out",
        "b: timeout_s must be above 0",
        "b: phases must be one of new, update, end",
        "c: host is not the name",
        "c: port must be 1 to 65535",
        "c: to names no recipient",
        "c: nobody is not a mail address",
        "d: the environment variable NOT_SET is not set",
        "d: a password needs a username",
        "d: topic is not an MQTT topic",
        "e: settings are missing",
        "f: path is missing",
        "g: url holds a user or password",
        "g: events_per_hour must be a number",
        "h: host is not an IP address",
        "i: the secret's file",
    ):
        assert fault in told
    assert told.startswith("cameras.yaml, sinks: ")
    assert "hunter2" not in told
    assert "\n" not in told


@pytest.mark.parametrize("wrong", [None, [], "lines", 3])
def test_what_is_no_mapping_is_refused(wrong):
    with pytest.raises(ConfigError, match="sinks must be a mapping"):
        read_sinks(wrong)


@pytest.mark.parametrize(
    "url", ["", "ftp://h/x", "http://", "http://h:99999/", "http://h:0/", "http://[::1", "http://h/a b", "http://h/é"]
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ConfigError, match="url"):
        WebhookSettings(url=url)


def test_an_address_may_be_a_secret_itself(monkeypatch):
    monkeypatch.setenv("HOOK", "https://example.org/hook?token=hunter2")
    sink = one(type="webhook", url="env:HOOK")
    assert "hunter2" not in repr(sink)
    assert sink.settings.address().endswith("hunter2")


def test_a_password_is_not_sent_in_the_open():
    with pytest.raises(ConfigError, match="a password is not sent without starttls or ssl"):
        MailSettings(
            host="h", sender="a@b.c", to=("d@e.f",), security="none", username="me", password=Secret("env:TOKEN")
        )


def test_a_secret_never_shows_itself(secrets):
    assert "hunter2" not in repr(Secret("hunter2")) + str(Secret("hunter2"))
    for reference in (
        f"file:{secrets}/none",
        f"file:{secrets}",
        f"file:{secrets}/empty",
        "env:",
        "file:relative",
        "hunter2",
    ):
        with pytest.raises(ConfigError) as error:
            Secret(reference).reveal()
        assert "hunter2" not in str(error.value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(
    ["url", "host", "port", "to", "sender", "path", "password", "phases", "tls", "timeout_s", "ca_file"]
)


@given(st.sampled_from([*SETTINGS]), st.dictionaries(names | st.text(max_size=8), anything, max_size=6))
def test_whatever_is_configured_is_a_sink_or_one_clear_error(kind, told):
    sinks = ()
    with suppress(ConfigError):  # and no other error
        sinks = read_sinks({"a": told | {"type": kind}})
    assert all(isinstance(sink.settings, SETTINGS[kind]) for sink in sinks)


def test_an_address_in_use_is_refused_and_what_was_built_before_is_closed(desk):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        sinks = read_sinks({"out": {"type": "lines"}, "m": {"type": "metrics", "port": taken.getsockname()[1]}})
        with pytest.raises(ConfigError, match="the address cannot be used"):
            build_sinks(sinks, desk.records, [])


def test_relative_paths_stay_relative():
    assert one(type="folder", path="clips").settings.path == Path("clips")
