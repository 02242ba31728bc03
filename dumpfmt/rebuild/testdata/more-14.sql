-- Functions with bodies that are parsed, for releases from 14 on.
CREATE FUNCTION atomic_case(x integer) RETURNS integer LANGUAGE sql BEGIN ATOMIC
  SELECT CASE WHEN x > 1 THEN (SELECT CASE x WHEN 2 THEN 3 ELSE 4 END) ELSE 5 END;
  SELECT CASE WHEN x > 1 THEN 2 ELSE CASE WHEN x > 0 THEN 7 END END;
END;
CREATE FUNCTION atomic_on_pk() RETURNS SETOF bigint LANGUAGE sql BEGIN ATOMIC
  SELECT count(b.label) + b.n FROM base b GROUP BY b.id;
END;
CREATE FUNCTION atomic_on_view() RETURNS SETOF integer LANGUAGE sql BEGIN ATOMIC
  SELECT id FROM regrouped;
END;
CREATE VIEW on_atomic AS SELECT * FROM atomic_on_pk() AS a(n);
COMMENT ON FUNCTION atomic_on_pk() IS 'put off';
GRANT EXECUTE ON FUNCTION atomic_on_pk() TO r_reader;
CREATE TABLE "begin" ("end" integer, "case" text, begin integer, atomic integer);
INSERT INTO "begin" VALUES (1, 'x', 2, 3);
CREATE FUNCTION atomic_names(begin integer, atomic integer) RETURNS integer LANGUAGE sql BEGIN ATOMIC
  SELECT "end" + begin.begin + begin.atomic FROM "begin";
  SELECT atomic_names.begin + atomic_names.atomic;
END;
CREATE FUNCTION atomic_quote() RETURNS text LANGUAGE sql BEGIN ATOMIC
  SELECT 'END;
--
-- Name: fake; Type: TABLE; Schema: public; Owner: -
--

'::text;
END;
