"""PostgreSQL, the only source of truth, and Valkey, which holds what may be lost."""
