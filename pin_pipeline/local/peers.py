"""Owner of a connection on the loopback interface: any user of this machine can connect to a local server.

The kernel tells the user of a socket by netlink (sock_diag(7), Linux only). Elsewhere, all users are admitted.
"""

from __future__ import annotations

import os
import socket
import struct
from functools import cache

ROOT = 0
SOCK_DIAG_PROTOCOL, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, ANY_STATE, NO_COOKIE = 4, 20, 1, 0xFFFFFFFF, 0xFFFFFFFF
HEADER, REQUEST, ADDRESSES = struct.Struct("=IHHII"), struct.Struct("=BBBBI"), struct.Struct("!HH4s12x4s12x")
SOCKET_ID_END = struct.Struct("=III")
OWNER = struct.Struct("=II")
OWNER_OFFSET = HEADER.size + 4 + ADDRESSES.size + SOCKET_ID_END.size + 12
"""Position of user and inode in the reply: after four bytes, the addresses, and three counters (inet_diag_msg)."""
REPLY_BYTES = 4096
Address = tuple[str, int]


def is_own_client(client: Address, server: Address) -> bool:
    """Return whether the client of a connection is a process of the user of this process, or of root.

    A client that has closed its socket is not: its user is not known any more.

    Args:
        client: IPv4 address of the client.
        server: IPv4 address of the server.
    """
    netlink = _netlink()
    if netlink is None:
        return True
    addresses = ADDRESSES.pack(client[1], server[1], socket.inet_aton(client[0]), socket.inet_aton(server[0]))
    request = REQUEST.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, ANY_STATE)
    body = request + addresses + SOCKET_ID_END.pack(0, NO_COOKIE, NO_COOKIE)
    netlink.send(HEADER.pack(HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, 0) + body)
    reply = netlink.recv(REPLY_BYTES)
    _, message_type, *_ = HEADER.unpack_from(reply)
    if message_type != SOCK_DIAG_BY_FAMILY:  # an error: there is no such socket
        return False
    user, inode = OWNER.unpack_from(reply, OWNER_OFFSET)
    return inode != 0 and user in (os.geteuid(), ROOT)


@cache
def _netlink() -> socket.socket | None:
    """Return the socket for requests to the kernel; None if it has none."""
    try:
        return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG_PROTOCOL)
    except (AttributeError, OSError):
        return None
