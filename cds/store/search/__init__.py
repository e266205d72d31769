"""By what our FHIR resources are found: parameters, their terms, the index, and the queries over it."""
