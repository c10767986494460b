"""This user's key pair: read, or made at the first use."""

from __future__ import annotations

import fcntl
import os

import zmq

from lumivid_fx.protocol.places import (
    KeyPair,
    Places,
    private_folder,
    read_key_pair,
    write_key_pair,
)


def own_key_pair(places: Places) -> KeyPair:
    """This user's key pair, which is made if there is none.

    Two processes that ask at the same moment get the same pair.

    Raises:
        InputError: The file is damaged or may be read by others, or the folder cannot be made.
    """
    path = places.keys / "client.key"
    found = read_key_pair(path)
    if found is not None:
        return found
    lock = os.open(private_folder(places.keys) / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = read_key_pair(path)
        if found is None:
            public, secret = zmq.curve_keypair()
            found = KeyPair(public.decode("ascii"), secret.decode("ascii"))
            write_key_pair(path, found)
    finally:
        os.close(lock)
    return found
