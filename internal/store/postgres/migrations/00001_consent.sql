-- +goose Up
SET LOCAL statement_timeout = 0; -- a migration may take its time

-- head is locked by whoever appends, so that revisions follow the order of the
-- commits, without gaps. It holds no counter: a row that each commit writes
-- anew grows a tail of dead versions as long as anybody's transaction or dump
-- is open, and every decision would have to read past it.
CREATE TABLE modicum.head (
	one   boolean PRIMARY KEY DEFAULT true CHECK (one),
	-- The last event when it was pruned: its revision is not given again.
	rev   bigint NOT NULL DEFAULT 0,
	event uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
	-- The longest that any process was ever told to decide by what it read
	-- before, in microseconds.
	lease bigint NOT NULL DEFAULT 0
);
INSERT INTO modicum.head DEFAULT VALUES;

-- The texts that people were shown, each once.
CREATE TABLE modicum.shown (
	digest bytea PRIMARY KEY, -- SHA-256
	text   text NOT NULL
);

-- What people chose. Rows are never updated, but that addresses are forgotten.
CREATE TABLE modicum.event (
	rev      bigint PRIMARY KEY,
	id       uuid NOT NULL UNIQUE,
	subject  text NOT NULL,
	other    text NOT NULL, -- of a link
	purpose  text NOT NULL,
	action   text NOT NULL,
	source   text NOT NULL,
	time     timestamptz NOT NULL,
	expires  timestamptz,
	notice   text NOT NULL,
	shown    bytea REFERENCES modicum.shown (digest),
	language text NOT NULL, -- of the text shown; the same text can stand for two
	policy   text NOT NULL,
	receipt  text NOT NULL,
	address  text NOT NULL
);
CREATE INDEX event_subject ON modicum.event (subject, rev);
CREATE INDEX event_shown ON modicum.event (shown) WHERE shown IS NOT NULL;
CREATE INDEX event_address ON modicum.event (time) WHERE address <> '';

-- The revision of the last event, and its ID: with both, a history that was
-- restored and went on differently can be told apart.
CREATE VIEW modicum.latest AS
	SELECT rev, id FROM (
		(SELECT rev, id FROM modicum.event ORDER BY rev DESC LIMIT 1)
		UNION ALL
		SELECT rev, event FROM modicum.head
	) AS candidate
	ORDER BY rev DESC LIMIT 1;

-- The latest event of each subject and purpose.
CREATE TABLE modicum.state (
	subject text NOT NULL,
	purpose text NOT NULL,
	rev     bigint NOT NULL UNIQUE REFERENCES modicum.event,
	action  text NOT NULL,
	-- When something has to be done about it: a grant expires; a refusal, a
	-- withdrawal, an expiry is as old as this.
	due     timestamptz,
	PRIMARY KEY (subject, purpose)
);
CREATE INDEX state_due ON modicum.state (action, due) WHERE due IS NOT NULL;

-- The events that are not the latest any more, and since when.
CREATE TABLE modicum.superseded (
	rev   bigint PRIMARY KEY REFERENCES modicum.event,
	since timestamptz NOT NULL
);
CREATE INDEX superseded_since ON modicum.superseded (since);

-- Which subjects are one person. A subject that is linked to none has no row.
CREATE TABLE modicum.link (
	subject text PRIMARY KEY,
	person  text NOT NULL -- one of the person's subjects
);
CREATE INDEX link_person ON modicum.link (person);

-- append stores a batch of events, those that are stored already excepted, and
-- returns the revision of the last event of all, the lease and the revision of
-- each event. It is one statement, that is one transaction in one message: a
-- proxy that stops or is cut off in the middle does not keep the lock of head.
-- +goose StatementBegin
CREATE FUNCTION modicum.append(events json, texts json, most integer, durable boolean,
	OUT head bigint, OUT leased bigint, OUT revs bigint[])
LANGUAGE plpgsql AS $$
DECLARE
	ids    uuid[];
	fresh  modicum.event[];
	base   bigint;
	linked modicum.event;
	people text[];
BEGIN
	-- Whatever the server's default: an answer means that the disk has it, and
	-- the synchronous standbys if there are any.
	IF durable AND current_setting('synchronous_commit') <> 'remote_apply' THEN
		PERFORM set_config('synchronous_commit', 'on', true);
	END IF;

	-- The statements that follow see what was committed before the lock was
	-- got, including these same events when their first sending was slow. Even
	-- if nothing is new the lock is written to the log, so that this commit
	-- waits for all that came before it.
	SELECT h.lease INTO leased FROM modicum.head h FOR UPDATE;
	SELECT l.rev INTO base FROM modicum.latest l;

	WITH given AS (
		SELECT * FROM json_to_recordset(events) AS g(n integer, id uuid, subject text, other text, purpose text,
			action text, source text, "time" timestamptz, expires timestamptz, notice text, shown text,
			language text, policy text, receipt text, address text)
	), once AS (
		SELECT DISTINCT ON (g.id) g.* FROM given g
		WHERE NOT EXISTS (SELECT FROM modicum.event e WHERE e.id = g.id)
		ORDER BY g.id, g.n
	), numbered AS (
		SELECT ROW(base + row_number() OVER (ORDER BY n), id, subject, other, purpose, action, source, "time", expires,
			notice, decode(shown, 'hex'), language, policy, receipt, address)::modicum.event AS event
		FROM once
	)
	SELECT (SELECT array_agg(g.id ORDER BY g.n) FROM given g), (SELECT array_agg(event) FROM numbered)
	INTO ids, fresh;

	IF fresh IS NOT NULL THEN
		INSERT INTO modicum.shown
		SELECT decode(t.digest, 'hex'), t.text FROM json_to_recordset(texts) AS t(digest text, text text)
		ON CONFLICT DO NOTHING;
		INSERT INTO modicum.event SELECT * FROM unnest(fresh);

		FOR linked IN SELECT * FROM unnest(fresh) f WHERE f.action = 'link' ORDER BY f.rev LOOP
			SELECT array_agg(subject) INTO people FROM (
				SELECT linked.subject UNION SELECT linked.other UNION
				SELECT o.subject FROM modicum.link l JOIN modicum.link o USING (person)
				WHERE l.subject IN (linked.subject, linked.other)
			) AS merged(subject);
			IF cardinality(people) > most THEN
				RAISE EXCEPTION 'too many subjects are linked to one person' USING ERRCODE = 'MD001', DETAIL = linked.id;
			END IF;
			INSERT INTO modicum.link SELECT unnest(people), linked.subject
			ON CONFLICT (subject) DO UPDATE SET person = excluded.person;
		END LOOP;

		INSERT INTO modicum.superseded
		SELECT s.rev, f.time FROM modicum.state s JOIN (
			SELECT DISTINCT ON (subject, purpose) * FROM unnest(fresh) WHERE action <> 'link' ORDER BY subject, purpose, rev
		) AS f USING (subject, purpose)
		UNION ALL
		SELECT f.rev, f.since FROM (
			SELECT rev, lead(time) OVER (PARTITION BY subject, purpose ORDER BY rev) AS since
			FROM unnest(fresh) WHERE action <> 'link'
		) AS f WHERE f.since IS NOT NULL;

		INSERT INTO modicum.state
		SELECT DISTINCT ON (subject, purpose) subject, purpose, rev, action, CASE
			WHEN action = 'grant' THEN expires
			WHEN action IN ('refuse', 'withdraw', 'expire') THEN time
		END FROM unnest(fresh) WHERE action <> 'link' ORDER BY subject, purpose, rev DESC
		ON CONFLICT (subject, purpose) DO UPDATE SET rev = excluded.rev, action = excluded.action, due = excluded.due;

		PERFORM pg_notify('modicum', '');
	END IF;

	head := base + coalesce(cardinality(fresh), 0);
	SELECT array_agg(e.rev ORDER BY i.n) INTO revs
	FROM unnest(ids) WITH ORDINALITY AS i(id, n) JOIN modicum.event e USING (id);
END
$$;
-- +goose StatementEnd

-- prune deletes at most so many events that were superseded before a time, or
-- deny since before it and are still the latest, and returns how many. What
-- denies stays while a linked subject has an older grant, which would count
-- again without it.
-- +goose StatementBegin
CREATE FUNCTION modicum.prune(before timestamptz, most integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
	gone  bigint[];
	texts bytea[];
BEGIN
	PERFORM FROM modicum.head FOR UPDATE; -- nobody appends meanwhile
	SELECT array_agg(old.rev) INTO gone FROM (
		(SELECT p.rev FROM modicum.superseded p WHERE p.since < before ORDER BY p.since LIMIT most)
		UNION ALL
		(SELECT s.rev FROM modicum.state s
		WHERE s.action IN ('refuse', 'withdraw', 'expire') AND s.due < before AND NOT EXISTS (
			SELECT FROM modicum.link l JOIN modicum.link o USING (person) JOIN modicum.state g ON g.subject = o.subject
			WHERE l.subject = s.subject AND g.purpose = s.purpose AND g.action = 'grant' AND g.rev < s.rev
		)
		ORDER BY s.due LIMIT most)
		LIMIT most
	) AS old;
	IF gone IS NULL THEN
		RETURN 0;
	END IF;
	SELECT array_agg(DISTINCT e.shown) INTO texts FROM modicum.event e WHERE e.rev = ANY (gone) AND e.shown IS NOT NULL;
	UPDATE modicum.head h SET rev = l.rev, event = l.id FROM modicum.latest l WHERE l.rev = ANY (gone);
	DELETE FROM modicum.superseded p WHERE p.rev = ANY (gone);
	DELETE FROM modicum.state s WHERE s.rev = ANY (gone);
	DELETE FROM modicum.event e WHERE e.rev = ANY (gone);
	DELETE FROM modicum.shown t WHERE t.digest = ANY (texts)
		AND NOT EXISTS (SELECT FROM modicum.event e WHERE e.shown = t.digest);
	RETURN cardinality(gone);
END
$$;
-- +goose StatementEnd
