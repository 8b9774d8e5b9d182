-- Makes the role of the pipeline the owner of everything that the superuser (10) has created in a database.
-- ALTER TABLE is for views and sequences too; the sequence of a column follows its table.
DO $$
DECLARE object text;
BEGIN
    FOR object IN
        SELECT format('SCHEMA %s', oid::regnamespace) FROM pg_namespace
        WHERE oid >= 16384 AND nspowner = 10 AND nspname !~ '^pg_'
        UNION ALL
        SELECT format('ROUTINE %s', oid::regprocedure) FROM pg_proc WHERE oid >= 16384 AND proowner = 10
        UNION ALL
        SELECT format('TABLE %s', oid::regclass) FROM pg_class
        WHERE oid >= 16384 AND relowner = 10 AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND relpersistence <> 't'
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND relkind = 'S' AND deptype IN ('a', 'i'))
    LOOP
        EXECUTE format('ALTER %s OWNER TO pin', object);
    END LOOP;
END $$;

