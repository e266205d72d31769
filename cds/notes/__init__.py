"""From a document in the EHR to de-identified text that a model reads."""
