-- What each chain was at a moment, signed with a key that is not in the database.
CREATE TABLE audit_checkpoint (
    tenant text NOT NULL CHECK (tenant <> ''),
    seq bigint NOT NULL CHECK (seq > 0),
    jws text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, seq)
);

-- Where a chain begins since what was before it was purged: the checkpoint up to which it was.
CREATE TABLE audit_floor (
    tenant text PRIMARY KEY CHECK (tenant <> ''),
    seq bigint NOT NULL CHECK (seq > 0),
    jws text NOT NULL
);

CREATE TRIGGER audit_checkpoint_is_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['audit_checkpoint', 'audit_floor']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY tenant_only ON %I'
            ' USING (tenant = (SELECT current_setting(''cds.tenant'', true)))'
            ' WITH CHECK (tenant = (SELECT current_setting(''cds.tenant'', true)))', name);
    END LOOP;
END;
$$;
