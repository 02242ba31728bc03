-- What the other files leave out: groups of large objects with ACLs, other
-- grantors, names that look like parts of a header, deep partitions with
-- switched triggers, postponed objects that depend on one another.
SELECT lo_from_bytea(7001, 'one'), lo_from_bytea(7002, ''), lo_from_bytea(7005, decode(repeat('ab', 40000), 'hex')), lo_from_bytea(7009, decode(repeat('cd', 32768), 'hex'));
GRANT SELECT ON LARGE OBJECT 7001, 7002, 7005 TO r_reader WITH GRANT OPTION;
GRANT UPDATE ON LARGE OBJECT 7001, 7002, 7005 TO r_owner;
COMMENT ON LARGE OBJECT 7009 IS 'alone';

CREATE SCHEMA "s; Type: VIEW; Schema: t";
GRANT USAGE ON SCHEMA "s; Type: VIEW; Schema: t" TO r_reader;
CREATE TABLE "s; Type: VIEW; Schema: t"."u; Owner: v" (id integer PRIMARY KEY);
INSERT INTO "s; Type: VIEW; Schema: t"."u; Owner: v" VALUES (1), (2);
COMMENT ON TABLE "s; Type: VIEW; Schema: t"."u; Owner: v" IS 'odd';
GRANT SELECT ON "s; Type: VIEW; Schema: t"."u; Owner: v" TO r_reader WITH GRANT OPTION;
SET SESSION AUTHORIZATION r_reader;
GRANT SELECT ON "s; Type: VIEW; Schema: t"."u; Owner: v" TO r_owner;
RESET SESSION AUTHORIZATION;
CREATE SCHEMA "x; Owner: y";
CREATE TABLE "x; Owner: y"."z
; Tablespace: q" (a integer);
INSERT INTO "x; Owner: y"."z
; Tablespace: q" VALUES (5);
CREATE TABLE "x; Owner: y"."z ; Tablespace: q" (b text);
INSERT INTO "x; Owner: y"."z ; Tablespace: q" VALUES ('five');
CREATE TABLE "x; Owner: y"."empty
one" (a integer);
CREATE TABLE "x; Owner: y"."empty one" (b integer);
CREATE INDEX "i
j" ON "x; Owner: y"."z
; Tablespace: q" (a);
CREATE FUNCTION "x; Owner: y"."f
g"("a
b" integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
COMMENT ON FUNCTION "x; Owner: y"."f
g"(integer) IS E'c\nd';
GRANT EXECUTE ON FUNCTION "x; Owner: y"."f
g"(integer) TO r_reader;
CREATE SEQUENCE "x; Owner: y"."q'
s" START 7;
SELECT nextval($$"x; Owner: y"."q'
s"$$);

CREATE TABLE deep (id integer, part integer, note text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE deep_1 PARTITION OF deep FOR VALUES IN (1) PARTITION BY RANGE (id);
CREATE TABLE deep_1_a PARTITION OF deep_1 FOR VALUES FROM (0) TO (100);
CREATE TABLE deep_1_b PARTITION OF deep_1 FOR VALUES FROM (100) TO (200);
CREATE TABLE deep_2 PARTITION OF deep FOR VALUES IN (2);
INSERT INTO deep SELECT i, 1 + i % 2, 'as loaded' FROM generate_series(0, 199) i;
CREATE FUNCTION deep_mark() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.note := 'fired'; RETURN NEW; END$$;
CREATE TRIGGER deep_mark BEFORE INSERT ON deep FOR EACH ROW EXECUTE FUNCTION deep_mark();
CREATE TRIGGER deep_after AFTER INSERT ON deep FOR EACH ROW EXECUTE FUNCTION deep_mark();
ALTER TABLE deep_1_a DISABLE TRIGGER deep_after;
ALTER TABLE deep_2 ENABLE ALWAYS TRIGGER deep_after;
CREATE TABLE deep_ref (id integer NOT NULL, part integer, FOREIGN KEY (id, part) REFERENCES deep);
INSERT INTO deep_ref SELECT id, part FROM deep LIMIT 20;
CREATE UNIQUE INDEX deep_ref_u ON deep_ref (id);
ALTER TABLE deep_ref REPLICA IDENTITY USING INDEX deep_ref_u;
CREATE STATISTICS deep_st ON id, part FROM deep;
ALTER TABLE deep ENABLE ROW LEVEL SECURITY;
CREATE POLICY deep_p ON deep USING (id > 0);

CREATE TABLE base (id integer PRIMARY KEY, label text, n integer);
INSERT INTO base SELECT i, 'l' || i, i FROM generate_series(1, 500) i;
CREATE VIEW grouped AS SELECT id, label, count(*) AS c FROM base GROUP BY id;
CREATE VIEW regrouped AS SELECT g.id, b.label, sum(g.c) AS s FROM grouped g JOIN base b ON b.id = g.id GROUP BY g.id, b.id;
CREATE MATERIALIZED VIEW mat_grouped AS SELECT id, label, max(n) AS m FROM base GROUP BY id;
CREATE UNIQUE INDEX mat_grouped_id ON mat_grouped (id);
CREATE MATERIALIZED VIEW mat_on_mat AS SELECT count(*) AS c FROM mat_grouped;
CREATE MATERIALIZED VIEW mat_on_view AS SELECT * FROM regrouped;
COMMENT ON MATERIALIZED VIEW mat_grouped IS 'put off';
COMMENT ON VIEW grouped IS 'split';
CREATE FUNCTION mark_view() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
CREATE TRIGGER on_view INSTEAD OF INSERT ON grouped FOR EACH ROW EXECUTE FUNCTION mark_view();
CREATE RULE on_grouped AS ON DELETE TO regrouped DO INSTEAD NOTHING;
CREATE FUNCTION takes_grouped(g grouped) RETURNS bigint LANGUAGE sql AS 'SELECT g.c';
CREATE TABLE uses_type (g grouped);
GRANT SELECT ON grouped TO r_reader;
CREATE DOMAIN small AS integer;
CREATE TABLE smalls (s small);
INSERT INTO smalls VALUES (1000);
ALTER DOMAIN small ADD CONSTRAINT is_small CHECK (VALUE < 10) NOT VALID;
CREATE TABLE quoted ("a'b" text DEFAULT E'\\ ''x', "c\d" text DEFAULT 'e\f');
INSERT INTO quoted VALUES (E'\t\n\r\\', E'\\.'), ('', NULL), ('''; --', '/* $$ */');
CREATE TABLE wide AS SELECT i AS id, repeat(chr(65 + i % 26), 5000) || E'\\\n\\.\n' AS body FROM generate_series(1, 100) i;
CREATE PUBLICATION pub_more FOR TABLE base, deep;
CREATE TABLE loop_a (id integer PRIMARY KEY, b integer);
CREATE TABLE loop_b (id integer PRIMARY KEY, a integer REFERENCES loop_a);
ALTER TABLE loop_a ADD FOREIGN KEY (b) REFERENCES loop_b;
INSERT INTO loop_a VALUES (1, NULL);
INSERT INTO loop_b VALUES (1, 1);
UPDATE loop_a SET b = 1;
