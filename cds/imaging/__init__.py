"""From a study in the PACS to the pixels that a model reads."""
