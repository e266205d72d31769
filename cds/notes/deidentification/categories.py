"""What identifies a person: the identifiers of the HIPAA Safe Harbor method, 45 CFR 164.514(b)(2)(i)."""

from __future__ import annotations

from enum import StrEnum


class Category(StrEnum):
    """A kind of identifier; the value names it in a surrogate. The letters are those of the regulation."""

    NAME = "NAME"  # (A)
    ADDRESS = "ADDRESS"  # (B)
    FACILITY = "FACILITY"  # (B), finer than a state
    DATE = "DATE"  # (C)
    BIRTH_DATE = "BIRTHDATE"  # (C)
    AGE = "AGE"  # (C), over 89
    PHONE = "PHONE"  # (D)
    FAX = "FAX"  # (E)
    EMAIL = "EMAIL"  # (F)
    SSN = "SSN"  # (G)
    RECORD = "ID"  # (H), (J) and (R): record, account, encounter, and whatever else looks like one
    HEALTH_PLAN = "PLAN"  # (I)
    LICENCE = "LICENCE"  # (K)
    VEHICLE = "VEHICLE"  # (L)
    DEVICE = "DEVICE"  # (M)
    URL = "URL"  # (N)
    IP = "IP"  # (O)
