"""Reasons are words of ours, whatever goes wrong."""

import errno
import smtplib
import socket
import ssl
from http.client import BadStatusLine, IncompleteRead, RemoteDisconnected
from pathlib import Path

import pytest

from maskedskipunet.notify.connection_errors import ca_file_fault, reason_of


def not_verified(code):
    error = ssl.SSLCertVerificationError("hunter2")
    error.verify_code = code
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError("hunter2"), "the connection was refused"),
        (ConnectionResetError("hunter2"), "it closed the connection"),
        (BrokenPipeError("hunter2"), "it closed the connection"),
        (TimeoutError("hunter2"), "it did not answer in time"),
        (socket.gaierror("hunter2"), "its name cannot be resolved"),
        (OSError(errno.EHOSTUNREACH, "hunter2"), "it cannot be reached from this machine's network"),
        (OSError(errno.EMFILE, "hunter2"), "the connection failed (Too many open files)"),
        (OSError("hunter2"), "the connection failed"),
        (RemoteDisconnected("hunter2"), "it closed the connection without an answer"),
        (BadStatusLine("hunter2"), "its answer is not HTTP"),
        (IncompleteRead(b"hunter2"), "its answer cannot be understood"),
        (smtplib.SMTPServerDisconnected("hunter2"), "it closed the connection without an answer"),
        (smtplib.SMTPNotSupportedError("SMTP AUTH extension not supported by server."), "it offers no login"),
        (not_verified(10), "its certificate has expired, by this machine's clock"),
        (not_verified(18), "its certificate is self-signed; name it with ca_file to trust it"),
        (not_verified(62), "its certificate is for another name"),
        (not_verified(1), "its certificate cannot be verified"),
        (ssl.SSLError("hunter2"), "no TLS can be agreed on"),
        (ValueError("hunter2"), "the connection failed"),
    ],
)
def test_an_error_of_a_connection_is_told_in_words_that_hold_nothing_of_it(error, words):
    assert reason_of(error) == words


def test_a_file_of_certificates_that_is_none_is_refused_before_it_is_used(tmp_path):
    (tmp_path / "words.pem").write_text("no certificate")
    assert "is no file" in ca_file_fault(tmp_path)
    assert "holds no certificate" in ca_file_fault(tmp_path / "words.pem")
    assert ca_file_fault(None) is None
    assert ca_file_fault(Path(__file__).with_name("localhost.pem")) is None
