"""Our own FHIR R4 endpoint: what we hold, read and searched by whoever an EHR's authorization server lets in."""
