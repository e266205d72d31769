"""Tampered JWTs (CDS Hooks 2.0, "Trusting CDS Clients"; RFC 8725): a bare 401, the reason in the audit trail."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import orjson
import pytest
from joserfc import jwe, jws
from joserfc.jwk import ECKey, OctKey

from tests.attack.parties import Ehr, Trap
from tests.attack.service import (
    FEEDBACK,
    KID,
    LEFT_OUT,
    OTHER_KID,
    PATH,
    PUBLIC,
    RSA_KID,
    SMALL_KID,
    TENANT,
    Service,
    b64,
    der_signature,
    raw_signature,
)

STRANGER = ECKey.generate_key("P-384", {"use": "sig", "kid": KID})
ORDER_OF_P384 = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
pytestmark = pytest.mark.timeout(300)


def at(seconds: int) -> int:
    """So many seconds from now."""
    return int(time.time()) + seconds


def signed_otherwise(service: Service, algorithm: str, kid: str, key: Any) -> str:
    """With any algorithm and any key, as the token's header says."""
    header, claims = service.header(alg=algorithm, kid=kid), service.claims()
    return jws.serialize_compact(header, _json(claims), key, algorithms=[algorithm])


def with_public_key_as_secret(service: Service, algorithm: str) -> str:
    secret = OctKey.import_key(service.keys[KID].as_pem(private=False).replace(b"-----", b""))
    return signed_otherwise(service, algorithm, KID, secret)


def with_header(service: Service, **changes: Any) -> str:
    return service.token(service.header(**changes))


def with_embedded_key(service: Service) -> str:
    header = service.header(jwk=STRANGER.as_dict(private=False))
    return service.signed(header, service.claims(), STRANGER)


def with_certificate(service: Service) -> str:
    return service.signed(service.header(x5c=["MIIB"]), service.claims(), STRANGER)


def with_signature(service: Service, change: Callable[[bytes], bytes]) -> str:
    message = f"{b64(service.header())}.{b64(service.claims())}"
    return f"{message}.{b64(change(raw_signature(_key(service, KID), message)))}"


def with_der_signature(service: Service) -> str:
    message = f"{b64(service.header())}.{b64(service.claims())}"
    return f"{message}.{b64(der_signature(_key(service, KID), message))}"


def spliced(service: Service) -> str:
    """Our own claims under the signature of others."""
    ours, theirs = service.token().split("."), service.token().split(".")
    return ".".join([ours[0], ours[1], theirs[2]])


def split_at(token: str, place: int) -> tuple[str, str]:
    return token[:place], token[place:]


def detached(token: str) -> str:
    """RFC 7515, Appendix F."""
    header, _, signature = token.split(".")
    return f"{header}..{signature}"


def with_other_last_bits(service: Service) -> str:
    """The signature of RSA does not fill its last character: 16 of them are read as the same."""
    token = signed_otherwise(service, "RS384", RSA_KID, service.keys[RSA_KID])
    following = {"A": "B", "Q": "R", "g": "h", "w": "x"}
    return token[:-1] + following[token[-1]]


def encrypted(service: Service) -> str:
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": KID, "typ": "JWT"}
    key = ECKey.import_key({k: v for k, v in service.keys[KID].as_dict(private=False).items() if k != "use"})
    return jwe.encrypt_compact(header, _json(service.claims()), key)


def twice(service: Service, name: str, other: str) -> str:
    """A claim that stands twice, the good one last."""
    return service.signed(
        service.header(), b'{"%s": "%s", ' % (name.encode(), other.encode()) + _tail(service.claims())
    )


def raw_claims(service: Service, claims: bytes) -> str:
    return service.signed(service.header(), claims)


def with_raw_claim(service: Service, name: str, value: bytes) -> str:
    """A claim as JSON text that no serializer would write."""
    claims = service.claims(**{name: LEFT_OUT})
    return raw_claims(service, b'{"%s": %s, ' % (name.encode(), value) + _tail(claims))


def _key(service: Service, kid: str) -> ECKey:
    key = service.keys[kid]
    assert isinstance(key, ECKey)
    return key


def _json(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value)


def _tail(claims: dict[str, Any]) -> bytes:
    """A JSON object without its opening brace."""
    return _json(claims)[1:]


Attack = tuple[Callable[[Service, Trap, Ehr], str], str]
"""What makes the token, and the reason that the audit trail gives."""

NOT_A_JWS = "not a JWS in compact form"
UNREADABLE = "cannot be read"
ALGORITHM = "algorithm is not registered"
SIGNATURE = "signature does not hold"
KEY = "not exactly one key|names no key"
AUDIENCE = "another address"
JKU = "jku is not registered"

ATTACKS: dict[str, Attack] = {
    # The algorithm.
    "alg none": (lambda s, *_: f"{b64(s.header(alg='none'))}.{b64(s.claims())}.", ALGORITHM),
    "alg nOnE": (lambda s, *_: f"{b64(s.header(alg='nOnE'))}.{b64(s.claims())}.", ALGORITHM),
    "alg none over a good signature": (lambda s, *_: with_header(s, alg="none"), ALGORITHM),
    "alg missing": (lambda s, *_: with_header(s, alg=LEFT_OUT), ALGORITHM),
    "alg in small letters": (lambda s, *_: with_header(s, alg="es384"), ALGORITHM),
    "alg with a space": (lambda s, *_: with_header(s, alg="ES384 "), ALGORITHM),
    "PS384, which is not registered": (
        lambda s, *_: signed_otherwise(s, "PS384", RSA_KID, s.keys[RSA_KID]),
        ALGORITHM,
    ),
    "a password of two billion rounds": (
        lambda s, *_: with_header(s, alg="PBES2-HS256+A128KW", enc="A128GCM", p2s="AAAA", p2c=2**31),
        ALGORITHM,
    ),
    "alg a list": (lambda s, *_: with_header(s, alg=["ES384"]), ALGORITHM),
    "HS256 with the public key": (lambda s, *_: with_public_key_as_secret(s, "HS256"), ALGORITHM),
    "HS384 with the public key": (lambda s, *_: with_public_key_as_secret(s, "HS384"), ALGORITHM),
    "RS384 with an EC key": (lambda s, *_: with_header(s, alg="RS384"), "not of the algorithm's type"),
    "ES384 with an RSA key": (lambda s, *_: with_header(s, kid=RSA_KID), "not of the algorithm's type"),
    "ES384 with a P-256 key": (
        lambda s, *_: s.signed(s.header(kid=SMALL_KID), s.claims(), s.keys[SMALL_KID]),
        SIGNATURE,
    ),
    "RS256, which is not registered": (
        lambda s, *_: signed_otherwise(s, "RS256", RSA_KID, s.keys[RSA_KID]),
        ALGORITHM,
    ),
    # The signature.
    "signed by a stranger": (lambda s, *_: s.signed(s.header(), s.claims(), STRANGER), SIGNATURE),
    "a cut signature": (lambda s, *_: with_signature(s, lambda raw: raw[:-1]), SIGNATURE),
    "an altered signature": (
        lambda s, *_: with_signature(s, lambda raw: raw[:-1] + bytes([raw[-1] ^ 1])),
        SIGNATURE,
    ),
    "a signature with a tail": (lambda s, *_: with_signature(s, lambda raw: raw + b"\0"), SIGNATURE),
    "a signature whose r is nought": (
        lambda s, *_: with_signature(s, lambda raw: bytes(48) + raw[48:]),
        SIGNATURE,
    ),
    "a signature whose s is the order of the curve": (
        lambda s, *_: with_signature(s, lambda raw: raw[:48] + ORDER_OF_P384.to_bytes(48, "big")),
        SIGNATURE,
    ),
    "a signature as long as another curve's": (lambda s, *_: with_signature(s, lambda raw: raw[:64]), SIGNATURE),
    "a signature padded": (lambda s, *_: s.token() + "==", SIGNATURE),
    "a signature with what base64url has not": (lambda s, *_: s.token() + "!", SIGNATURE),
    "a signature with a comma within": (lambda s, *_: ",".join(split_at(s.token(), -8)), SIGNATURE),
    "a signature whose last bits nobody reads": (lambda s, *_: with_other_last_bits(s), SIGNATURE),
    "a payload that is detached": (lambda s, *_: detached(s.token()), UNREADABLE),
    "no signature": (lambda s, *_: with_signature(s, lambda raw: b""), SIGNATURE),
    "a signature of zeros": (lambda s, *_: with_signature(s, lambda raw: bytes(len(raw))), SIGNATURE),
    "a signature in DER": (lambda s, *_: with_der_signature(s), SIGNATURE),
    "a signature of other claims": (lambda s, *_: spliced(s), SIGNATURE),
    # The form.
    "a JWE": (lambda s, *_: encrypted(s), NOT_A_JWS),
    "two parts": (lambda s, *_: s.token().rsplit(".", 1)[0], NOT_A_JWS),
    "JSON serialization": (lambda s, *_: '{"payload":"","signatures":[]}', NOT_A_JWS),
    "no base64": (lambda s, *_: "\u00e9.\u00e9.\u00e9", UNREADABLE),
    "claims that are no object": (lambda s, *_: raw_claims(s, b"[]"), UNREADABLE),
    "claims that are no UTF-8": (lambda s, *_: raw_claims(s, b'{"iss": "\xff"}'), UNREADABLE),
    "claims in UTF-16": (lambda s, *_: raw_claims(s, _json(s.claims()).decode().encode("utf-16")), UNREADABLE),
    "claims after a byte order mark": (
        lambda s, *_: raw_claims(s, b"\xef\xbb\xbf" + _json(s.claims())),
        UNREADABLE,
    ),
    "a header in UTF-32": (
        lambda s, *_: s.signed(_json(s.header()).decode().encode("utf-32"), s.claims()),
        UNREADABLE,
    ),
    "another JWT within": (lambda s, *_: s.signed(s.header(cty="JWT"), s.token().encode()), UNREADABLE),
    "compressed": (lambda s, *_: with_header(s, zip="DEF"), SIGNATURE),
    "a name that stands twice further in": (
        lambda s, *_: raw_claims(s, b'{"x": {"a": 1, "a": 2}, ' + _tail(s.claims())),
        UNREADABLE,
    ),
    "claims nested without end": (lambda s, *_: raw_claims(s, b"[" * 4000), UNREADABLE),
    "an integer of many digits": (lambda s, *_: with_raw_claim(s, "exp", b"9" * 4400), UNREADABLE),
    "oversized": (lambda s, *_: s.token(padding="x" * 9000), "too long"),
    "iss twice": (lambda s, *_: twice(s, "iss", "https://evil.example"), UNREADABLE),
    "aud twice": (lambda s, *_: twice(s, "aud", PUBLIC + FEEDBACK), UNREADABLE),
    "alg twice": (
        lambda s, *_: s.signed(b'{"alg": "none", ' + _tail(s.header()), s.claims()),
        UNREADABLE,
    ),
    "iss twice, once in escapes": (lambda s, *_: twice(s, "\\u0069ss", "https://evil.example"), UNREADABLE),
    "a header nested without end": (lambda s, *_: s.signed(b'{"x":' * 900, s.claims()), UNREADABLE),
    "typ in small letters": (lambda s, *_: with_header(s, typ="jwt"), "header"),
    "typ missing": (lambda s, *_: with_header(s, typ=LEFT_OUT), "header"),
    "an access token's typ": (lambda s, *_: with_header(s, typ="at+jwt"), "header"),
    "crit": (lambda s, *_: with_header(s, crit=["exp"], exp=1), "header"),
    "crit null": (lambda s, *_: with_header(s, crit=None), "header"),
    "b64 false that nobody must know": (lambda s, *_: with_header(s, b64=False), SIGNATURE),
    "b64 false": (lambda s, *_: with_header(s, crit=["b64"], b64=False), "header"),
    # The key.
    "a key of its own (jwk)": (lambda s, *_: with_embedded_key(s), SIGNATURE),
    "a certificate of its own (x5c)": (lambda s, *_: with_certificate(s), SIGNATURE),
    "a certificate elsewhere (x5u)": (
        lambda s, t, _: s.signed(s.header(x5u=t.base_url), s.claims(), STRANGER),
        SIGNATURE,
    ),
    "an unlisted jku": (lambda s, t, _: with_header(s, jku=f"{t.base_url}/jwks"), JKU),
    "jku null": (lambda s, *_: with_header(s, jku=None), JKU),
    "jku empty": (lambda s, *_: with_header(s, jku=""), JKU),
    "the jku of another issuer": (lambda s, _, e: with_header(s, jku=f"{e.base_url}/jwks"), JKU),
    "an unlisted jku where keys are fetched": (
        lambda s, t, _: s.token(s.header(kid=OTHER_KID, jku=f"{t.base_url}/jwks"), iss=s.other_issuer),
        JKU,
    ),
    "a jku with the listed host as its user": (
        lambda s, t, e: s.token(s.header(kid=OTHER_KID, jku=_as_user(e, t) + "/jwks"), iss=s.other_issuer),
        JKU,
    ),
    "kid of another issuer": (
        lambda s, *_: s.signed(s.header(kid=OTHER_KID), s.claims(), s.keys[OTHER_KID]),
        KEY,
    ),
    "another issuer's name over one's own key": (
        lambda s, *_: s.signed(s.header(), s.claims(iss=s.other_issuer)),
        KEY,
    ),
    "kid missing": (lambda s, *_: with_header(s, kid=LEFT_OUT), KEY),
    "kid empty": (lambda s, *_: with_header(s, kid=""), KEY),
    "kid a list": (lambda s, *_: with_header(s, kid=[KID]), KEY),
    "kid a number": (lambda s, *_: with_header(s, kid=1), KEY),
    "kid with a space": (lambda s, *_: with_header(s, kid=f"{KID} "), KEY),
    "kid with NUL": (lambda s, *_: with_header(s, kid=f"{KID}\0"), KEY),
    "kid a path": (lambda s, *_: with_header(s, kid="../../../../dev/null"), KEY),
    "kid SQL": (lambda s, *_: with_header(s, kid="' OR '1'='1"), KEY),
    "kid in other letters": (lambda s, *_: with_header(s, kid="\uff4b1"), KEY),
    "a key of its own that is no point": (
        lambda s, *_: s.signed(
            s.header(jwk=STRANGER.as_dict(private=False) | {"x": b64(bytes(48)), "y": b64(bytes(48))}),
            s.claims(),
            STRANGER,
        ),
        SIGNATURE,
    ),
    # The issuer and the tenant.
    "an unknown issuer": (lambda s, *_: s.token(iss="https://evil.example/fhir"), "issuer is not registered"),
    "the issuer with a slash": (lambda s, *_: s.token(iss=s.issuer + "/"), "issuer is not registered"),
    "the issuer in capitals": (lambda s, *_: s.token(iss=s.issuer.upper()), "issuer is not registered"),
    "the issuer written in percents": (
        lambda s, *_: s.token(iss=s.issuer.replace("/fhir", "/%66hir")),
        "issuer is not registered",
    ),
    "the issuer with what nobody sees": (
        lambda s, *_: s.token(iss=s.issuer + "\u200b"),
        "issuer is not registered",
    ),
    "iss missing": (lambda s, *_: s.token(iss=LEFT_OUT), "issuer is not registered"),
    "sub in the place of iss": (lambda s, *_: s.token(iss=LEFT_OUT, sub=s.issuer), "issuer is not registered"),
    "iss null": (lambda s, *_: s.token(iss=None), "issuer is not registered"),
    "iss a list": (lambda s, *_: s.token(iss=[s.issuer]), "issuer is not registered"),
    "another tenant": (lambda s, *_: s.token(tenant="other"), "tenant"),
    "tenant a list": (lambda s, *_: s.token(tenant=[TENANT]), "tenant"),
    "tenant in capitals": (lambda s, *_: s.token(tenant=TENANT.upper()), "tenant"),
    "tenant null": (lambda s, *_: s.token(tenant=None), "tenant"),
    # The audience.
    "another address": (lambda s, *_: s.token(aud="https://elsewhere.example" + PATH), AUDIENCE),
    "aud of another service": (lambda s, *_: s.token(aud=PUBLIC + "/cds-services/imaging-patient-view"), AUDIENCE),
    "aud of feedback": (lambda s, *_: s.token(aud=PUBLIC + FEEDBACK), AUDIENCE),
    "aud of discovery": (lambda s, *_: s.token(aud=f"{PUBLIC}/cds-services"), AUDIENCE),
    "aud with a slash": (lambda s, *_: s.token(aud=PUBLIC + PATH + "/"), AUDIENCE),
    "aud with a query": (lambda s, *_: s.token(aud=PUBLIC + PATH + "?"), AUDIENCE),
    "aud without TLS": (lambda s, *_: s.token(aud=PUBLIC.replace("https", "http") + PATH), AUDIENCE),
    "aud of where it listens": (lambda s, *_: s.token(aud=s.base_url + PATH), AUDIENCE),
    "aud in capitals": (lambda s, *_: s.token(aud=PUBLIC.upper() + PATH), AUDIENCE),
    "aud with the port that goes without saying": (lambda s, *_: s.token(aud=f"{PUBLIC}:443{PATH}"), AUDIENCE),
    "aud written in percents": (lambda s, *_: s.token(aud=PUBLIC + PATH.replace("i", "%69", 1)), AUDIENCE),
    "aud with a user": (lambda s, *_: s.token(aud=PUBLIC.replace("//", "//user@") + PATH), AUDIENCE),
    "aud of a host with a dot at its end": (lambda s, *_: s.token(aud=f"{PUBLIC}.{PATH}"), AUDIENCE),
    "aud with a space": (lambda s, *_: s.token(aud=f"{PUBLIC}{PATH} "), AUDIENCE),
    "aud null": (lambda s, *_: s.token(aud=None), AUDIENCE),
    "aud that climbs": (lambda s, *_: s.token(aud=f"{PUBLIC}/cds-services/..{PATH}"), AUDIENCE),
    "aud in a list in a list": (lambda s, *_: s.token(aud=[[PUBLIC + PATH]]), AUDIENCE),
    "aud missing": (lambda s, *_: s.token(aud=LEFT_OUT), AUDIENCE),
    "aud an empty list": (lambda s, *_: s.token(aud=[]), AUDIENCE),
    "aud an object": (lambda s, *_: s.token(aud={PUBLIC + PATH: 1}), AUDIENCE),
    # The times.
    "expired": (lambda s, *_: s.token(iat=at(-4000), exp=at(-3700)), "expired"),
    "issued in the future": (lambda s, *_: s.token(iat=at(3000), exp=at(3300)), "future"),
    "not before tomorrow": (lambda s, *_: s.token(nbf=at(86400)), "future"),
    "good for a day": (lambda s, *_: s.token(exp=at(86400)), "lifetime"),
    "exp before iat": (lambda s, *_: s.token(iat=at(20), exp=at(10)), "lifetime"),
    "exp before the epoch": (lambda s, *_: s.token(exp=-1), "exp is missing or no time"),
    "exp null": (lambda s, *_: s.token(exp=None), "exp is missing or no time"),
    "exp in milliseconds": (lambda s, *_: s.token(exp=at(60) * 1000), "exp is missing or no time"),
    "iat in milliseconds": (lambda s, *_: s.token(iat=at(0) * 1000), "iat is missing or no time"),
    "iat of the epoch": (lambda s, *_: s.token(iat=0), "iat is missing or no time"),
    "iat of long ago": (lambda s, *_: s.token(iat=1), "lifetime"),
    "iat a list": (lambda s, *_: s.token(iat=[at(0)]), "iat is missing or no time"),
    "exp missing": (lambda s, *_: s.token(exp=LEFT_OUT), "exp is missing"),
    "iat missing": (lambda s, *_: s.token(iat=LEFT_OUT), "iat is missing"),
    "exp as text": (lambda s, *_: s.token(exp=str(at(60))), "exp is missing or no time"),
    "exp true": (lambda s, *_: s.token(exp=True), "exp is missing or no time"),
    "nbf as text": (lambda s, *_: s.token(nbf="0"), "nbf is missing or no time"),
    "iat NaN": (lambda s, *_: with_raw_claim(s, "iat", b"NaN"), "iat is missing or no time"),
    "exp NaN": (lambda s, *_: with_raw_claim(s, "exp", b"NaN"), "exp is missing or no time"),
    "exp Infinity": (lambda s, *_: with_raw_claim(s, "exp", b"Infinity"), "exp is missing or no time"),
    "exp beyond all doubles": (lambda s, *_: with_raw_claim(s, "exp", b"1e999"), "exp is missing or no time"),
    "exp after the end of days": (lambda s, *_: s.token(exp=2**70), "exp is missing or no time"),
    # The jti.
    "jti missing": (lambda s, *_: s.token(jti=LEFT_OUT), "jti is missing"),
    "jti null": (lambda s, *_: s.token(jti=None), "jti is missing"),
    "jti a number": (lambda s, *_: s.token(jti=1), "jti is missing"),
    "jti empty": (lambda s, *_: s.token(jti=""), "jti is missing"),
    "jti an object": (lambda s, *_: s.token(jti={"a": 1}), "jti is missing"),
    "jti without end": (lambda s, *_: s.token(jti="x" * 300), "jti is missing"),
    "jti with NUL": (lambda s, *_: s.token(jti="a\0b"), "no plain text"),
    "jti with a line end": (lambda s, *_: s.token(jti="a\r\nDEL jti"), "no plain text"),
    "jti that turns the line round": (lambda s, *_: s.token(jti="\u202ea"), "no plain text"),
    "jti with half a character": (lambda s, *_: with_raw_claim(s, "jti", b'"\\ud800"'), "no plain text"),
}


def _as_user(ehr: Ehr, trap: Trap) -> str:
    return trap.base_url.replace("//", f"//{ehr.base_url.removeprefix('http://')}@")


def assert_bare_401(answer: Any) -> None:
    assert (answer.status_code, answer.content) == (401, b"")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def publish(ehr: Ehr, service: Service) -> None:
    ehr.has("/jwks", {"keys": [service.keys[OTHER_KID].as_dict(private=False)]})


@pytest.mark.parametrize("name", ATTACKS)
def test_refused(name: str, service: Service, trap: Trap, ehr: Ehr) -> None:
    publish(ehr, service)
    attack, reason = ATTACKS[name]
    token = attack(service, trap, ehr).encode()
    with service.audited_as_unknown(reason):
        assert_bare_401(service.post(headers=[(b"Authorization", b"Bearer " + token)]))  # type: ignore[list-item]
    assert {path.partition("?")[0] for path, _ in ehr.asked} <= {"/jwks"}


def test_the_same_without_tampering_is_let_in(service: Service, trap: Trap, ehr: Ehr) -> None:
    publish(ehr, service)
    others = service.signed(
        service.header(kid=OTHER_KID), service.claims(iss=service.other_issuer), service.keys[OTHER_KID]
    )
    for token in (service.token(), others, signed_otherwise(service, "RS384", RSA_KID, service.keys[RSA_KID])):
        answer = service.post(token=token)
        assert (answer.status_code, answer.json()) == (200, {"cards": []})


ALLOWED: dict[str, Callable[[Service], str]] = {
    "several addresses, ours among them": lambda s: s.token(aud=[f"{PUBLIC}/cds-services", PUBLIC + PATH]),
    "times in fractions of a second": lambda s: s.token(iat=at(0) - 0.5, exp=at(60) + 0.25),
    "issued by a clock that is fast": lambda s: s.token(iat=at(15), exp=at(75)),
    "expired by a clock that is slow": lambda s: s.token(iat=at(-75), exp=at(-15)),
    "good for an hour": lambda s: s.token(iat=at(0), exp=at(3600)),
    "the tenant that it is": lambda s: s.token(tenant=TENANT),
    "claims that nobody asked for": lambda s: s.token(sub="someone", client_id="x", nbf=at(-60)),
    "a header that nobody asked for": lambda s: with_header(s, x5t="AAAA", cty="json"),
    "a jti as long as may be": lambda s: s.token(jti=uuid4().hex * 8),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_a_token_that_is_good_all_the_same(name: str, service: Service) -> None:
    assert service.post(token=ALLOWED[name](service)).status_code == 200


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_scheme_may_be_in_any_letters(scheme: str, service: Service) -> None:
    """RFC 9110 §11.1."""
    assert service.post(headers=[("Authorization", f"{scheme} {service.token()}")]).status_code == 200


HEADERS: dict[str, Callable[[Service], list[tuple[str, str]]]] = {
    "no Authorization": lambda s: [],
    "Basic": lambda s: [("Authorization", "Basic c2lnaHRsaW5lOnNlc2FtZQ==")],
    "another scheme": lambda s: [("Authorization", f"DPoP {s.token()}")],
    "no scheme": lambda s: [("Authorization", s.token())],
    "a scheme alone": lambda s: [("Authorization", "Bearer")],
    "two good tokens": lambda s: [("Authorization", f"Bearer {s.token()}")] * 2,
    "two headers, the good one last": lambda s: [
        ("Authorization", "Bearer a.b.c"),
        ("Authorization", f"Bearer {s.token()}"),
    ],
    "a tab for the space": lambda s: [("Authorization", f"Bearer\t{s.token()}")],
    "two spaces": lambda s: [("Authorization", f"Bearer  {s.token()}")],
    "the scheme twice": lambda s: [("Authorization", f"Bearer Bearer {s.token()}")],
    "a comma behind it": lambda s: [("Authorization", f"Bearer {s.token()},")],
    "in quotes": lambda s: [("Authorization", f'Bearer "{s.token()}"')],
    "a cookie": lambda s: [("Cookie", f"Authorization=Bearer {s.token()}")],
    "a header of a proxy": lambda s: [("X-Forwarded-Authorization", f"Bearer {s.token()}")],
}


@pytest.mark.parametrize("name", HEADERS)
def test_refused_for_its_headers(name: str, service: Service) -> None:
    with service.audited_as_unknown("no bearer token|cannot be read|compact form|does not hold"):
        assert_bare_401(service.post(headers=HEADERS[name](service)))


def test_a_token_in_the_address_is_none(service: Service) -> None:
    with service.audited_as_unknown("no bearer token"):
        assert_bare_401(service.post(path=f"{PATH}?access_token={service.token()}", headers=[]))


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host"])
def test_the_audience_is_not_what_a_header_says(header: str, service: Service) -> None:
    token = service.token(aud=f"https://evil.example{PATH}")
    headers = [("Authorization", f"Bearer {token}"), (header, "evil.example"), ("X-Forwarded-Proto", "https")]
    with service.audited_as_unknown(AUDIENCE):
        assert_bare_401(service.post(headers=headers))


@pytest.mark.parametrize(("aud", "path"), [(PATH, FEEDBACK), (FEEDBACK, PATH)])
def test_a_token_opens_its_own_path_alone(aud: str, path: str, service: Service) -> None:
    with service.audited_as_unknown(AUDIENCE):
        assert_bare_401(service.post(path=path, token=service.token(aud=PUBLIC + aud)))


class TestReplay:
    def test_a_token_is_good_once(self, service: Service) -> None:
        token = service.token()
        assert service.post(token=token).status_code == 200
        with service.audited_as_unknown("used before"):
            assert_bare_401(service.post(token=token))

    def test_of_all_workers_together_one_lets_it_in(self, service: Service) -> None:
        token = service.token()
        with ThreadPoolExecutor(12) as pool:
            statuses = list(pool.map(lambda _: service.post(token=token).status_code, range(12)))
        assert sorted(statuses) == [200] + [401] * 11

    def test_a_jti_is_used_up_whatever_else_is_new(self, service: Service) -> None:
        assert service.post(token=service.token(jti="mine")).status_code == 200
        with service.audited_as_unknown("used before"):
            assert_bare_401(service.post(token=service.token(jti="mine", exp=at(600))))

    def test_a_token_for_two_hooks_is_good_at_one(self, service: Service) -> None:
        other = "/cds-services/imaging-patient-view"
        token = service.token(aud=[PUBLIC + PATH, PUBLIC + other])
        assert service.post(token=token).status_code == 200
        with service.audited_as_unknown("used before"):
            assert_bare_401(service.post(path=other, token=token))

    def test_a_jti_is_its_issuers_own(self, service: Service, ehr: Ehr) -> None:
        publish(ehr, service)
        jti = str(uuid4())
        others = service.signed(
            service.header(kid=OTHER_KID),
            service.claims(iss=service.other_issuer, jti=jti),
            service.keys[OTHER_KID],
        )
        assert service.post(token=service.token(jti=jti)).status_code == 200
        assert service.post(token=others).status_code == 200

    def test_the_twin_of_a_signature_is_no_new_token(self, service: Service) -> None:
        """With (r, s) of ECDSA so does (r, -s) hold: it is the jti that counts."""
        token = service.token()
        message, _, signature = token.rpartition(".")
        raw = raw_signature(_key(service, KID), message)
        half = len(raw) // 2
        twin = raw[:half] + (ORDER_OF_P384 - int.from_bytes(raw[half:], "big")).to_bytes(half, "big")
        assert b64(twin) != signature
        assert service.post(token=token).status_code == 200
        with service.audited_as_unknown("used before"):
            assert_bare_401(service.post(token=f"{message}.{b64(twin)}"))

    def test_a_forged_call_does_not_use_up_a_jti(self, service: Service) -> None:
        claims = service.claims()
        assert_bare_401(service.post(token=service.signed(service.header(), claims, STRANGER)))
        assert service.post(token=service.signed(service.header(), claims)).status_code == 200
