-- The model versions that were withdrawn: nothing that one of them said stands any more.
CREATE TABLE withdrawn_model (
    tenant text NOT NULL CHECK (tenant <> ''),
    digest text NOT NULL,
    withdrawn_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, digest)
);

-- How far each chain was forwarded to an audit record repository (IHE ITI-20), and how that goes.
CREATE TABLE audit_feed (
    tenant text NOT NULL CHECK (tenant <> ''),
    repository text NOT NULL,
    seq bigint NOT NULL DEFAULT 0,  -- the last event that the repository took
    forwarded_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,  -- since then
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    last_error text,
    PRIMARY KEY (tenant, repository)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['withdrawn_model', 'audit_feed']
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
