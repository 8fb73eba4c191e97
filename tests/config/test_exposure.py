"""What others can get at is said, with what mends it."""

from __future__ import annotations

import stat
import subprocess

import pytest

from program import command
from switchhook.config import AnswerConfig, Config, ConsoleConfig
from switchhook.config.basics import ListenAddress
from switchhook.config.exposure import open_ports, readable_problem
from switchhook.system.data_folder import DataFolder

ME, ROOT = 1000, 0
ANYWHERE = ListenAddress("0.0.0.0", 8080)
FILE, FOLDER = stat.S_IFREG, stat.S_IFDIR


@pytest.mark.parametrize(
    ("mode", "owner", "said"),
    [
        (FILE | 0o600, ME, None),
        (FILE | 0o400, ME, None),
        (FILE | 0o640, ME, "its group may read it (mode 0640): chmod 600 /s"),
        (FILE | 0o640, ROOT, None),
        (FILE | 0o440, ROOT, None),
        (FILE | 0o644, ME, "everybody on this machine may read it (mode 0644): chmod 600 /s"),
        (FILE | 0o644, ROOT, "everybody"),
        (FILE | 0o444, ROOT, "chmod 400 /s"),
        (FILE | 0o602, ME, "everybody"),
        (FOLDER | 0o700, ME, None),
        (FOLDER | 0o755, ME, "everybody on this machine may read it (mode 0755): chmod 700 /s"),
        (FOLDER | 0o750, ME, "its group"),
    ],
)
def test_who_may_read_what(mode, owner, said):
    """A file of another user that we read as its group was given to us so."""
    problem = readable_problem("/s", mode, owner, ME)
    assert (problem is None) if said is None else said in problem


def test_a_path_is_quoted_for_the_shell():
    assert "chmod 600 '/a b'" in readable_problem("/a b", FILE | 0o644, ME, ME)


def test_a_port_beyond_loopback_needs_a_proxy_that_is_named():
    proxies = Config(console=ConsoleConfig(trusted_proxies=("10.0.0.1",)))  # type: ignore[arg-type]
    assert list(open_ports(Config())) == []
    assert list(open_ports(proxies)) == []
    console = ConsoleConfig(listen=ANYWHERE, users=True)
    both = list(open_ports(Config(answer=AnswerConfig(listen=ANYWHERE), console=console)))
    assert [each.split(":")[0] for each in both] == ["answer.listen", "console.listen"]
    assert all("trusted_proxies" in each for each in both)


@pytest.fixture
def place(tmp_path):
    """A configuration with secrets that everybody may read, and a data folder likewise."""
    (tmp_path / "s.txt").write_text("cv2PzLr8Yw-8QkT3nXb5s\n")
    (tmp_path / "c.toml").write_text(
        '[answer]\nlisten = "0.0.0.0:0"\n[endpoints.a]\nsecrets = ["cv2PzLr8Yw-8QkT3nXb5s"]\n'
        '[endpoints.b]\nsecret_files = ["s.txt"]\n'
    )
    DataFolder.open(tmp_path / "data", "console").close()
    for name, mode in (("s.txt", 0o644), ("c.toml", 0o644), ("data", 0o755)):
        (tmp_path / name).chmod(mode)
    return tmp_path


@pytest.mark.process
def test_check_says_it_and_what_mends_it(place):
    """After each `chmod` that it says, there is nothing left to say of files."""

    def check():
        words = ["check", str(place / "c.toml")]
        return command(*words).err.splitlines()

    said = check()
    assert any("answer.listen: 0.0.0.0:0 takes plain HTTP" in line for line in said)
    commands = [line.partition("): ")[2] for line in said if "holds secrets" in line]
    assert [each.rpartition("/")[2] for each in commands] == ["c.toml", "s.txt", "data"]
    for each in commands:
        subprocess.run(each.split(), check=True)
    assert not [line for line in check() if "holds secrets" in line]


def test_a_configuration_that_only_names_files_may_be_read(place):
    (place / "c.toml").write_text('[endpoints.b]\nsecret_files = ["s.txt"]\n')
    said = command("check", str(place / "c.toml")).err
    assert "c.toml holds secrets" not in said
    assert "s.txt holds secrets" in said
