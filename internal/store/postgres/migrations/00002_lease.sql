-- +goose Up
SET LOCAL statement_timeout = 0;

-- What makes head.lease fall, see lease.go. It is a table of its own, because
-- adding columns to head would wait for every reader of it, such as a dump,
-- while all decisions wait behind that.
CREATE TABLE modicum.lease (
	one    boolean PRIMARY KEY DEFAULT true CHECK (one),
	-- The lease before it fell, in microseconds, which holds until all who read
	-- under it have read again.
	before bigint NOT NULL DEFAULT 0,
	until  timestamptz NOT NULL DEFAULT '-infinity',
	-- The lease does not fall below this. A process of the version before this
	-- one may have that lease, and does not raise it again.
	floor  bigint NOT NULL
);
INSERT INTO modicum.lease (floor) SELECT lease FROM modicum.head;

-- Who may use head may use this.
-- +goose StatementBegin
DO $$
DECLARE
	command text;
BEGIN
	FOR command IN
		SELECT format('GRANT %s ON modicum.lease TO %s', a.privilege_type,
			CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
		FROM pg_class c, aclexplode(c.relacl) a
		WHERE c.oid = 'modicum.head'::regclass AND a.privilege_type IN ('SELECT', 'UPDATE')
	LOOP
		EXECUTE command;
	END LOOP;
END
$$;
-- +goose StatementEnd
