-- Creates the role with which the pipeline logs in, and makes it the owner of all databases.
-- Runs in single-user mode, in which the role of the session is always the superuser: ALTER ROLE would not rename that.
UPDATE pg_authid SET rolname = 'pin_superuser' WHERE oid = 10;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'pin') THEN
        CREATE ROLE pin;
    END IF;
END $$;

ALTER ROLE pin LOGIN CREATEDB NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :password;

DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT datname FROM pg_database WHERE NOT datistemplate LOOP
        EXECUTE format('ALTER DATABASE %I OWNER TO pin', name);
    END LOOP;
END $$;

SELECT encode(convert_to(datname, 'UTF8'), 'hex') AS name FROM pg_database WHERE datallowconn AND NOT datistemplate;

