-- The first of two steps to sealed bodies: keys, and a place for what is sealed beside what is still plain. It locks
-- nothing for long, and a service of the version before goes on. Then `cds db upgrade` fills the new columns while
-- that service runs, and 0005 drops the plain ones.

-- The tenants that there are: no patient data, and no row-level security, so that maintenance finds them all.
CREATE TABLE tenant (
    name text PRIMARY KEY CHECK (name <> ''),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Each tenant's keys, wrapped by a master key that is not in the database.
CREATE TABLE data_key (
    tenant text NOT NULL CHECK (tenant <> ''),
    id bigint NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('seal', 'index')),
    wrapped bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,  -- it seals nothing new, and still opens what it sealed
    emptied_at timestamptz,  -- what it sealed has been sealed with another since
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX data_key_in_use ON data_key (tenant, purpose) WHERE retired_at IS NULL;
ALTER TABLE data_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE data_key FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON data_key
    USING (tenant = (SELECT current_setting('cds.tenant', true)))
    WITH CHECK (tenant = (SELECT current_setting('cds.tenant', true)));

-- Makes the transaction the tenant's, and says which key seals: one way to the database and back for both.
CREATE FUNCTION begin_as(name text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('cds.tenant', name, true);
    RETURN (SELECT id FROM data_key WHERE tenant = name AND purpose = 'seal' AND retired_at IS NULL);
END;
$$;

ALTER TABLE score ADD sealed bytea;
ALTER TABLE prescreen ADD sealed bytea, ADD patient_index bytea;
ALTER TABLE resource ADD sealed bytea, ADD patient_index bytea;
ALTER TABLE resource_version ADD sealed bytea;
ALTER TABLE card ADD sealed bytea;
ALTER TABLE feedback ADD sealed bytea;
ALTER TABLE outbox ADD sealed bytea;
ALTER TABLE audit_event ADD sealed bytea;
CREATE INDEX prescreen_of ON prescreen (tenant, patient_index, created_at DESC);
CREATE INDEX resource_of ON resource (tenant, type, patient_index, last_updated DESC);

-- What is only ever added to has two exceptions, neither of which the application's role has the grants for. The
-- owner must say which it means: 'seal' (another key, the same row) or 'purge' (what a policy says is over).
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (TG_OP, coalesce(current_setting('cds.maintenance', true), '')) NOT IN (('UPDATE', 'seal'), ('DELETE', 'purge'))
    THEN
        RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END;
$$;

CREATE FUNCTION refuse_other_than_sealing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'body' - 'sealed' <> to_jsonb(OLD) - 'body' - 'sealed' THEN
        RAISE EXCEPTION 'sealing % changes the sealed body alone', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER audit_event_is_sealed_only BEFORE UPDATE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION refuse_other_than_sealing();
CREATE TRIGGER resource_version_is_sealed_only BEFORE UPDATE ON resource_version
    FOR EACH ROW EXECUTE FUNCTION refuse_other_than_sealing();

-- The version before, while it still runs, updates the plain body alone: what was sealed of it is then no longer true.
CREATE FUNCTION unseal_what_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.body IS DISTINCT FROM OLD.body THEN
        NEW.sealed := NULL;
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER resource_is_sealed_again BEFORE UPDATE ON resource
    FOR EACH ROW EXECUTE FUNCTION unseal_what_changed();
