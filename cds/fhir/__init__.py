"""Our own FHIR R4 endpoint."""
