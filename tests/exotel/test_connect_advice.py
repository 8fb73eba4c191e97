"""What TLS stumbled over, in words for whoever looks after the bot."""

from __future__ import annotations

import pytest

from switchhook.exotel.connect_advice import closed_advice, connect_advice
from switchhook.exotel.stream_error import ErrorKind, read_error

GO_DATES = "x509: certificate has expired or is not yet valid"


@pytest.mark.parametrize(
    "text, advice",
    [
        (f"{GO_DATES}: current time 2026-11-29T03:00:00Z is after 2026-11-28T00:00:00Z",
         "has expired"),
        (f"{GO_DATES}: current time 2026-11-29T03:00:00Z is before 2026-12-01T00:00:00Z",
         "is not valid yet"),
        (GO_DATES, "has expired or is not valid yet"),
        ("CERT_HAS_EXPIRED", "has expired"),
        ("CERT_NOT_YET_VALID", "is not valid yet"),
        ("certificate verify failed: certificate is not yet valid", "is not valid yet"),
        ("CertificateExpiredException: NotAfter: Sat Nov 28 23:59:59 IST 2026", "has expired"),
        ("CertificateNotYetValidException: NotBefore: Tue Dec 01", "is not valid yet"),
        ("certificate verify failed: certificate revoked", "is revoked"),
        ("x509: certificate is valid for a.example, not bot.example", "to another name"),
        ("x509: certificate is not valid for any names, but wanted to match b", "to another name"),
        ("x509: cannot validate certificate for 192.0.2.7 because it doesn't contain any IP SANs",
         "to another name"),
        ("ERR_TLS_CERT_ALTNAME_INVALID", "to another name"),
        ("certificate verify failed: Hostname mismatch, certificate not valid", "to another name"),
        ("No subject alternative DNS name matching bot.example found.", "to another name"),
        ("remote error: tls: unrecognized name", "to another name"),
        ("DEPTH_ZERO_SELF_SIGNED_CERT", "is self-signed"),
        ("certificate verify failed: self-signed certificate in its chain", "is self-signed"),
        ("x509: certificate signed by unknown authority", "does not know who signed"),
        ("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "does not know who signed"),
        ("unable to get local issuer certificate", "does not know who signed"),
        ("PKIX path building failed: unable to find valid certification path", "does not know who"),
        ("remote error: tls: bad certificate", "asks for a client's certificate"),
        ("tls: client certificate required", "asks for a client's certificate"),
        ("tls: handshake failure", "no version or cipher"),
        ("remote error: tls: protocol version not supported", "no version or cipher"),
        ("tls: something new", "is its certificate valid"),
    ],
)  # fmt: skip
def test_tls_that_fails_says_over_what(text, advice):
    said = connect_advice(ErrorKind.TLS, text, "bot.example:443")
    assert advice in said
    assert "bot.example:443" in said


@pytest.mark.parametrize(
    "text, advice",
    [
        ("tls: first record does not look like a TLS handshake", "whose port speaks none"),
        ("400 The plain HTTP request was sent to HTTPS port", "write wss:// in the bot's URL"),
    ],
)
def test_tls_and_plain_that_met_are_no_matter_of_certificates(text, advice):
    said = connect_advice(read_error(text).kind, text, "bot.example:443")
    assert advice in said
    assert "its certificate" not in said


def test_a_connection_that_broke_without_a_code_has_advice_too():
    assert "broke during the talk" in closed_advice(None, "bot.example")
