"""Certificates for the tests, made with the openssl command: an authority and what it signs."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

KEYS = {
    "rsa": ("-newkey", "rsa:2048"),
    "ecdsa": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
    "ed25519": ("-newkey", "ed25519"),
}
LOCAL = ("DNS:localhost", "IP:127.0.0.1")


@dataclass(frozen=True)
class Pair:
    cert: str
    key: str

    def options(self) -> dict[str, str]:
        """Of pgsleuth's client leg."""
        return {"tls_cert": self.cert, "tls_key": self.key}


def openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


class Authority:
    """A certificate authority in a folder that everybody can enter; keys are for their owner."""

    def __init__(self, name: str = "pgsleuth tests") -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="pgsleuth-certs-")
        self.folder = Path(self._temporary.name)
        self.folder.chmod(0o755)
        self.cert = str(self.folder / "ca.crt")
        self._key = str(self.folder / "ca.key")
        self._made = 0
        new_key = ("-x509", *KEYS["ecdsa"], "-nodes", "-keyout", self._key, "-out", self.cert)
        openssl("req", *new_key, "-days", "30", "-subj", f"/CN={name}")

    def sign(
        self,
        name: str = "localhost",
        names: tuple[str, ...] = LOCAL,
        key: str = "rsa",
        days: int = 30,
        password: str = "",
    ) -> Pair:
        """A key and its certificate; `names` are subjectAltNames, negative `days` are over already."""
        self._made += 1
        base = self.folder / f"{self._made}-{name}"
        pair = Pair(f"{base}.crt", f"{base}.key")
        request, extensions = f"{base}.csr", Path(f"{base}.ext")
        locked = ("-passout", f"pass:{password}") if password else ("-nodes",)
        openssl("req", *KEYS[key], *locked, "-keyout", pair.key, "-out", request, "-subj", f"/CN={name}")
        extensions.write_text(f"subjectAltName={','.join(names)}\n" if names else "", encoding="ascii")
        signer = ("-CA", self.cert, "-CAkey", self._key, "-CAcreateserial", "-extfile", str(extensions))
        openssl("x509", "-req", "-in", request, *signer, "-days", str(days), "-out", pair.cert)
        Path(pair.key).chmod(0o600)
        return pair

    def revoke(self, pair: Pair) -> str:
        """A revocation list with this certificate on it."""
        config, revoked = self.folder / "revoke.cnf", str(self.folder / "revoked.crl")
        (self.folder / "index").touch()
        (self.folder / "number").write_text("01\n", encoding="ascii")
        config.write_text(
            f"[ca]\ndefault_ca=c\n[c]\ndatabase={self.folder}/index\ncrlnumber={self.folder}/number\n"
            "default_md=sha256\ndefault_crl_days=30\n",
            encoding="ascii",
        )
        signer = ("ca", "-config", str(config), "-cert", self.cert, "-keyfile", self._key)
        openssl(*signer, "-revoke", pair.cert)
        openssl(*signer, "-gencrl", "-out", revoked)
        return revoked

    def close(self) -> None:
        self._temporary.cleanup()
