-- The fields of today's crashes that have no column of their own, to be searched by `fields @> '{"name": value}'`.
-- See fields.py; crashes of 2015 have null.

ALTER TABLE reports ADD COLUMN fields jsonb;
