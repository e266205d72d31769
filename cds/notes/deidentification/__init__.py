"""Taking identifiers out of notes before any model or log sees them (45 CFR 164.514, Safe Harbor as the list)."""

from cds.notes.deidentification.categories import Category
from cds.notes.deidentification.classifier import TokenClassifier
from cds.notes.deidentification.deidentifier import Deidentified, Deidentifier, Replaced
from cds.notes.deidentification.known import KnownIdentifiers, Person

__all__ = ["Category", "Deidentified", "Deidentifier", "KnownIdentifiers", "Person", "Replaced", "TokenClassifier"]
