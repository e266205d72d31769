-- By what the FHIR resources that we serve can be found, and the exports that clients asked for.
--
-- Derived from the resources alone, and written with them. Values are kept as 64-bit terms (cds/store/search/terms.py),
-- so that nothing readable stands here, and compared with operators that row-level security lets an index answer.

CREATE TABLE search_row (
    tenant text NOT NULL CHECK (tenant <> ''),
    number bigint GENERATED ALWAYS AS IDENTITY,
    type text NOT NULL,
    id text NOT NULL,
    patient bigint,  -- in whose compartment it is
    last_updated timestamptz NOT NULL,
    date_low timestamptz,  -- the type's own date or period
    date_high timestamptz,
    issued timestamptz,  -- when it was issued or modified
    terms bigint[] NOT NULL,
    PRIMARY KEY (tenant, number),
    UNIQUE (tenant, type, id)
);
CREATE INDEX search_row_by_update ON search_row (tenant, type, last_updated, number);
CREATE INDEX search_row_of_patient ON search_row (tenant, type, patient, last_updated, number)
    WHERE patient IS NOT NULL;
CREATE INDEX search_row_by_date ON search_row (tenant, type, (coalesce(date_low, '-infinity')), number)
    WHERE type <> 'AuditEvent';

-- The terms of parameters that few resources share: the way in for a search without a patient.
CREATE TABLE search_term (
    tenant text NOT NULL,
    term bigint NOT NULL,
    last_updated timestamptz NOT NULL,
    number bigint NOT NULL,
    PRIMARY KEY (tenant, term, last_updated, number)
);

-- FHIR Bulk Data Access: what was asked for, and which versions it is made of. No content is copied.
CREATE TABLE bulk_export (
    tenant text NOT NULL CHECK (tenant <> ''),
    id uuid NOT NULL,
    owner text NOT NULL,  -- the client that asked, and alone may fetch
    request text NOT NULL,
    types text[] NOT NULL,
    fhir_server text,  -- a Group: the patients of one EHR
    since timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    done_at timestamptz,
    failed text,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX bulk_export_expiry ON bulk_export (tenant, expires_at);

CREATE TABLE bulk_export_file (
    tenant text NOT NULL CHECK (tenant <> ''),
    export uuid NOT NULL,
    number integer NOT NULL,
    type text NOT NULL,
    ids text[] NOT NULL,
    versions integer[] NOT NULL,
    PRIMARY KEY (tenant, export, number),
    FOREIGN KEY (tenant, export) REFERENCES bulk_export (tenant, id) ON DELETE CASCADE
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['search_row', 'search_term', 'bulk_export', 'bulk_export_file']
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
