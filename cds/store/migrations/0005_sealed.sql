-- The second step: everything is sealed by now (`cds db upgrade` saw to it under a lock), and what was plain goes.

DROP TRIGGER resource_is_sealed_again ON resource;
DROP FUNCTION unseal_what_changed;

ALTER TABLE score DROP body;
ALTER TABLE score ALTER sealed SET NOT NULL;
ALTER TABLE score RENAME sealed TO body;

ALTER TABLE prescreen DROP body, DROP patient;
ALTER TABLE prescreen ALTER sealed SET NOT NULL, ALTER patient_index SET NOT NULL;
ALTER TABLE prescreen RENAME sealed TO body;
ALTER TABLE prescreen RENAME patient_index TO patient;
ALTER INDEX prescreen_of RENAME TO prescreen_of_patient;

ALTER TABLE resource DROP body, DROP patient;
ALTER TABLE resource ALTER sealed SET NOT NULL;
ALTER TABLE resource RENAME sealed TO body;
ALTER TABLE resource RENAME patient_index TO patient;
ALTER INDEX resource_of RENAME TO resource_of_patient;

ALTER TABLE resource_version DROP body;
ALTER TABLE resource_version ALTER sealed SET NOT NULL;
ALTER TABLE resource_version RENAME sealed TO body;

ALTER TABLE card DROP body, DROP topic;
ALTER TABLE card ALTER sealed SET NOT NULL;
ALTER TABLE card RENAME sealed TO body;

ALTER TABLE feedback DROP body;
ALTER TABLE feedback ALTER sealed SET NOT NULL;
ALTER TABLE feedback RENAME sealed TO body;

ALTER TABLE outbox DROP payload;
ALTER TABLE outbox ALTER sealed SET NOT NULL;
ALTER TABLE outbox RENAME sealed TO body;

ALTER TABLE audit_event DROP body;
ALTER TABLE audit_event ALTER sealed SET NOT NULL;
ALTER TABLE audit_event RENAME sealed TO body;
