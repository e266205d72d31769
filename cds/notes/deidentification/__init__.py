"""Taking identifiers out of notes before any model or log sees them (45 CFR 164.514, Safe Harbor as the list)."""
