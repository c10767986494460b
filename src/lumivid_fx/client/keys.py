"""This user's key pair: read, or made at the first use."""

from __future__ import annotations

import zmq

from lumivid_fx.protocol.places import KeyPair, Places, keep_key_pair, read_key_pair


def own_key_pair(places: Places) -> KeyPair:
    """This user's key pair, which is made if there is none.

    Two processes that ask at the same moment get the same pair.

    Raises:
        InputError: The file is damaged or may be read by others, or cannot be made.
    """
    found = read_key_pair(places.client_key)
    if found is not None:
        return found
    public, secret = zmq.curve_keypair()
    return keep_key_pair(places.client_key, KeyPair(public.decode(), secret.decode()))
