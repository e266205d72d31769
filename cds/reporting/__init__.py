"""A prescreen as FHIR resources: DiagnosticReport, Observation, Provenance, Device."""
