-- A database whose script is easily printed wrong. Loaded into servers of any
-- release from 13 on; the role odx_owner has to exist.
CREATE SCHEMA "select";
CREATE SCHEMA json;
CREATE TABLE "select"."Two
lines" (id integer PRIMARY KEY, "from" text, merge_action text DEFAULT E'a\\b\n--\n');
INSERT INTO "select"."Two
lines" VALUES (1, E'tab\t, backslash \\, \\.', NULL), (2, '', '\.');
ALTER TABLE "select"."Two
lines" OWNER TO odx_owner;
CREATE TABLE json.nothing ();
INSERT INTO json.nothing DEFAULT VALUES;
CREATE TABLE json.parted (a integer, b text) PARTITION BY LIST (b);
CREATE TABLE json.part PARTITION OF json.parted FOR VALUES IN ('x');
INSERT INTO json.parted VALUES (1, 'x');
CREATE FUNCTION json.trigger() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE EVENT TRIGGER "Event" ON ddl_command_start WHEN TAG IN ('CREATE TABLE AS') EXECUTE FUNCTION json.trigger();
COMMENT ON EVENT TRIGGER "Event" IS 'printed last';
CREATE VIEW json.view AS SELECT id FROM "select"."Two
lines";
ALTER VIEW json.view OWNER TO odx_owner;
CREATE SEQUENCE json.sequence START 7;
ALTER SEQUENCE json.sequence OWNER TO odx_owner;
CREATE MATERIALIZED VIEW json.matview AS SELECT 1 AS one;
ALTER MATERIALIZED VIEW json.matview OWNER TO odx_owner;
GRANT SELECT ON json.view TO odx_owner, PUBLIC;
GRANT UPDATE (a) ON json.parted TO odx_owner;
ALTER DEFAULT PRIVILEGES IN SCHEMA json GRANT SELECT ON TABLES TO odx_owner;
SELECT lo_from_bytea(4294967000, decode(repeat('005c27', 10000), 'hex'));
SELECT lo_from_bytea(16384, decode(repeat('ab', 16384), 'hex'));
SELECT lo_create(16385);
SELECT lo_from_bytea(16386, decode(repeat('cd', 16385), 'hex'));
ALTER LARGE OBJECT 16384 OWNER TO odx_owner;
GRANT SELECT, UPDATE ON LARGE OBJECT 16385 TO odx_owner WITH GRANT OPTION;
GRANT SELECT, UPDATE ON LARGE OBJECT 16386 TO odx_owner WITH GRANT OPTION;
COMMENT ON LARGE OBJECT 16386 IS 'a comment';
