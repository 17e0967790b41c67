"""TLS 1.3 by OpenSSL's own functions, for what Python's ssl does not let one do: KeyUpdate, and records that
are made now and sent later, in pieces."""

from __future__ import annotations

import ctypes
import ctypes.util
import socket
from typing import Any

_ssl = ctypes.CDLL(ctypes.util.find_library("ssl"))
_crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
SSL_CTRL_SET_MAX_SEND_FRAGMENT = 52
SSL_FILETYPE_PEM = 1
SSL_VERIFY_PEER = 1
CHUNK = 1 << 16
HEADER = 5  # of a record: its type, two bytes of version, two of length


def _declare(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(library, name)
    function.restype = result
    function.argtypes = arguments
    return function


_pointer, _int, _long, _bytes = ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_char_p
_client_method = _declare(_ssl, "TLS_client_method", _pointer)
_server_method = _declare(_ssl, "TLS_server_method", _pointer)
_ctx_new = _declare(_ssl, "SSL_CTX_new", _pointer, _pointer)
_ctx_free = _declare(_ssl, "SSL_CTX_free", None, _pointer)
_ctx_ctrl = _declare(_ssl, "SSL_CTX_ctrl", _long, _pointer, _int, _long, _pointer)
_use_chain = _declare(_ssl, "SSL_CTX_use_certificate_chain_file", _int, _pointer, _bytes)
_use_key = _declare(_ssl, "SSL_CTX_use_PrivateKey_file", _int, _pointer, _bytes, _int)
_new = _declare(_ssl, "SSL_new", _pointer, _pointer)
_free = _declare(_ssl, "SSL_free", None, _pointer)
_set_bio = _declare(_ssl, "SSL_set_bio", None, _pointer, _pointer, _pointer)
_connect_state = _declare(_ssl, "SSL_set_connect_state", None, _pointer)
_accept_state = _declare(_ssl, "SSL_set_accept_state", None, _pointer)
_handshake = _declare(_ssl, "SSL_do_handshake", _int, _pointer)
_read = _declare(_ssl, "SSL_read", _int, _pointer, _pointer, _int)
_write = _declare(_ssl, "SSL_write", _int, _pointer, _bytes, _int)
_key_update = _declare(_ssl, "SSL_key_update", _int, _pointer, _int)
_new_ticket = _declare(_ssl, "SSL_new_session_ticket", _int, _pointer)
_Verdict = ctypes.CFUNCTYPE(_int, _int, _pointer)
_set_verify = _declare(_ssl, "SSL_CTX_set_verify", None, _pointer, _int, _Verdict)
_mem = _declare(_crypto, "BIO_s_mem", _pointer)
_bio_new = _declare(_crypto, "BIO_new", _pointer, _pointer)
_bio_read = _declare(_crypto, "BIO_read", _int, _pointer, _pointer, _int)
_bio_write = _declare(_crypto, "BIO_write", _int, _pointer, _bytes, _int)


def records(data: bytes) -> list[bytes]:
    found: list[bytes] = []
    while data:
        end = HEADER + int.from_bytes(data[3:HEADER], "big")
        found.append(data[:end])
        data = data[end:]
    return found


@_Verdict
def _anybody(_good: int, _context: int) -> int:
    return 1


class Tls:
    """One end of a TLS connection on a socket. What it has to send waits until take() or flush()."""

    def __init__(self, peer: socket.socket, *, cert: str = "", key: str = "", fragment: int = 0) -> None:
        """With a certificate the server's end, which wants one of the client. `fragment`: largest record."""
        self.socket = peer
        self._context = _ctx_new(_server_method() if cert else _client_method())
        if cert:
            assert _use_chain(self._context, cert.encode()) == 1
            assert _use_key(self._context, key.encode(), SSL_FILETYPE_PEM) == 1
            _set_verify(self._context, SSL_VERIFY_PEER, _anybody)
        if fragment:
            assert _ctx_ctrl(self._context, SSL_CTRL_SET_MAX_SEND_FRAGMENT, fragment, None) == 1
        self._ssl = _new(self._context)
        self._in, self._out = _bio_new(_mem()), _bio_new(_mem())
        _set_bio(self._ssl, self._in, self._out)
        (_accept_state if cert else _connect_state)(self._ssl)
        while _handshake(self._ssl) != 1:
            self.flush()
            self._feed()
        self.flush()

    def _feed(self) -> None:
        data = self.socket.recv(CHUNK)
        assert data, "the peer closed"
        _bio_write(self._in, data, len(data))

    def take(self) -> bytes:
        """The records that wait to be sent."""
        out = bytearray()
        buffer = ctypes.create_string_buffer(CHUNK)
        while (n := _bio_read(self._out, buffer, CHUNK)) > 0:
            out += buffer.raw[:n]
        return bytes(out)

    def flush(self) -> None:
        self.socket.sendall(self.take())

    def write(self, data: bytes) -> None:
        assert _write(self._ssl, data, len(data)) == len(data)

    def key_update(self) -> None:
        assert _key_update(self._ssl, 0) == 1
        assert _handshake(self._ssl) == 1

    def new_ticket(self) -> None:
        """A NewSessionTicket; it holds the client's certificate."""
        assert _new_ticket(self._ssl) == 1
        assert _handshake(self._ssl) == 1

    def read(self) -> bytes:
        buffer = ctypes.create_string_buffer(CHUNK)
        while (n := _read(self._ssl, buffer, CHUNK)) <= 0:
            self.flush()
            self._feed()
        return buffer.raw[:n]

    def __enter__(self) -> Tls:
        return self

    def __exit__(self, *_: object) -> None:
        _free(self._ssl)
        _ctx_free(self._context)
        self.socket.close()
