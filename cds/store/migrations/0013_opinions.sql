-- What a clinician said of a prescreen without signing it stands beside what was signed, and never changes either.
ALTER TABLE review ADD COLUMN signed boolean NOT NULL DEFAULT true;
