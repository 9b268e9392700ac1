"""Why a receiver could not be reached, in words: without addresses, answers or secrets, which errors may hold."""

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
    18: "its certificate is signed by itself; ca_file may name it",
    19: "its certificate is signed by an authority that is not known here; ca_file may name it",
    20: "its certificate is signed by an authority that is not known here; ca_file may name it",
    62: "its certificate is for another name",
    64: "its certificate is for another address",
}
_NO_TLS = {"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"}
_NO_WAY = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EADDRNOTAVAIL}


def reason_of(error: Exception) -> str:
    """A few words of ours for an error of a connection.

    >>> reason_of(ConnectionRefusedError()), reason_of(socket.gaierror())
    ('nobody answers there', 'its name is not known')
    """
    match error:
        case ssl.SSLCertVerificationError():
            return _CERTIFICATES.get(error.verify_code, "its certificate cannot be verified")
        case ssl.SSLError():
            return "it speaks no TLS there" if getattr(error, "reason", "") in _NO_TLS else "no TLS can be agreed on"
        case RemoteDisconnected() | smtplib.SMTPServerDisconnected():
            return "it hung up without an answer"
        case BadStatusLine():
            return "what it answers is no HTTP"
        case HTTPException():
            return "its answer cannot be understood"
        case smtplib.SMTPNotSupportedError():
            return f"it offers no {'encryption (STARTTLS)' if 'STARTTLS' in str(error) else 'login'}"
        case TimeoutError():
            return "it does not answer in time"
        case ConnectionRefusedError():
            return "nobody answers there"
        case ConnectionError():
            return "it broke off the connection"
        case socket.gaierror():
            return "its name is not known"
        case OSError() if error.errno in _NO_WAY:
            return "no way leads there from this machine's network"
        case OSError() if isinstance(error.errno, int) and type(error) is OSError:
            return f"the connection failed ({os.strerror(error.errno)})"
    return "the connection failed"


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """TLS that checks certificates by the system's authorities, or by those of a file alone."""
    return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))


def ca_file_fault(ca_file: Path | None) -> str | None:
    """What is wrong with a file of certificates, in a few words."""
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
