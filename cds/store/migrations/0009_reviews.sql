-- What clinicians said of prescreens when they signed. Like all that was said, it never changes.
CREATE TABLE review (
    tenant text NOT NULL CHECK (tenant <> ''),
    id uuid NOT NULL,  -- the act: a form that is sent twice is one
    prescreen_id uuid NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, prescreen_id) REFERENCES prescreen (tenant, id)
);
CREATE INDEX review_of_prescreen ON review (tenant, prescreen_id, created_at);

ALTER TABLE review ENABLE ROW LEVEL SECURITY;
ALTER TABLE review FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON review
    USING (tenant = (SELECT current_setting('cds.tenant', true)))
    WITH CHECK (tenant = (SELECT current_setting('cds.tenant', true)));
