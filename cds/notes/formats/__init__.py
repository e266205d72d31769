"""A file per document format; each turns bytes into lines of text."""
