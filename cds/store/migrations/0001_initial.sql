-- What the service remembers. Every row belongs to one tenant, and is seen by that tenant alone.

-- What one model said of one input: remembered so that the same question is not computed twice.
CREATE TABLE score (
    tenant text NOT NULL CHECK (tenant <> ''),
    key text NOT NULL,
    kind text NOT NULL,
    body jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, key, kind)
);

CREATE TABLE prescreen (
    tenant text NOT NULL CHECK (tenant <> ''),
    id uuid NOT NULL,
    key text NOT NULL,
    patient text NOT NULL,
    fhir_server text NOT NULL,
    body jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, key)
);
CREATE INDEX prescreen_of_patient ON prescreen (tenant, patient, created_at DESC);

-- The FHIR resources that we author: the current version of each, and every version there was.
CREATE TABLE resource (
    tenant text NOT NULL CHECK (tenant <> ''),
    type text NOT NULL,
    id text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    patient text,
    fhir_server text,
    body jsonb NOT NULL,
    last_updated timestamptz NOT NULL,
    PRIMARY KEY (tenant, type, id)
);
CREATE INDEX resource_of_patient ON resource (tenant, type, patient, last_updated DESC);

CREATE TABLE resource_version (
    tenant text NOT NULL CHECK (tenant <> ''),
    type text NOT NULL,
    id text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    body jsonb NOT NULL,
    last_updated timestamptz NOT NULL,
    PRIMARY KEY (tenant, type, id, version),
    FOREIGN KEY (tenant, type, id) REFERENCES resource (tenant, type, id)
);

CREATE TABLE card (
    tenant text NOT NULL CHECK (tenant <> ''),
    uuid uuid NOT NULL,
    prescreen_id uuid,
    service text NOT NULL,
    topic text NOT NULL,
    body jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, uuid),
    FOREIGN KEY (tenant, prescreen_id) REFERENCES prescreen (tenant, id)
);
CREATE INDEX card_of_prescreen ON card (tenant, prescreen_id);

-- CDS Hooks 2.0, "Feedback": an EHR may send the same outcome twice.
CREATE TABLE feedback (
    tenant text NOT NULL CHECK (tenant <> ''),
    card uuid NOT NULL,
    outcome text NOT NULL,
    outcome_timestamp timestamptz NOT NULL,
    body jsonb NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, card, outcome, outcome_timestamp),
    FOREIGN KEY (tenant, card) REFERENCES card (tenant, uuid)
);

-- What is to be delivered to another system, written in the transaction of what it tells of.
CREATE TABLE outbox (
    tenant text NOT NULL CHECK (tenant <> ''),
    id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    destination text NOT NULL,
    idempotency_key text NOT NULL,
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz DEFAULT now(),  -- null when delivered, or when given up
    delivered_at timestamptz,
    last_error text,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, idempotency_key)
);
CREATE INDEX outbox_due ON outbox (tenant, next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX outbox_dead ON outbox (tenant, id) WHERE next_attempt_at IS NULL AND delivered_at IS NULL;

-- The audit trail: a chain of hashes per tenant, and where each chain ends.
CREATE TABLE audit_event (
    tenant text NOT NULL CHECK (tenant <> ''),
    seq bigint NOT NULL CHECK (seq > 0),
    id uuid NOT NULL,
    recorded timestamptz NOT NULL,
    previous_hash bytea NOT NULL CHECK (length(previous_hash) = 32),
    hash bytea NOT NULL CHECK (length(hash) = 32),
    body text NOT NULL,  -- the very text that was hashed, which jsonb would rewrite
    PRIMARY KEY (tenant, seq),
    UNIQUE (tenant, id)
);
CREATE INDEX audit_event_recorded ON audit_event (tenant, recorded);

CREATE TABLE audit_head (
    tenant text PRIMARY KEY CHECK (tenant <> ''),
    seq bigint NOT NULL,
    hash bytea NOT NULL CHECK (length(hash) = 32)
);

-- Not by grants alone: the owner of the tables is refused too.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END;
$$;
CREATE TRIGGER audit_event_is_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER resource_version_is_insert_only BEFORE UPDATE OR TRUNCATE ON resource_version
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_head_stays BEFORE DELETE OR TRUNCATE ON audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION refuse_shortening() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a chain of audit events only grows' USING ERRCODE = 'insufficient_privilege';
END;
$$;
CREATE TRIGGER audit_head_only_grows BEFORE UPDATE ON audit_head
    FOR EACH ROW WHEN (NEW.tenant <> OLD.tenant OR NEW.seq <= OLD.seq) EXECUTE FUNCTION refuse_shortening();

-- Row-level security, the owner included. Without a tenant set there is nothing to see and nothing to write.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['score', 'prescreen', 'resource', 'resource_version', 'card', 'feedback',
                                'outbox', 'audit_event', 'audit_head']
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
