-- What the record before the position was: it tells a topic that was made anew under its old name.
ALTER TABLE log_position ADD COLUMN fingerprint TEXT NOT NULL DEFAULT '';
