"""AuditEvents after IHE BALP, chained so that no change goes unseen."""
