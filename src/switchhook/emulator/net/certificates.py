"""Certificates that nobody vouches for: what a careful caller of `https` or `wss` refuses.

Exotel wants a valid certificate of a bot (exotel-platform C.5); these show what happens without.
"""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_LONGEST_COMMON_NAME = 64  # RFC 5280, appendix A.1: ub-common-name
_KEY_USAGE = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def self_signed(
    host_names: Sequence[str], *, not_before: datetime, not_after: datetime
) -> tuple[bytes, bytes]:
    """A certificate signed by its own key, and that key, both as PEM.

    `host_names` are DNS names and IP addresses, at least one. The two times are aware; outside
    them the certificate isn't valid, so that an expired one is made with times long past. The
    key and the serial number are new at every call: `cryptography` takes no other entropy.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, host_names[0][:_LONGEST_COMMON_NAME])]
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectAlternativeName([*map(_name, host_names)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        # What strict clients want of a certificate that they are to trust (RFC 5280, 4.2.1).
        .add_extension(_KEY_USAGE, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def server_context(certificate: bytes, key: bytes) -> ssl.SSLContext:
    """What a server listens with, from PEM; the key is on disk for the moment of loading only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # The standard library loads a key from a file only. The folder is readable by its owner alone.
    with TemporaryDirectory() as folder:
        both = Path(folder, "both.pem")
        both.write_bytes(certificate + key)
        context.load_cert_chain(both)
    return context
