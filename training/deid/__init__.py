"""Notes with surrogate identifiers and gold spans, and the token classifier that learns from them."""
