"""No test reaches beyond this machine: sockets connect to loopback alone, in the tests and in every Python they start.

Python imports a module of this name by itself where its folder is on PYTHONPATH, which conftest.py sees to.
"""

import ipaddress
import os
import socket


def _refuse(address: object) -> None:
    host = address[0] if isinstance(address, tuple) and address else None
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if not isinstance(host, str) or host in ("", "localhost", socket.gethostname()):  # others are files of this machine
        return
    try:
        local = ipaddress.ip_address(host.split("%")[0]).is_loopback or host in ("0.0.0.0", "::")
    except ValueError:  # a name
        local = False
    if not local:
        raise PermissionError(f"the tests are offline, and something asked for {host}")


class _Closed(socket.socket):
    def connect(self, address):  # type: ignore[no-untyped-def,override]
        _refuse(address)
        return super().connect(address)

    def connect_ex(self, address):  # type: ignore[no-untyped-def,override]
        _refuse(address)
        return super().connect_ex(address)

    def sendto(self, data, *rest):  # type: ignore[no-untyped-def,override]
        _refuse(rest[-1])
        return super().sendto(data, *rest)


_look_up = socket.getaddrinfo


def _look_up_here(host, *rest, **options):  # type: ignore[no-untyped-def]
    if host is not None:
        _refuse((host,))
    return _look_up(host, *rest, **options)


if os.environ.get("KILOFRAME_TESTS_ONLINE") != "1":
    socket.socket = _Closed  # type: ignore[misc]
    socket.getaddrinfo = _look_up_here
