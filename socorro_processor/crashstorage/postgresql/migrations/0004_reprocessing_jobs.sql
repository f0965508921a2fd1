-- Crash ids that other programs want to be processed again: `socorro cron reprocessing-jobs` puts them into the
-- reprocessing queue. Installations of 2016 may have the first table, perhaps with a uuid as its column.

CREATE TABLE IF NOT EXISTS reprocessing_jobs (
    crash_id text NOT NULL
);

-- Its rows that are not crash ids.
CREATE TABLE reprocessing_jobs_refused (
    crash_id text NOT NULL,
    reason text NOT NULL,
    refused timestamptz NOT NULL DEFAULT now()
);
