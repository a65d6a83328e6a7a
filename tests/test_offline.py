"""The tests themselves cannot reach another machine, so that nothing passes here because of a network."""

import socket
import subprocess
import sys

import pytest

ASK = """
import socket, sys
for ask in (lambda: socket.create_connection(("192.0.2.1", 80), 2), lambda: socket.getaddrinfo("example.org", 80),
            lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))):
    try:
        ask()
    except PermissionError as error:
        print(error)
"""


def test_nothing_but_this_machine_can_be_asked():
    for ask in (
        lambda: socket.create_connection(("192.0.2.1", 80), 2),
        lambda: socket.create_connection(("2001:db8::1", 80), 2),
        lambda: socket.getaddrinfo("example.org", 80),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53)),
    ):
        with pytest.raises(PermissionError, match="the tests are offline"):
            ask()


def test_nor_by_a_python_that_a_test_starts():
    told = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True).stdout
    assert told.count("the tests are offline") == 3


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_itself_can(host):
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection((host, server.getsockname()[1]), 5) as here,
        server.accept()[0] as there,
    ):
        here.sendall(b"x")
        assert there.recv(1) == b"x"
