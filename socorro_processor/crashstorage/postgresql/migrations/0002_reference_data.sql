-- Reference data: what the rules look up about products, releases and systems. See reference/tables.py.

CREATE TABLE product_productid_map (
    productid text PRIMARY KEY,
    product_name text NOT NULL,
    rewrite boolean NOT NULL DEFAULT false
);

CREATE TABLE product_versions (
    product text NOT NULL,
    release_version text NOT NULL,
    build_type text NOT NULL,
    build_id bigint NOT NULL,
    version_string text NOT NULL,
    PRIMARY KEY (product, release_version, build_type, build_id)
);

CREATE TABLE windows_versions (
    major integer NOT NULL,
    minor integer NOT NULL,
    name text NOT NULL,
    PRIMARY KEY (major, minor)
);
