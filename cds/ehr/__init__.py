"""What we read from and write to the EHR, over FHIR R4."""
