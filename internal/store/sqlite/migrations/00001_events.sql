-- Times are microseconds since 1970, UTC.

-- +goose Up

-- The revision of the latest event, and its ID: with both, a copy of this
-- database that was restored and went on differently can be told apart.
CREATE TABLE head (
	one   INTEGER PRIMARY KEY CHECK (one = 1),
	rev   INTEGER NOT NULL,
	event BLOB NOT NULL
) STRICT;
INSERT INTO head (one, rev, event) VALUES (1, 0, zeroblob(16));

-- The texts that people were shown, each once.
CREATE TABLE shown (
	digest BLOB PRIMARY KEY, -- SHA-256
	text   TEXT NOT NULL
) STRICT;

CREATE TABLE event (
	rev      INTEGER PRIMARY KEY,
	id       BLOB NOT NULL UNIQUE,
	subject  TEXT NOT NULL,
	other    TEXT NOT NULL,
	purpose  TEXT NOT NULL,
	action   TEXT NOT NULL,
	source   TEXT NOT NULL,
	time     INTEGER NOT NULL,
	expires  INTEGER,
	notice   TEXT NOT NULL,
	-- Deferred, so that a text is stored after the event that brings it.
	shown    BLOB REFERENCES shown (digest) DEFERRABLE INITIALLY DEFERRED,
	language TEXT NOT NULL, -- of the text shown; the same text can stand for two
	policy   TEXT NOT NULL,
	receipt  TEXT NOT NULL,
	address  TEXT NOT NULL
) STRICT;
CREATE INDEX event_subject ON event (subject);
CREATE INDEX event_shown ON event (shown) WHERE shown IS NOT NULL;
CREATE INDEX event_address ON event (time) WHERE address <> '';

-- The latest event of each subject and purpose.
CREATE TABLE state (
	subject TEXT NOT NULL,
	purpose TEXT NOT NULL,
	rev     INTEGER NOT NULL UNIQUE REFERENCES event (rev),
	action  TEXT NOT NULL,
	-- When something has to be done about it: a grant expires; a refusal, a
	-- withdrawal, an expiry is as old as this.
	due     INTEGER,
	PRIMARY KEY (subject, purpose)
) STRICT, WITHOUT ROWID;
CREATE INDEX state_due ON state (action, due) WHERE due IS NOT NULL;

-- The events that are not the latest any more, and since when.
CREATE TABLE superseded (
	rev   INTEGER PRIMARY KEY REFERENCES event (rev),
	since INTEGER NOT NULL
) STRICT;
CREATE INDEX superseded_since ON superseded (since);

-- Which subjects are one person. A subject that is linked to none has no row.
CREATE TABLE link (
	subject TEXT PRIMARY KEY,
	person  TEXT NOT NULL -- one of the person's subjects
) STRICT, WITHOUT ROWID;
CREATE INDEX link_person ON link (person);
