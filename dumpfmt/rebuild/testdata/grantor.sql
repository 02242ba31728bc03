-- Large objects that another role than their owner grants. Of a group of them
-- pg_dump 17 and 18 print SQL that no server takes, so this can be compared and
-- not restored.
SELECT lo_from_bytea(7001, 'one'), lo_from_bytea(7002, ''), lo_from_bytea(7005, 'five');
GRANT SELECT ON LARGE OBJECT 7001, 7002, 7005 TO r_reader WITH GRANT OPTION;
SET SESSION AUTHORIZATION r_reader;
GRANT SELECT ON LARGE OBJECT 7001, 7002, 7005 TO r_owner;
RESET SESSION AUTHORIZATION;
