-- The last run of each job of `socorro cron`, on any host. See jobs/ledger.py.

CREATE TABLE jobs (
    name text PRIMARY KEY,
    host text NOT NULL,
    started timestamptz NOT NULL,
    ended timestamptz,
    succeeded boolean,
    summary text NOT NULL,
    memory jsonb NOT NULL
);
