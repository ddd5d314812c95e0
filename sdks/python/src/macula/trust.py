"""Whom to trust."""

import hashlib
import ssl
from typing import Any


def tls_context(ca: str | None, certificate_sha256: str | None) -> ssl.SSLContext:
    """Trust in an authority's file, in one certificate, or else in the system's authorities."""
    if certificate_sha256 is None:
        return ssl.create_default_context(cafile=ca)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.sslobject_class = pinned(certificate_sha256)
    return context


def pinned(wanted: str) -> type[ssl.SSLObject]:
    """A TLS connection that takes the certificate of this SHA-256 alone: nothing is said to any other."""

    class Pinned(ssl.SSLObject):
        def do_handshake(self, *arguments: Any, **options: Any) -> None:
            super().do_handshake(*arguments, **options)
            found = hashlib.sha256(self.getpeercert(binary_form=True) or b"").hexdigest()
            if found != wanted:
                raise ssl.SSLCertVerificationError(f"expected the certificate {wanted}, found {found}")

    return Pinned
