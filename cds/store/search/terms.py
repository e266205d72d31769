"""A parameter and one of its values as a 64-bit term: equal values, equal terms, and nothing to read.

What a resource's value answers to is a set of terms; what a client asks for is one of them. In the index each
stands under the tenant's key, so that whoever holds a dump cannot try which values are in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from cds.store.database import Connection
from cds.store.search.parameters import Parameter, elements

TERM_BYTES = 8
TERMS_AT_HAND = 8192

LONGEST_PREFIX = 40
"""A string is found by its beginning, up to so many characters."""


@lru_cache(TERMS_AT_HAND)
def term(type: str, name: str, value: str) -> int:
    """The one place that knows how a value becomes a term."""
    digest = blake2b(f"{type}\0{name}\0{value}".encode(errors="surrogatepass"), digest_size=TERM_BYTES).digest()
    return int.from_bytes(digest, "big", signed=True)


def blind(connection: Connection, terms: Iterable[int]) -> list[int]:
    """The terms as they stand in the index of the connection's tenant, in their order."""
    keyed = (connection.sealer.blind(f"search term {term}") for term in terms)
    return [int.from_bytes(digest[:TERM_BYTES], "big", signed=True) for digest in keyed]


def patient_term(reference: str) -> int:
    """The compartment of a patient: an absolute URL, for several EHRs may call different patients the same."""
    return term("Patient", "compartment", reference)


def values(resource: Any, parameter: Parameter) -> Iterator[str]:
    """Every spelling by which ``resource`` can be asked for."""
    spellings = {"token": _token, "reference": _reference, "string": _string, "uri": _plain}[parameter.kind]
    for path in parameter.paths:
        for element in elements(resource, path):
            yield from spellings(element)


def _token(element: Any) -> Iterator[str]:
    """FHIR R4 §3.1.1.4.10: ``code``, ``system|code``, ``|code``, ``system|``."""
    if isinstance(element, str | bool):
        yield str(element).lower() if isinstance(element, bool) else element
        return
    for coding in element.get("coding", [element]):
        code = coding.get("code", coding.get("value"))
        system = coding.get("system")
        if code is not None:
            yield from (code, f"{system or ''}|{code}")
        if system:
            yield f"{system}|"


def _reference(element: Any) -> Iterator[str]:
    """The literal reference; a logical one as the modifier ``:identifier`` asks for it."""
    if "reference" in element:
        yield element["reference"]
    if "identifier" in element:
        yield from (f"identifier {spelling}" for spelling in _token(element["identifier"]))


def _string(element: str) -> Iterator[str]:
    """Every beginning, whatever its case; and the whole, as ``:exact`` asks for it."""
    folded = element.casefold()[:LONGEST_PREFIX]
    yield from (folded[:end] for end in range(1, len(folded) + 1))
    yield f"exact {element}"


def _plain(element: str) -> Iterator[str]:
    yield element
