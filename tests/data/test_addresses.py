import pickle
import traceback
from string import printable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.errors import ConfigError

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        (f"rtsp://me:{SECRET}@camera/live", "stream", "rtsp://camera/live"),
        (f"rtsps://{SECRET}@camera:7441/a/b?token={SECRET}#{SECRET}", "stream", "rtsps://camera:7441/a/b"),
        (f"http://10.0.0.7/video.cgi?user=me&pwd={SECRET}", "stream", "http://10.0.0.7/video.cgi"),
        (f"rtsp://nvr/user=me&password={SECRET}&channel=1", "stream", "rtsp://nvr/user=***&password=***&channel=***"),
        ("rtsp://[::1]:8554/x", "stream", "rtsp://[::1]:8554/x"),
        ("usb:1", "usb", "usb:1"),
        ("/dev/video2", "usb", "usb:2"),
        ("room.mp4", "file", "room.mp4"),
        ("file:///a%20b.mp4", "file", "/a b.mp4"),
    ],
)
def test_an_address_shows_where_it_leads_and_nothing_secret(text: str, kind: str, shown: str) -> None:
    address = CameraAddress.parse(text)

    assert (address.kind, str(address), repr(address)) == (kind, shown, f"CameraAddress({shown!r})")
    assert SECRET not in f"{address} {address!r} {[address]}"


def test_the_whole_address_reaches_another_process_as_it_is() -> None:
    address = CameraAddress.parse(f"rtsp://me:{SECRET}@camera/live?x=1")

    assert pickle.loads(pickle.dumps(address)).secret_url == f"rtsp://me:{SECRET}@camera/live?x=1"


def test_a_password_from_the_environment_may_hold_any_sign() -> None:
    address = CameraAddress.parse("rtsp://${USER}:${WORD}@camera/x", environment={"USER": "me", "WORD": "a/b@c#:d"})

    assert address.secret_url == "rtsp://me:a%2Fb%40c%23%3Ad@camera/x"
    assert str(address) == "rtsp://camera/x"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"rtsp://me:{SECRET}@", "names no host"),
        (f"rtsp://me:{SECRET}@camera:port/", "a port that cannot be"),
        (f"rtsp://me:12#{SECRET}@camera/", "an @ too many, or too late"),
        (f"rtsp://me:{SECRET}/x@camera/", "an @ too many, or too late"),
        (f"rtsp://me:{SECRET}@x@camera/", "an @ too many, or too late"),
        (f"rtsp://me:{SECRET} x@camera/", "a blank or a control character"),
        (f"rtmp://me:{SECRET}@camera/", "no such kind of stream"),
        (f"rtsp://me:{SECRET}${{NOT_THERE}}@camera/", "NOT_THERE is not set"),
        ("", "the path is empty"),
    ],
)
def test_an_address_that_cannot_be_is_refused_without_showing_it(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        CameraAddress.parse(text, "cameras[0].source", environment={})

    assert str(caught.value).startswith("cameras[0].source: ")
    assert SECRET not in "".join(traceback.format_exception(caught.value)).partition("\nmaskedskipunet.errors")[2]


@given(st.text(printable, min_size=8), st.text(printable, min_size=8))
def test_whatever_a_user_and_a_password_are_they_are_not_shown(user: str, password: str) -> None:
    try:
        address = CameraAddress.parse(f"rtsp://Q{user}Q:Q{password}Q@camera/live", environment={})
    except ConfigError as error:
        shown = str(error)
    else:
        shown = f"{address} {address!r}"

    assert f"Q{user}Q" not in shown
    assert f"Q{password}Q" not in shown
