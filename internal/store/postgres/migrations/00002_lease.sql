-- +goose Up
-- A lease that was lowered holds until every process that was told the longer
-- one has read again: lease_before until lease_until.
ALTER TABLE modicum.head ADD COLUMN lease_before bigint NOT NULL DEFAULT 0;
ALTER TABLE modicum.head ADD COLUMN lease_until timestamptz NOT NULL DEFAULT '-infinity';
