-- Crashes. Every table but `plugins` is partitioned by the week of the crash id's date; partitions are
-- made by the processor (`reports_20161121`), and crashes dated too far from today are in the default one.
-- columns.py limits the length of texts; nothing here does.

CREATE TABLE reports (
    uuid text NOT NULL,
    crash_date date NOT NULL,
    client_crash_date timestamptz,
    date_processed timestamptz NOT NULL,
    product text,
    version text,
    build text,
    signature text,
    url text,
    install_age bigint,
    last_crash bigint,
    uptime bigint,
    cpu_name text,
    cpu_info text,
    reason text,
    address text,
    os_name text,
    os_version text,
    email text,
    user_id text,
    started_datetime timestamptz,
    completed_datetime timestamptz,
    success boolean,
    truncated boolean,
    processor_notes text,
    user_comments text,
    app_notes text,
    distributor text,
    distributor_version text,
    topmost_filenames text,
    addons_checked boolean,
    flash_version text,
    hangid text,
    process_type text,
    release_channel text,
    productid text,
    exploitability text,
    PRIMARY KEY (uuid, crash_date)
) PARTITION BY RANGE (crash_date);
CREATE TABLE reports_default PARTITION OF reports DEFAULT;

CREATE TABLE processed_crashes (
    uuid text NOT NULL,
    crash_date date NOT NULL,
    date_processed timestamptz NOT NULL,
    processed_crash jsonb NOT NULL,
    PRIMARY KEY (uuid, crash_date)
) PARTITION BY RANGE (crash_date);
CREATE TABLE processed_crashes_default PARTITION OF processed_crashes DEFAULT;

CREATE TABLE raw_crashes (
    uuid text NOT NULL,
    crash_date date NOT NULL,
    date_processed timestamptz NOT NULL,
    raw_crash jsonb NOT NULL,
    PRIMARY KEY (uuid, crash_date)
) PARTITION BY RANGE (crash_date);
CREATE TABLE raw_crashes_default PARTITION OF raw_crashes DEFAULT;

CREATE TABLE plugins (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    filename text NOT NULL,
    name text NOT NULL,
    UNIQUE (filename, name)
);

-- No foreign key: attaching a partition would have to lock `plugins` against every processor for it.
CREATE TABLE plugins_reports (
    uuid text NOT NULL,
    crash_date date NOT NULL,
    plugin_id bigint NOT NULL,
    date_processed timestamptz NOT NULL,
    version text NOT NULL,
    PRIMARY KEY (uuid, crash_date)
) PARTITION BY RANGE (crash_date);
CREATE TABLE plugins_reports_default PARTITION OF plugins_reports DEFAULT;

CREATE TABLE missing_symbols (
    uuid text NOT NULL,
    crash_date date NOT NULL,
    date_processed timestamptz NOT NULL,
    debug_file text NOT NULL,
    debug_id text NOT NULL,
    code_file text,
    code_id text,
    UNIQUE (crash_date, uuid, debug_file, debug_id)
) PARTITION BY RANGE (crash_date);
CREATE TABLE missing_symbols_default PARTITION OF missing_symbols DEFAULT;
