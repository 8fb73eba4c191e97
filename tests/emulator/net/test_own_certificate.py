"""The emulator's own certificate: made once, renewed in time, trusted by who is told of it."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from switchhook.emulator.net.own_certificate import EXOTELS, default_folder, own_certificate
from switchhook.emulator.net.serving import serving
from switchhook.errors import ConfigError

NOW = datetime.now(UTC)


def test_it_is_made_once_with_a_key_for_its_owner_only(tmp_path):
    folder = tmp_path / "new" / "one"
    made = own_certificate(folder, "127.0.0.1", NOW)
    first = made.file.read_bytes()
    assert (folder / "key.pem").stat().st_mode & 0o777 == 0o600
    assert own_certificate(folder, "127.0.0.1", NOW).file.read_bytes() == first
    assert sorted(file.name for file in folder.iterdir()) == ["certificate.pem", "key.pem"]


@pytest.mark.parametrize("spoil", ["late", "other host", "no key", "damaged"])
def test_it_is_made_anew_where_it_is_no_good(tmp_path, spoil):
    made = own_certificate(tmp_path, "127.0.0.1", NOW)
    first = made.file.read_bytes()
    if spoil == "no key":
        (tmp_path / "key.pem").unlink()
    if spoil == "damaged":
        made.file.write_bytes(first[:100])
    later = NOW + timedelta(days=360 * (spoil == "late"))
    host = "emulator.test" if spoil == "other host" else "127.0.0.1"
    assert own_certificate(tmp_path, host, later).file.read_bytes() != first


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", *EXOTELS])
def test_a_strict_client_that_trusts_it_is_served_by_each_name(tmp_path, name):
    made = own_certificate(tmp_path, "127.0.0.1", NOW)
    context = ssl.create_default_context(cafile=str(made.file))
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # what Python 3.13 does by itself

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def main():
        async with serving(app, ssl_context=made.context) as served:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", served.port, ssl=context, server_hostname=name
            )
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            said = await reader.readline()
            writer.close()
            return said

    assert asyncio.run(main()).startswith(b"HTTP/1.1 204")


def test_nobody_else_trusts_it(tmp_path):
    made = own_certificate(tmp_path, "127.0.0.1", NOW)

    async def main():
        async with serving(lambda *_: None, ssl_context=made.context) as served:
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.open_connection("127.0.0.1", served.port, ssl=True)

    asyncio.run(main())


def test_a_folder_that_cannot_be_used_is_named(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigError, match="no certificate can be kept") as caught:
        own_certificate(file, "127.0.0.1", NOW)
    assert caught.value.key == "--certificate"


def test_its_place_is_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "switchhook/emulator"
