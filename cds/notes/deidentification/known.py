"""What the EHR itself tells of the patient and the people around: identifiers that need not be guessed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Self

from cds.notes.deidentification.categories import Category

Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """One human being: the words of all names, and what they are to the patient."""

    given: tuple[str, ...]
    family: tuple[str, ...]

    @property
    def meaning(self) -> str:
        """What the surrogate of every form of this name is made from."""
        return " ".join((*self.given[:1], *self.family)).casefold()


@dataclass(frozen=True, slots=True, repr=False)
class KnownIdentifiers:
    """Identifiers of one patient; never logged (the representation is empty on purpose)."""

    subject: str = ""
    """Names the patient for the keyed surrogates and the shift of dates: a full URL, say."""
    people: tuple[Person, ...] = ()
    birth_date: date | None = None
    addresses: tuple[str, ...] = ()
    """Street lines, towns and ZIP codes."""
    values: Mapping[Category, tuple[str, ...]] = field(default_factory=dict)
    """Everything else by category: record numbers, phones, e-mail addresses, facilities."""

    @classmethod
    def from_fhir(
        cls,
        patient: Resource,
        practitioners: Iterable[Resource] = (),
        related: Iterable[Resource] = (),
        organizations: Iterable[Resource] = (),
        *,
        subject: str = "",
    ) -> Self:
        """Read FHIR R4 Patient, Practitioner, RelatedPerson and Organization; what is malformed is passed over."""
        people = [patient, *practitioners, *related]
        organizations = list(organizations)
        holders = [*people, *_listed(patient.get("contact")), *organizations]
        return cls(
            subject=subject or f"Patient/{patient.get('id', '')}",
            people=tuple(_people(people)),
            birth_date=_date(patient.get("birthDate")),
            addresses=tuple(_unique(text for holder in holders for text in _addresses(holder))),
            values={
                category: found
                for category, texts in _values(holders, organizations).items()
                if (found := tuple(_unique(texts)))
            },
        )


def _people(resources: Sequence[Resource]) -> Iterator[Person]:
    for resource in resources:
        names = [*_listed(resource.get("name"))]
        names += [n for contact in _listed(resource.get("contact")) for n in _listed(contact.get("name"))]
        yield from (person for name in names if (person := _person(name)))


def _person(name: Resource) -> Person | None:
    given = tuple(word for text in _texts(name.get("given")) for word in text.split())
    family = tuple(_texts(name.get("family")))
    if not (given or family) and isinstance(name.get("text"), str):
        *first, last = name["text"].split() or [""]
        given, family = tuple(first), (last,)
    return Person(given, family) if any((*given, *family)) else None


def _addresses(holder: Resource) -> Iterator[str]:
    for address in _listed(holder.get("address")):
        yield from _texts(address.get("line"))
        for part in ("city", "district", "postalCode"):
            yield from _texts(address.get(part))


def _values(holders: Sequence[Resource], organizations: Sequence[Resource]) -> Mapping[Category, list[str]]:
    values: dict[Category, list[str]] = {
        Category.FACILITY: [n for o in organizations for n in _texts(o.get("name"))]
    }
    for holder in holders:
        for identifier in _listed(holder.get("identifier")):
            values.setdefault(Category.RECORD, []).extend(_texts(identifier.get("value")))
        for contact in _listed(holder.get("telecom")):
            category = _CONTACTS.get(str(contact.get("system")), Category.PHONE)
            values.setdefault(category, []).extend(_texts(contact.get("value")))
    return values


_CONTACTS = {"email": Category.EMAIL, "fax": Category.FAX, "url": Category.URL}


def _date(text: object) -> date | None:
    """A complete FHIR date; a year or a month alone is no help in finding the day."""
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        return None


def _listed(value: object) -> list[Resource]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, Mapping)]


def _texts(value: object) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [item.strip() for item in items if isinstance(item, str) and item.strip()]


def _unique(texts: Iterable[str]) -> Iterator[str]:
    yield from dict.fromkeys(texts)
