"""Describes connection errors without addresses, answers or secrets, which the errors themselves may hold."""

import errno
import os
import smtplib
import socket
import ssl
from http.client import BadStatusLine, HTTPException, RemoteDisconnected
from pathlib import Path

_CERTIFICATES = {  # by OpenSSL's number; source: openssl-verification-options(1), X509_verify_cert_error_string(3)
    9: "its certificate is not valid yet, by this machine's clock",
    10: "its certificate has expired, by this machine's clock",
    18: "its certificate is self-signed; name it with ca_file to trust it",
    19: "its certificate is signed by an unknown authority; name it with ca_file to trust it",
    20: "its certificate is signed by an unknown authority; name it with ca_file to trust it",
    62: "its certificate is for another name",
    64: "its certificate is for another address",
}
_NO_TLS = {"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"}
_NO_WAY = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EADDRNOTAVAIL}


def reason_of(error: Exception) -> str:
    """Return a short text of our own for an error of a connection.

    >>> reason_of(ConnectionRefusedError()), reason_of(socket.gaierror())
    ('the connection was refused', 'its name cannot be resolved')
    """
    match error:
        case ssl.SSLCertVerificationError():
            return _CERTIFICATES.get(error.verify_code, "its certificate cannot be verified")
        case ssl.SSLError():
            return (
                "it does not speak TLS on this port"
                if getattr(error, "reason", "") in _NO_TLS
                else "no TLS can be agreed on"
            )
        case RemoteDisconnected() | smtplib.SMTPServerDisconnected():
            return "it closed the connection without an answer"
        case BadStatusLine():
            return "its answer is not HTTP"
        case HTTPException():
            return "its answer cannot be understood"
        case smtplib.SMTPNotSupportedError():
            return f"it offers no {'encryption (STARTTLS)' if 'STARTTLS' in str(error) else 'login'}"
        case TimeoutError():
            return "it did not answer in time"
        case ConnectionRefusedError():
            return "the connection was refused"
        case ConnectionError():
            return "it closed the connection"
        case socket.gaierror():
            return "its name cannot be resolved"
        case OSError() if error.errno in _NO_WAY:
            return "it cannot be reached from this machine's network"
        case OSError() if isinstance(error.errno, int) and type(error) is OSError:
            return f"the connection failed ({os.strerror(error.errno)})"
    return "the connection failed"


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return a TLS context that trusts the system's authorities, or only those of a file."""
    return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))


def ca_file_fault(ca_file: Path | None) -> str | None:
    """Return what is wrong with a file of certificates, in a few words."""
    if ca_file is None:
        return None
    if not ca_file.is_file():
        return f"ca_file {ca_file} is no file"
    try:
        tls_context(ca_file)
    except ssl.SSLError:
        return f"ca_file {ca_file} holds no certificate"
    except OSError as error:
        return f"ca_file {ca_file} cannot be read ({error.strerror})"
    return None
