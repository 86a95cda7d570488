-- Schema version 1, with the events that TestUpgrade calls released.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO goose_db_version VALUES(1,0,1,'2026-11-22 10:19:43');
INSERT INTO goose_db_version VALUES(2,1,1,'2026-11-22 10:19:43');
CREATE TABLE head (
	one   INTEGER PRIMARY KEY CHECK (one = 1),
	rev   INTEGER NOT NULL,
	event BLOB NOT NULL
) STRICT;
INSERT INTO head VALUES(1,5,X'01990000000070008000000000000005');
CREATE TABLE shown (
	digest BLOB PRIMARY KEY, -- SHA-256
	text   TEXT NOT NULL
) STRICT;
INSERT INTO shown VALUES(X'9ed46294bf5a1e56daee17fdaed0a2d53beefe84d8f1c68cc34a928388c9b89d','Письма «Примера»');
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
INSERT INTO event VALUES(1,X'01990000000070008000000000000001','k1.a','','news','grant','page',1777863721000000,NULL,'n0tice',X'9ed46294bf5a1e56daee17fdaed0a2d53beefe84d8f1c68cc34a928388c9b89d','en','p0licy','r1','192.0.2.0/24');
INSERT INTO event VALUES(2,X'01990000000070008000000000000002','k1.a','','news','withdraw','page',1777863721000000,NULL,'n0tice',NULL,'','p0licy','','');
INSERT INTO event VALUES(3,X'01990000000070008000000000000003','k1.b','','post','object','page',1777863721000000,NULL,'n0tice',NULL,'','p0licy','','');
INSERT INTO event VALUES(4,X'01990000000070008000000000000004','k1.a','k1.b','','link','page',1777863721000000,NULL,'n0tice',NULL,'','p0licy','','');
INSERT INTO event VALUES(5,X'01990000000070008000000000000005','k1.b','','news','grant','page',1777863721000000,1809399721000000,'n0tice',X'9ed46294bf5a1e56daee17fdaed0a2d53beefe84d8f1c68cc34a928388c9b89d','ru','p0licy','','');
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
INSERT INTO state VALUES('k1.a','news',2,'withdraw',1777863721000000);
INSERT INTO state VALUES('k1.b','news',5,'grant',1809399721000000);
INSERT INTO state VALUES('k1.b','post',3,'object',NULL);
CREATE TABLE superseded (
	rev   INTEGER PRIMARY KEY REFERENCES event (rev),
	since INTEGER NOT NULL
) STRICT;
INSERT INTO superseded VALUES(1,1777863721000000);
CREATE TABLE link (
	subject TEXT PRIMARY KEY,
	person  TEXT NOT NULL -- one of the person's subjects
) STRICT, WITHOUT ROWID;
INSERT INTO link VALUES('k1.a','k1.a');
INSERT INTO link VALUES('k1.b','k1.a');
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('goose_db_version',2);
CREATE INDEX event_subject ON event (subject);
CREATE INDEX event_shown ON event (shown) WHERE shown IS NOT NULL;
CREATE INDEX event_address ON event (time) WHERE address <> '';
CREATE INDEX state_due ON state (action, due) WHERE due IS NOT NULL;
CREATE INDEX superseded_since ON superseded (since);
CREATE INDEX link_person ON link (person);
COMMIT;
