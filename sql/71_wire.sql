-- Scripts that the library runs in the wire database (src/replication/README.md).
--
-- A wire is a database of stock PostgreSQL without this extension, so what it
-- needs is sent there as text.  A script writes nothing where nothing is
-- missing.

CREATE FUNCTION ledger_internal.wire_prefix() RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT 'ledger_' || substr(encode(chain_id, 'hex'), 1, 8) FROM ledger_internal.node $$;
CREATE FUNCTION ledger_internal.wire_role(member bigint) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT ledger_internal.wire_prefix() || '_' || $1 $$;
CREATE FUNCTION ledger_internal.wire_slot(publisher bigint, subscriber bigint, kind text) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT format('%s_%s_%s_%s', ledger_internal.wire_prefix(), $1, $2, $3) $$;
COMMENT ON FUNCTION ledger_internal.wire_prefix() IS 'begins the name of every role and slot of this ledger''s wires';
COMMENT ON FUNCTION ledger_internal.wire_role(bigint) IS 'the role of that member in the wires of the others';
COMMENT ON FUNCTION ledger_internal.wire_slot(bigint, bigint, text) IS
    'the slot in the publisher''s wire that feeds the subscriber; kind is log or body';

CREATE FUNCTION ledger_internal.wire_fill(script text) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT replace(replace(replace(replace(replace(replace($1,
           '%prefix%', ledger_internal.wire_prefix()),
           '%chain%', encode(chain_id, 'hex')),
           '%self%', member::text),
           '%members%', (SELECT array_agg(m ORDER BY m)::text
                           FROM (SELECT member FROM ledger_internal.node
                                  UNION SELECT member FROM ledger_internal.peer
                                  UNION SELECT number FROM ledger_internal.invitation) AS u (m))),
           '%barred%', (SELECT coalesce(array_agg(member), '{}')::text FROM ledger_internal.peer
                         WHERE left_at < now() - interval '1 hour')),
           '%linked%', (SELECT array_agg(m ORDER BY m)::text
                          FROM (SELECT member FROM ledger_internal.node
                                 UNION SELECT member FROM ledger_internal.peer WHERE left_at IS NULL) AS u (m)))
  FROM ledger_internal.node
$$;
COMMENT ON FUNCTION ledger_internal.wire_fill(text) IS 'a script with this ledger''s names and members filled in';

-- Schema, tables, guards, publications, roles.
CREATE FUNCTION ledger_internal.wire_repair_script() RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $function$ SELECT ledger_internal.wire_fill($script$
DO $ledger$
DECLARE
    self CONSTANT bigint := %self%;
    members CONSTANT bigint[] := '%members%';
    barred CONSTANT bigint[] := '%barred%';
    old_functions CONSTANT text[] := '{on_arrival(),on_chunk(),batch_digest(bytea),block_hash(bytea),row_digest(bytea)}';
    item record;
    other record;
BEGIN
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);

    -- somebody else's wire is not touched
    IF to_regclass('ledger_wire.identity') IS NOT NULL THEN
        FOR other IN EXECUTE 'SELECT chain, member FROM ledger_wire.identity' LOOP
            IF other.chain <> '%chain%' OR other.member <> self THEN
                RAISE EXCEPTION 'database "%" is the wire of member % of ledger %',
                    current_database(), other.member, other.chain
                    USING HINT = 'Name another database in telco_ledger.wire_conninfo.';
            END IF;
        END LOOP;
    END IF;

    -- nothing that is asked here is worth compiling or sharing among processes, whatever
    -- it seems to cost in tables that nobody analyzes
    FOR item IN
        SELECT u.name, u.value
          FROM pg_database AS d, (VALUES ('jit', 'off'), ('max_parallel_workers_per_gather', '0')) AS u (name, value)
         WHERE d.datname = current_database() AND pg_has_role(d.datdba, 'USAGE')
           AND NOT EXISTS (SELECT FROM pg_db_role_setting AS s, unnest(s.setconfig) AS l (line)
                            WHERE s.setdatabase = d.oid AND s.setrole = 0 AND l.line LIKE u.name || '=%')
    LOOP
        EXECUTE format('ALTER DATABASE %I SET %s = %L', current_database(), item.name, item.value);
        PERFORM set_config(item.name, item.value, false);
        RAISE INFO '% is % in database %', item.name, item.value, current_database();
    END LOOP;

    -- roles are the cluster's; other databases may have them already.  A peer
    -- needs three connections, and more while it loses and makes some.
    FOR item IN
        SELECT '%prefix%_' || m AS name, 'LOGIN REPLICATION CONNECTION LIMIT 8' AS options
          FROM unnest(members) AS m WHERE m <> self
        UNION ALL SELECT '%prefix%_apply', 'LOGIN BYPASSRLS'
    LOOP
        IF to_regrole(item.name) IS NULL THEN
            EXECUTE format('CREATE ROLE %I %s', item.name, item.options);
            RAISE INFO 'role % made', item.name;
        END IF;
    END LOOP;
    -- who has left had an hour to learn of it
    FOR item IN
        SELECT r.rolname FROM pg_roles AS r
         WHERE (r.rolcanlogin OR r.rolreplication) AND r.rolname IN (SELECT '%prefix%_' || m FROM unnest(barred) AS m)
    LOOP
        EXECUTE format('ALTER ROLE %I NOLOGIN NOREPLICATION', item.rolname);
        PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = item.rolname;
        RAISE INFO 'role % may not log in any more: its member has left', item.rolname;
    END LOOP;
    FOR item IN
        SELECT rolname, rolname = '%prefix%_apply' AS applies FROM pg_roles
         WHERE rolname IN (SELECT '%prefix%_' || m FROM unnest(members) AS m WHERE m <> self AND m <> ALL (barred)
                           UNION ALL SELECT '%prefix%_apply')
           AND (rolsuper OR rolcreaterole OR rolcreatedb OR NOT rolcanlogin
                OR rolconnlimit <> CASE WHEN rolname = '%prefix%_apply' THEN -1 ELSE 8 END
                OR rolreplication = (rolname = '%prefix%_apply')
                OR rolbypassrls <> (rolname = '%prefix%_apply'))
    LOOP
        EXECUTE format('ALTER ROLE %I NOSUPERUSER NOCREATEROLE NOCREATEDB LOGIN %s', item.rolname,
                       CASE WHEN item.applies THEN 'NOREPLICATION BYPASSRLS CONNECTION LIMIT -1'
                            ELSE 'REPLICATION NOBYPASSRLS CONNECTION LIMIT 8' END);
        RAISE WARNING 'role % had other attributes, which were set back', item.rolname;
    END LOOP;

    FOR item IN
        SELECT name, statement FROM (
            SELECT 1, 'schema ledger_wire', to_regnamespace('ledger_wire') IS NOT NULL, 'CREATE SCHEMA ledger_wire'
            -- what older builds have made goes with all that calls it
            UNION ALL SELECT 1, 'newer triggers and indexes',
                (SELECT bool_and(to_regprocedure('ledger_wire.' || old) IS NULL) FROM unnest(old_functions) AS old),
                (SELECT 'DROP FUNCTION IF EXISTS ' || string_agg('ledger_wire.' || old, ', ') || ' CASCADE'
                   FROM unnest(old_functions) AS old)
            UNION ALL SELECT 2, 'function row_key', to_regprocedure('ledger_wire.row_key(bytea)') IS NOT NULL,
                $$CREATE FUNCTION ledger_wire.row_key(message bytea) RETURNS bytea IMMUTABLE PARALLEL SAFE
                    RETURN substring(message FROM 6 FOR 24)$$
            -- By what others ask for a row: a batch by its digest, a block by its hash, GOVERN,
            -- EVIDENCE, REJOIN and RESTART by the digest of the row.  An expression in SQL would
            -- become one of the index, all of which is copied and planned in each transaction.
            UNION ALL SELECT 2, 'function wanted_key', to_regprocedure('ledger_wire.wanted_key(bytea)') IS NOT NULL,
                $$CREATE FUNCTION ledger_wire.wanted_key(message bytea) RETURNS bytea LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS '
BEGIN
    IF pg_catalog.get_byte(message, 61) = 1 THEN
        RETURN pg_catalog.sha256(pg_catalog.decode(''00'', ''hex'')
            || pg_catalog.substring(message, 83, pg_catalog.octet_length(message) - 146));
    ELSIF pg_catalog.get_byte(message, 61) = 3 THEN
        RETURN pg_catalog.sha256(pg_catalog.decode(''00'', ''hex'') || pg_catalog.substring(message, 88, 318));
    END IF;
    RETURN pg_catalog.sha256(''telco_ledger/1/row''::pg_catalog.bytea || pg_catalog.decode(''%chain%'', ''hex'')
        || pg_catalog.substring(message, 2, 77)
        || pg_catalog.sha256(''telco_ledger/1/''::pg_catalog.bytea || pg_catalog.substring(message, 62, 1)
            || pg_catalog.substring(message, 83, pg_catalog.octet_length(message) - 146)));
END'$$
            UNION ALL SELECT 2, 'function reader', to_regprocedure('ledger_wire.reader()') IS NOT NULL,
                $$CREATE FUNCTION ledger_wire.reader() RETURNS bigint STABLE PARALLEL SAFE
                    RETURN substring(current_user::text FROM '^%prefix%_([0-9]+)$')::bigint$$
            -- Each row that arrives passes here, so nothing is done that takes a plan of its
            -- own: no PERFORM, and no CHECK, which would be read from its text in each
            -- transaction.  A trigger with an argument tells of the row.
            UNION ALL SELECT 2, 'function on_row', to_regprocedure('ledger_wire.on_row()') IS NOT NULL,
                $$CREATE FUNCTION ledger_wire.on_row() RETURNS trigger LANGUAGE plpgsql AS '
BEGIN
    IF pg_catalog.octet_length(NEW.message) BETWEEN 146 AND 16777362
        AND (TG_NARGS = 0 OR pg_catalog.pg_notify(''ledger_wire'', TG_TABLE_NAME) IS NOT NULL) THEN
        NEW.arrival := pg_catalog.nextval(''ledger_wire.arrival''::pg_catalog.regclass);
        RETURN NEW;
    END IF;
    RAISE EXCEPTION ''%.% takes a message of 146 to 16777362 bytes, not of %'',
        TG_TABLE_SCHEMA, TG_TABLE_NAME, pg_catalog.octet_length(NEW.message) USING ERRCODE = ''check_violation'';
END'$$
            UNION ALL SELECT 2, 'function refuse_chunk', to_regprocedure('ledger_wire.refuse_chunk()') IS NOT NULL,
                $$CREATE FUNCTION ledger_wire.refuse_chunk() RETURNS trigger LANGUAGE plpgsql AS '
BEGIN
    RAISE EXCEPTION ''%.% takes a chunk of 1 to 1048576 bytes, not of %, and numbers it itself'',
        TG_TABLE_SCHEMA, TG_TABLE_NAME, pg_catalog.octet_length(NEW.chunk) USING ERRCODE = ''check_violation'';
END'$$
            UNION ALL SELECT 2, 'function on_request', to_regprocedure('ledger_wire.on_request()') IS NOT NULL,
                $$CREATE FUNCTION ledger_wire.on_request() RETURNS trigger LANGUAGE plpgsql
                    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS '
BEGIN
    NEW.arrival := nextval(''ledger_wire.arrival'');
    NEW.sender := session_user;
    NEW.arrived_at := clock_timestamp();
    PERFORM pg_advisory_xact_lock(hashtextextended(session_user::text, 1));
    DELETE FROM ledger_wire.request WHERE sender = session_user AND arrived_at < now() - interval ''1 hour'';
    IF (SELECT count(*) FROM ledger_wire.request WHERE sender = session_user) >= 64 THEN
        RAISE EXCEPTION ''64 requests of % wait already'', session_user;
    END IF;
    PERFORM pg_notify(''ledger_wire'', ''request'');
    RETURN NEW;
END'$$
            -- nobody but the owner has the right to delete, so nobody else can forget
            UNION ALL SELECT 2, 'function refuse',
                (SELECT prosrc LIKE '%ledger_wire.forgets%' FROM pg_proc WHERE oid = to_regprocedure('ledger_wire.refuse()')),
                $$CREATE OR REPLACE FUNCTION ledger_wire.refuse() RETURNS trigger LANGUAGE plpgsql AS '
BEGIN
    IF TG_OP = ''DELETE'' AND current_setting(''ledger_wire.forgets'', true) = ''on'' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION ''% on %.% is refused: a wire only grows'', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME;
END'$$
            UNION ALL SELECT 2, 'function forget_bodies', to_regprocedure('ledger_wire.forget_bodies(bigint,bigint[])') IS NOT NULL,
                $$CREATE FUNCTION ledger_wire.forget_bodies(member bigint, arrivals bigint[]) RETURNS void LANGUAGE plpgsql
                    SET search_path = pg_catalog, pg_temp SET ledger_wire.forgets = 'on' AS '
BEGIN
    EXECUTE format(''DELETE FROM ledger_wire.body_%s WHERE arrival = ANY ($1)'', member) USING arrivals;
END';
                  REVOKE ALL ON FUNCTION ledger_wire.forget_bodies(bigint, bigint[]) FROM PUBLIC$$
            -- up to which row of each log some were dropped is told with it
            UNION ALL SELECT 2, 'function forget_rows', to_regprocedure('ledger_wire.forget_rows(bigint,bigint[])') IS NOT NULL,
                $$CREATE FUNCTION ledger_wire.forget_rows(member bigint, arrivals bigint[]) RETURNS void LANGUAGE plpgsql
                    SET search_path = pg_catalog, pg_temp SET ledger_wire.forgets = 'on' AS '
BEGIN
    EXECUTE format(''WITH gone AS (DELETE FROM ledger_wire.log_%s WHERE arrival = ANY ($1) RETURNING message)
                     INSERT INTO ledger_wire.forgotten AS f (member, nonce, seq)
                     SELECT $2, substring(message FROM 6 FOR 16),
                            max((''''x'''' || encode(substring(message FROM 22 FOR 8), ''''hex''''))::bit(64)::bigint)
                       FROM gone GROUP BY 2
                     ON CONFLICT (member, nonce) DO UPDATE SET seq = greatest(f.seq, excluded.seq)'', member)
        USING arrivals, member;
END';
                  REVOKE ALL ON FUNCTION ledger_wire.forget_rows(bigint, bigint[]) FROM PUBLIC$$
            -- numbers begin anew with the sequence, so it is another wire then
            UNION ALL SELECT 3, 'identity',
                to_regclass('ledger_wire.identity') IS NOT NULL AND to_regclass('ledger_wire.arrival') IS NOT NULL,
                $$DROP TABLE IF EXISTS ledger_wire.identity;
                  DROP SEQUENCE IF EXISTS ledger_wire.arrival;
                  CREATE SEQUENCE ledger_wire.arrival;
                  CREATE TABLE ledger_wire.identity (
                      wire uuid NOT NULL DEFAULT gen_random_uuid(),
                      chain text NOT NULL,
                      member bigint NOT NULL,
                      made_at timestamptz NOT NULL DEFAULT now());
                  INSERT INTO ledger_wire.identity (chain, member) VALUES ('%chain%', %self%)$$
            UNION ALL SELECT 4, 'table request', to_regclass('ledger_wire.request') IS NOT NULL,
                $$CREATE TABLE ledger_wire.request (
                      arrival bigint PRIMARY KEY,
                      sender name NOT NULL,
                      arrived_at timestamptz NOT NULL,
                      message bytea NOT NULL CHECK (octet_length(message) BETWEEN 1 AND 8192));
                  CREATE TRIGGER on_request BEFORE INSERT ON ledger_wire.request
                      FOR EACH ROW EXECUTE FUNCTION ledger_wire.on_request()$$
            UNION ALL SELECT 4, 'table reply', to_regclass('ledger_wire.reply') IS NOT NULL,
                $$CREATE TABLE ledger_wire.reply (
                      member bigint PRIMARY KEY,
                      message bytea NOT NULL CHECK (octet_length(message) BETWEEN 1 AND 16384))$$
            UNION ALL SELECT 4, 'table forgotten', to_regclass('ledger_wire.forgotten') IS NOT NULL,
                $$CREATE TABLE ledger_wire.forgotten (
                      member bigint NOT NULL,
                      nonce bytea NOT NULL,
                      seq bigint NOT NULL,
                      PRIMARY KEY (member, nonce))$$
            UNION ALL SELECT 4, 'table rebuilt', to_regclass('ledger_wire.rebuilt') IS NOT NULL,
                $$CREATE UNLOGGED TABLE ledger_wire.rebuilt (
                      digest bytea PRIMARY KEY,
                      chunk bytea NOT NULL CHECK (octet_length(chunk) BETWEEN 1 AND 1048576),
                      made_at timestamptz NOT NULL DEFAULT clock_timestamp());
                  ALTER TABLE ledger_wire.rebuilt ALTER COLUMN chunk SET STORAGE EXTERNAL$$
            UNION ALL SELECT 4, 'table offer', to_regclass('ledger_wire.offer') IS NOT NULL,
                $$CREATE UNLOGGED TABLE ledger_wire.offer (
                      member bigint PRIMARY KEY,
                      question bytea NOT NULL,
                      message bytea NOT NULL CHECK (octet_length(message) BETWEEN 1 AND 1048576),
                      made_at timestamptz NOT NULL DEFAULT clock_timestamp())$$
            UNION ALL SELECT 4, 'table piece', to_regclass('ledger_wire.piece') IS NOT NULL,
                $$CREATE UNLOGGED TABLE ledger_wire.piece (
                      member bigint PRIMARY KEY,
                      question bytea NOT NULL,
                      message bytea NOT NULL CHECK (octet_length(message) BETWEEN 1 AND 18874368),
                      made_at timestamptz NOT NULL DEFAULT clock_timestamp())$$
            UNION ALL SELECT 4, format('table %s_%s', kind, m),
                (SELECT string_agg(format('%s %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum)
                   FROM pg_attribute
                  WHERE attrelid = to_regclass(format('ledger_wire.%s_%s', kind, m)) AND attnum > 0 AND NOT attisdropped)
                = columns,
                format('DROP TABLE IF EXISTS ledger_wire.%1$s_%2$s CASCADE; CREATE TABLE ledger_wire.%1$s_%2$s (%3$s)',
                       kind, m, columns)
              FROM unnest(members) AS m,
                   (VALUES ('log', 'arrival bigint, message bytea'),
                           ('body', 'arrival bigint, chunk bytea, audience bigint[]')) AS k (kind, columns)
            -- a wire that an older build has made has a CHECK of the size, too
            UNION ALL SELECT 5, format('constraints of %s_%s', kind, m),
                (SELECT bool_and(conname = format('%s_%s_key', kind, m)) FROM pg_constraint
                  WHERE conrelid = to_regclass(format('ledger_wire.%s_%s', kind, m))
                    AND conname IN (format('%s_%s_key', kind, m), format('%s_%s_size', kind, m))),
                format('ALTER TABLE ledger_wire.%1$s_%2$s DROP CONSTRAINT IF EXISTS %1$s_%2$s_size,'
                       || ' DROP CONSTRAINT IF EXISTS %1$s_%2$s_key;'
                       || ' ALTER TABLE ledger_wire.%1$s_%2$s ADD CONSTRAINT %1$s_%2$s_key UNIQUE (arrival),'
                       || ' ALTER COLUMN arrival SET NOT NULL,'
                       || ' ALTER COLUMN %3$s SET NOT NULL, ALTER COLUMN %3$s SET STORAGE EXTERNAL',
                       kind, m, content)
              FROM unnest(members) AS m, (VALUES ('log', 'message'), ('body', 'chunk')) AS k (kind, content)
            -- what came from others: each of them has it, and wanted chunks are asked for once more
            UNION ALL SELECT 6, format('table body_%s, not logged', m),
                (SELECT relpersistence = 'u' FROM pg_class WHERE oid = to_regclass('ledger_wire.body_' || m)),
                format('ALTER TABLE ledger_wire.body_%s SET UNLOGGED', m)
              FROM unnest(members) AS m WHERE m <> self
            UNION ALL SELECT 6, format('compression of body_%s', self),
                (SELECT attstorage = 'x' AND attcompression = 'l' FROM pg_attribute
                  WHERE attrelid = to_regclass('ledger_wire.body_' || self) AND attname = 'chunk' AND NOT attisdropped),
                format('ALTER TABLE ledger_wire.body_%s ALTER COLUMN chunk SET STORAGE EXTENDED,'
                       || ' ALTER COLUMN chunk SET COMPRESSION lz4', self)
             WHERE EXISTS (SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals))
            UNION ALL SELECT 6, format('index %s', index_name),
                to_regclass('ledger_wire.' || index_name) IS NOT NULL,
                format('CREATE INDEX %s ON ledger_wire.%s_%s %s', index_name, kind, m, definition)
              FROM unnest(members) AS m,
                   (VALUES ('log', 'place', '(ledger_wire.row_key(message))'),
                           ('log', 'wanted', '(ledger_wire.wanted_key(message)) WHERE get_byte(message, 61) IN (1, 3, 9, 10, 11, 12)'),
                           ('body', 'digest', '(sha256(chunk))')) AS k (kind, suffix, definition),
                   format('%s_%s_by_%s', kind, m, suffix) AS index_name
            -- the names are looked up when a chunk comes: the sequence may be made anew
            UNION ALL SELECT 6, format('numbers of body_%s', m),
                (SELECT atthasdef FROM pg_attribute
                  WHERE attrelid = to_regclass('ledger_wire.body_' || m) AND attname = 'arrival' AND NOT attisdropped),
                format($$ALTER TABLE ledger_wire.body_%s ALTER COLUMN arrival SET DEFAULT nextval('ledger_wire.arrival'::text)$$, m)
              FROM unnest(members) AS m
            UNION ALL SELECT 7, format('triggers of %s_%s', kind, m),
                (SELECT count(*) = 3 FROM pg_trigger
                  WHERE tgrelid = to_regclass(format('ledger_wire.%s_%s', kind, m))
                    AND (tgname IN ('refuse_change', 'refuse_truncate')
                         OR tgname = 'on_arrival' AND tgfoid = to_regprocedure(format('ledger_wire.%s()', arrives)))
                    AND tgenabled = 'A'),
                format('DROP TRIGGER IF EXISTS on_arrival ON ledger_wire.%1$s_%2$s;'
                       || ' DROP TRIGGER IF EXISTS refuse_change ON ledger_wire.%1$s_%2$s;'
                       || ' DROP TRIGGER IF EXISTS refuse_truncate ON ledger_wire.%1$s_%2$s;'
                       || ' CREATE TRIGGER on_arrival BEFORE INSERT ON ledger_wire.%1$s_%2$s'
                       || ' FOR EACH ROW %5$s EXECUTE FUNCTION ledger_wire.%4$s(%3$s);'
                       || ' CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON ledger_wire.%1$s_%2$s'
                       || ' FOR EACH ROW EXECUTE FUNCTION ledger_wire.refuse();'
                       || ' CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON ledger_wire.%1$s_%2$s'
                       || ' FOR EACH STATEMENT EXECUTE FUNCTION ledger_wire.refuse();'
                       || ' ALTER TABLE ledger_wire.%1$s_%2$s ENABLE ALWAYS TRIGGER on_arrival,'
                       || ' ENABLE ALWAYS TRIGGER refuse_change, ENABLE ALWAYS TRIGGER refuse_truncate',
                       kind, m, CASE WHEN kind = 'log' AND m <> self THEN '''notify''' END, arrives, condition)
              FROM unnest(members) AS m,
                   LATERAL (VALUES ('log', 'on_row', ''),
                                   -- a function would be given copies of what may be large, so the condition does it all
                                   ('body', 'refuse_chunk',
                                    $$WHEN (octet_length(NEW.chunk) NOT BETWEEN 1 AND 1048576$$
                                    || $$ OR NEW.arrival IS DISTINCT FROM currval('ledger_wire.arrival'::text)$$
                                    || CASE WHEN m <> self
                                            THEN format($$ OR pg_notify('ledger_wire', 'body_%s') IS NULL)$$, m)
                                            ELSE ')' END)) AS k (kind, arrives, condition)
            UNION ALL SELECT 8, format('row security of body_%s', m),
                (SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass('ledger_wire.body_' || m))
                AND EXISTS (SELECT FROM pg_policy
                             WHERE polrelid = to_regclass('ledger_wire.body_' || m) AND polname = 'audience'),
                format('ALTER TABLE ledger_wire.body_%1$s ENABLE ROW LEVEL SECURITY;'
                       || ' DROP POLICY IF EXISTS audience ON ledger_wire.body_%1$s;'
                       || ' CREATE POLICY audience ON ledger_wire.body_%1$s FOR SELECT'
                       || ' USING (audience IS NULL OR ledger_wire.reader() = ANY (audience))', m)
              FROM unnest(members) AS m
            UNION ALL SELECT 9, 'view head',
                obj_description(to_regclass('ledger_wire.head'), 'pg_class') = '%members%',
                -- the highest row of each incarnation, as an old one may arrive
                -- last; and the last one, should there be more of them
                (SELECT 'DROP VIEW IF EXISTS ledger_wire.head; CREATE VIEW ledger_wire.head AS '
                        || string_agg(replace(replace(
                             '(WITH RECURSIVE newest AS ('
                             || '(SELECT r.key FROM rows AS r ORDER BY r.key DESC LIMIT 1)'
                             || ' UNION ALL SELECT (SELECT r.key FROM rows AS r WHERE r.key < substring(n.key FOR 16)'
                             || ' ORDER BY r.key DESC LIMIT 1) FROM newest AS n WHERE n.key IS NOT NULL)'
                             || ' (SELECT number::bigint AS member, key FROM newest WHERE key IS NOT NULL LIMIT 8)'
                             || ' UNION ALL (SELECT number, r.key FROM rows AS r ORDER BY r.arrival DESC LIMIT 1))',
                             'rows', '(SELECT ledger_wire.row_key(message) AS key, arrival FROM ledger_wire.log_number)'),
                             'number', m::text), ' UNION ALL ')
                        || $$; COMMENT ON VIEW ledger_wire.head IS '%members%'$$ FROM unnest(members) AS m)
            UNION ALL SELECT 10, 'publication ' || name,
                EXISTS (SELECT FROM pg_publication AS p
                         WHERE pubname = name AND pubinsert AND NOT (puballtables OR pubupdate OR pubdelete OR pubtruncate)
                           AND NOT EXISTS (SELECT FROM pg_publication_namespace WHERE pnpubid = p.oid)
                           AND ARRAY(SELECT prrelid::bigint FROM pg_publication_rel WHERE prpubid = p.oid)
                               = ARRAY[to_regclass(format('ledger_wire.%s_%s', kind, self))::oid::bigint]),
                format('DROP PUBLICATION IF EXISTS %1$s; CREATE PUBLICATION %1$s FOR TABLE ledger_wire.%2$s_%3$s %4$s'
                       || $$ WITH (publish = 'insert')$$, name, kind, self, definition)
              FROM (SELECT 'log' AS kind, 'ledger_log' AS name, '(message)' AS definition
                    UNION ALL
                    SELECT 'body', 'ledger_body_' || m,
                           format('(chunk, audience) WHERE (audience IS NULL OR %s = ANY (audience))', m)
                      FROM unnest(members) AS m WHERE m <> self) AS p
            UNION ALL SELECT 11, 'privileges of everybody',
                NOT has_database_privilege('public', current_database(), 'CONNECT')
                AND NOT has_database_privilege('public', current_database(), 'TEMPORARY'),
                format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database())
            UNION ALL SELECT 12, 'privileges of ' || role,
                has_database_privilege(role, current_database(), 'CONNECT')
                AND has_schema_privilege(role, to_regnamespace('ledger_wire'), 'USAGE')
                AND has_table_privilege(role, to_regclass('ledger_wire.identity'), 'SELECT')
                AND has_table_privilege(role, to_regclass('ledger_wire.head'), 'SELECT')
                AND has_table_privilege(role, to_regclass('ledger_wire.reply'), 'SELECT')
                AND has_table_privilege(role, to_regclass('ledger_wire.rebuilt'), 'SELECT')
                AND has_table_privilege(role, to_regclass('ledger_wire.offer'), 'SELECT')
                AND has_table_privilege(role, to_regclass('ledger_wire.piece'), 'SELECT')
                AND has_table_privilege(role, to_regclass('ledger_wire.forgotten'), 'SELECT')
                AND has_column_privilege(role, to_regclass('ledger_wire.request'), 'message', 'INSERT'),
                format('GRANT CONNECT ON DATABASE %1$I TO %2$s; GRANT USAGE ON SCHEMA ledger_wire TO %2$s;'
                       || ' GRANT SELECT ON ledger_wire.identity, ledger_wire.head, ledger_wire.reply, ledger_wire.rebuilt, ledger_wire.offer,'
                       || ' ledger_wire.piece, ledger_wire.forgotten TO %2$s;'
                       || ' GRANT INSERT (message) ON ledger_wire.request TO %2$s', current_database(), role)
              FROM (SELECT '%prefix%_' || m FROM unnest(members) AS m WHERE m <> self) AS r (role)
            UNION ALL SELECT 12, 'privileges of %prefix%_apply',
                has_database_privilege('%prefix%_apply', current_database(), 'CONNECT')
                AND has_schema_privilege('%prefix%_apply', to_regnamespace('ledger_wire'), 'USAGE')
                AND has_sequence_privilege('%prefix%_apply', to_regclass('ledger_wire.arrival'), 'USAGE'),
                format('GRANT CONNECT ON DATABASE %I TO %prefix%_apply; GRANT USAGE ON SCHEMA ledger_wire TO %prefix%_apply;'
                       || ' GRANT USAGE ON SEQUENCE ledger_wire.arrival TO %prefix%_apply', current_database())
            UNION ALL SELECT 13, format('reading of %s_%s by %s', kind, m, role),
                has_table_privilege(role, to_regclass(format('ledger_wire.%s_%s', kind, m)), 'SELECT'),
                format('GRANT SELECT ON ledger_wire.%s_%s TO %s', kind, m, role)
              FROM unnest(members) AS m, (VALUES ('log'), ('body')) AS k (kind),
                   (SELECT '%prefix%_' || reader FROM unnest(members) AS reader WHERE reader <> self) AS r (role)
            UNION ALL SELECT 14, format('arrival in %s_%s', kind, m),
                has_table_privilege('%prefix%_apply', to_regclass(format('ledger_wire.%s_%s', kind, m)), 'INSERT'),
                format('GRANT INSERT ON ledger_wire.%s_%s TO %prefix%_apply', kind, m)
              FROM unnest(members) AS m, (VALUES ('log'), ('body')) AS k (kind) WHERE m <> self
        ) AS wanted (place, name, present, statement)
         WHERE present IS NOT TRUE
         ORDER BY place
    LOOP
        EXECUTE item.statement;
        RAISE INFO 'wire database "%": % made', current_database(), item.name;
    END LOOP;
END
$ledger$
$script$) $function$;
COMMENT ON FUNCTION ledger_internal.wire_repair_script() IS
    'makes what a wire database needs and lacks';

-- One slot for each peer and kind.  A slot here that the library did not make
-- is a peer's who was given REPLICATION: dropped.
CREATE FUNCTION ledger_internal.wire_slots_script() RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $function$ SELECT ledger_internal.wire_fill($script$
DO $ledger$
DECLARE
    wanted CONSTANT text[] := ARRAY(SELECT format('%prefix%_%self%_%s_%s', m, kind)
        FROM unnest('%linked%'::bigint[]) AS m, (VALUES ('log'), ('body')) AS k (kind) WHERE m <> %self%);
    item record;
BEGIN
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    IF current_setting('wal_level') <> 'logical' THEN
        RAISE EXCEPTION 'wal_level is %', current_setting('wal_level')
            USING HINT = 'Run SELECT * FROM ledger.check_settings().';
    END IF;
    IF current_setting('max_slot_wal_keep_size') = '-1' THEN
        RAISE EXCEPTION 'max_slot_wal_keep_size is -1: a peer that stays away would fill the disk'
            USING HINT = 'Run SELECT * FROM ledger.check_settings().';
    END IF;
    FOR item IN
        SELECT slot_name, active_pid, slot_name::text = ANY (wanted) AS ours FROM pg_replication_slots
         WHERE database = current_database()
           AND (slot_name::text <> ALL (wanted) OR plugin <> 'pgoutput' OR wal_status = 'lost')
    LOOP
        IF item.active_pid IS NOT NULL THEN
            PERFORM pg_terminate_backend(item.active_pid, 2000);
        END IF;
        IF EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = item.slot_name) THEN
            PERFORM pg_drop_replication_slot(item.slot_name);
        END IF;
        IF item.ours THEN
            RAISE WARNING 'slot % was of no use any more and is made anew', item.slot_name;
        ELSE
            RAISE WARNING 'slot % is not of the library''s making and was dropped', item.slot_name;
        END IF;
    END LOOP;
    FOR item IN
        SELECT name FROM unnest(wanted) AS name
         WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = name)
    LOOP
        PERFORM pg_create_logical_replication_slot(item.name, 'pgoutput');
        RAISE INFO 'slot % made', item.name;
    END LOOP;
END
$ledger$
$script$) $function$;
COMMENT ON FUNCTION ledger_internal.wire_slots_script() IS
    'makes the slots of the wire database that its peers read, and drops others there';

-- A link is made in one transaction or not at all: what the peer publishes is
-- compared with what it may before anything is enabled.
CREATE FUNCTION ledger_internal.wire_link_script(publisher bigint, kind text, conninfo text) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $function$
SELECT replace(replace(replace(replace(ledger_internal.wire_fill($script$
DO $ledger$
DECLARE
    tables text;
    version CONSTANT integer := current_setting('server_version_num')::integer / 10000;
BEGIN
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    EXECUTE format('CREATE SUBSCRIPTION %name% CONNECTION %L PUBLICATION %publication% WITH (enabled = false,'
                   || ' create_slot = false, slot_name = %slot%, copy_data = false, streaming = off,'
                   || ' two_phase = off, binary = true, disable_on_error = true %s)', %conninfo%,
                   CASE WHEN version >= 16 THEN ', password_required = false, run_as_owner = true, origin = any' END);
    SELECT string_agg(srrelid::regclass::text, ', ') INTO tables
      FROM pg_subscription_rel WHERE srsubid = (SELECT oid FROM pg_subscription
        WHERE subname = '%name%' AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()));
    IF tables IS DISTINCT FROM 'ledger_wire.%name%' THEN
        RAISE EXCEPTION 'the peer publishes % instead of ledger_wire.%name%', coalesce(tables, 'nothing')
            USING ERRCODE = 'check_violation';
    END IF;
    -- before 16 only a superuser can become the owner
    IF version < 16 THEN
        ALTER ROLE %prefix%_apply SUPERUSER;
    END IF;
    ALTER SUBSCRIPTION %name% OWNER TO %prefix%_apply;
    IF version < 16 THEN
        ALTER ROLE %prefix%_apply NOSUPERUSER;
    END IF;
    ALTER SUBSCRIPTION %name% ENABLE;
END
$ledger$
$script$),
    '%name%', format('%s_%s', $2, $1)),
    '%publication%', CASE $2 WHEN 'log' THEN 'ledger_log'
                             ELSE 'ledger_body_' || (SELECT member FROM ledger_internal.node) END),
    '%slot%', ledger_internal.wire_slot($1, (SELECT member FROM ledger_internal.node), $2)),
    '%conninfo%', quote_literal($3))
$function$;
COMMENT ON FUNCTION ledger_internal.wire_link_script(bigint, text, text) IS
    'makes the subscription to one table of a peer';

-- What users see and call.
CREATE FUNCTION ledger_internal.peer_links(
        OUT member bigint, OUT log_link text, OUT body_link text, OUT reason text, OUT stored bigint,
        OUT lag_rows bigint, OUT lag_bytes bigint, OUT behind_since timestamptz, OUT last_row_at timestamptz,
        OUT last_answer_at timestamptz, OUT rows bigint, OUT fetched bigint, OUT duplicates bigint,
        OUT quarantined bigint, OUT stops bigint) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tl_peer_links' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ledger_internal.peer_links() IS 'behind ledger.peer: what the process of the wire knows, own wire included';

CREATE VIEW ledger.peer AS
    SELECT member, p.address, l.log_link, l.body_link, l.reason, l.stored, l.lag_rows, l.lag_bytes,
           clock_timestamp() - l.behind_since AS lag_time,
           l.last_row_at, l.last_answer_at, l.rows, l.fetched, l.duplicates, l.quarantined, l.stops
      FROM ledger_internal.peer AS p
      FULL JOIN ledger_internal.peer_links() AS l USING (member);
COMMENT ON VIEW ledger.peer IS
    'members and the links to their wires; the row of this member tells of its own wire. lag_rows: known to exist and not here; lag_bytes: WAL that waits here for the peer; rows, fetched, duplicates, quarantined, stops: counted since the process of the wire began';

CREATE FUNCTION ledger_internal.kind_name(kind smallint) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (ARRAY['BATCH', 'ACK', 'PROPOSE', 'NOTARIZE', 'FINALIZE', 'NULLIFY', 'CERT', 'STATE', 'GOVERN',
                  'EVIDENCE', 'REJOIN', 'RESTART', 'REPLY', 'REQUEST'])[$1];
COMMENT ON FUNCTION ledger_internal.kind_name(smallint) IS 'what a kind of log rows is called (src/consensus/README.md)';

CREATE VIEW ledger.message AS
    SELECT n.member, o.incarnation::integer, substring(o.message FROM 6 FOR 16) AS nonce, o.seq,
           ledger_internal.kind_name(o.kind) AS kind, o.epoch, o.view, 'own' AS verdict,
           NULL::timestamptz AS stored_at, o.digest, o.message
      FROM ledger_internal.own_log AS o, ledger_internal.node AS n
    UNION ALL
    SELECT member, NULL, nonce, seq, ledger_internal.kind_name(kind), epoch, view, 'kept', stored_at, digest, message
      FROM ledger_internal.peer_log
    UNION ALL
    SELECT member, NULL, nonce, seq, ledger_internal.kind_name(get_byte(message, 61)::smallint),
           ('x' || encode(substring(message FROM 63 FOR 8), 'hex'))::bit(64)::bigint,
           ('x' || encode(substring(message FROM 71 FOR 8), 'hex'))::bit(64)::bigint,
           'contradicts', stored_at, digest, message
      FROM ledger_internal.contradiction
    UNION ALL
    SELECT member, NULL, NULL, NULL, NULL, NULL, NULL, 'refused: ' || reason, arrived_at, NULL, head
      FROM ledger_internal.quarantine;
COMMENT ON VIEW ledger.message IS
    'rows of the members'' logs: own, kept from a peer, contradicting a kept one, or refused (the first 4096 bytes of what arrived)';

CREATE FUNCTION ledger_internal.check_address(address text) RETURNS text
    AS 'MODULE_PATHNAME', 'tl_check_address' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ledger_internal.check_address(text) IS 'the address, if one can be announced that way; an error otherwise';
CREATE FUNCTION ledger_internal.address_hosts(address text) RETURNS text
    AS 'MODULE_PATHNAME', 'tl_address_hosts' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ledger_internal.address_hosts(text) IS
    'the hosts that an address leads to, with commas; NULL for one that cannot be announced';

CREATE FUNCTION ledger_internal.wire_changed() RETURNS void
    AS 'MODULE_PATHNAME', 'tl_wire_changed' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger_internal.wire_changed() IS 'tells the workers, at commit, that ledger_internal.peer has changed';

CREATE FUNCTION ledger.announce(address text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF address IS NULL THEN
        RAISE EXCEPTION 'an address is needed' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    INSERT INTO ledger_internal.peer (member, row_key, address)
        SELECT n.member, n.public_key, ledger_internal.check_address(announce.address) FROM ledger_internal.node AS n
        ON CONFLICT (member) DO UPDATE SET address = excluded.address;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this database is not a node of a ledger' USING ERRCODE = 'TL004',
            HINT = 'Call ledger.create_node() or ledger.join().';
    END IF;
    PERFORM ledger_internal.announce_to_members(announce.address);
    PERFORM ledger_internal.wire_changed();
END $$;
COMMENT ON FUNCTION ledger.announce(text) IS
    'says where the wire of this member is, as a connection string without user and password; other members of a ledger that consensus orders learn it by the log, so it is announced before the wire moves';

-- Members are known from decided motions; a superuser names the founders of a test
-- ledger, and the new address of a wire that cannot be read where it was.
CREATE FUNCTION ledger_internal.set_peer(member bigint, row_key bytea, address text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO ledger_internal.peer AS p (member, row_key, address)
        VALUES (set_peer.member, set_peer.row_key, ledger_internal.check_address(set_peer.address))
        ON CONFLICT ON CONSTRAINT peer_pkey DO UPDATE SET address = excluded.address
        WHERE p.row_key = excluded.row_key;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'member % is known with another row key', set_peer.member
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'What is kept of its log was signed with that key.',
                  HINT = 'A member changes its key on the ledger.';
    END IF;
    PERFORM ledger_internal.wire_changed();
END $$;
COMMENT ON FUNCTION ledger_internal.set_peer(bigint, bytea, text) IS
    'names a member: number, row key, address of its wire; a superuser''s function, for founders of a test ledger and for a wire that cannot be read where it was';
CREATE FUNCTION ledger_internal.wire_conninfo() RETURNS text
    AS 'MODULE_PATHNAME', 'tl_wire_conninfo' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger_internal.wire_conninfo() IS 'where the wire of this database is';

CREATE FUNCTION ledger_internal.wire_settings(OUT name text, OUT setting text, OUT unit text) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tl_wire_settings' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION ledger_internal.wire_settings() IS 'what the server of the wire says of itself';

CREATE FUNCTION ledger.check_settings(
        OUT server text, OUT name text, OUT setting text, OUT line text, OUT why text) RETURNS SETOF record
    LANGUAGE sql VOLATILE ROWS 10 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
WITH members AS (
    SELECT greatest(count(*), 1) AS peers FROM ledger_internal.peer
     WHERE member <> (SELECT member FROM ledger_internal.node)),
wire AS MATERIALIZED (SELECT * FROM ledger_internal.wire_settings()),
needed (name, least, why) AS (
    SELECT 'max_replication_slots', 4 * peers, 'two slots for each peer that reads here, two origins for each that is read' FROM members
    UNION ALL SELECT 'max_wal_senders', 2 * peers, 'two for each peer' FROM members
    UNION ALL SELECT 'max_logical_replication_workers', 2 * peers, 'two for each peer' FROM members
    UNION ALL SELECT 'max_worker_processes', 2 * peers + 4, 'two for each peer, and those of the library' FROM members)
SELECT 'wire', w.name, w.setting, 'wal_level = logical', 'without it peers can only fetch'
  FROM wire AS w WHERE w.name = 'wal_level' AND w.setting <> 'logical'
UNION ALL
SELECT 'wire', w.name, w.setting, 'max_slot_wal_keep_size = ''16GB''',
       'a peer that stays away would keep WAL until the disk is full'
  FROM wire AS w WHERE w.name = 'max_slot_wal_keep_size' AND w.setting = '-1'
UNION ALL
SELECT 'wire', w.name, w.setting, format('%s = %s', w.name, n.least), n.why
  FROM wire AS w JOIN needed AS n USING (name) WHERE w.setting::bigint < n.least
UNION ALL
SELECT 'wire', w.name, w.setting || ' bytes of WAL', format('SELECT pg_drop_replication_slot(%L);', substr(w.name, 6)),
       'a slot that is not of the wire keeps WAL of its server; if nobody needs it'
  FROM wire AS w WHERE w.name LIKE 'slot %' AND w.setting::numeric > 1073741824
UNION ALL
SELECT 'ledger', s.name, s.setting, s.name || ' = on', 'a node signs nothing without it'
  FROM pg_settings AS s WHERE s.name IN ('fsync', 'full_page_writes') AND s.setting = 'off'
UNION ALL
SELECT 'ledger', 'telco_ledger.wire_conninfo', s.setting, 'telco_ledger.wire_conninfo = ''host=... dbname=...''',
       'the wire is in the server of the ledger: a peer''s replication role can read all of it'
  FROM pg_settings AS s WHERE s.name = 'telco_ledger.wire_conninfo' AND s.setting = ''
$$;
COMMENT ON FUNCTION ledger.check_settings() IS
    'settings that a consortium needs changed, each with the line to write; server says in whose postgresql.conf';

CREATE FUNCTION ledger.hba_rules() RETURNS SETOF text
    LANGUAGE sql VOLATILE ROWS 10 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
WITH wire (name) AS (
    SELECT quote_ident(coalesce(substring(ledger_internal.wire_conninfo() FROM 'dbname *= *''([^'']*)'''),
                                substring(ledger_internal.wire_conninfo() FROM 'dbname *= *([^[:space:]]+)')))),
peers AS (
    SELECT p.member, ledger_internal.wire_role(p.member) AS role
      FROM ledger_internal.peer AS p
     WHERE p.member <> (SELECT member FROM ledger_internal.node)
       AND (p.left_at IS NULL OR p.left_at > now() - interval '1 hour')),
invited AS (
    SELECT i.number AS member, i.name, ledger_internal.wire_role(i.number) AS role
      FROM ledger_internal.invitation AS i
     WHERE NOT EXISTS (SELECT FROM ledger_internal.peer AS p WHERE p.member = i.number)),
lines AS (
    SELECT 1 AS place, member,
           CASE WHEN host ~ '^[/@]' THEN format('local    %s  %s  peer map=telco_ledger', wire.name, role)
                WHEN host ~ '^[0-9.]+$' THEN format('hostssl  %s  %s  %s/32  cert', wire.name, role, host)
                WHEN host ~ ':' THEN format('hostssl  %s  %s  %s/128  cert', wire.name, role, host)
                ELSE format('hostssl  %s  %s  %s  cert', wire.name, role, host) END AS line
      FROM peers JOIN ledger_internal.peer USING (member)
           CROSS JOIN string_to_table(ledger_internal.address_hosts(address), ',') AS h (host), wire
    UNION ALL
    SELECT 1, member, format('# hostssl  %s  %s  <address of %s>  cert', wire.name, role, invited.name) FROM invited, wire
    UNION ALL
    SELECT 2, r.place, format('%-8s %s  %s  %s reject', r.type, 'all,replication', r.role, r.address)
      FROM (SELECT p.member AS place, t.type, p.role, t.address
              FROM (SELECT member, role FROM peers UNION ALL SELECT member, role FROM invited) AS p, (VALUES ('local', ''), ('host', 'all ')) AS t (type, address)
            UNION ALL
            SELECT 4294967296, t.type, ledger_internal.wire_prefix() || '_apply', t.address
              FROM (VALUES ('local', ''), ('host', 'all ')) AS t (type, address)) AS r)
SELECT line FROM lines ORDER BY place, member, line
$$;
COMMENT ON FUNCTION ledger.hba_rules() IS
    'lines for the pg_hba.conf of the wire''s server, to stand before others: each peer comes from its address, by certificate, to the wire only; whom this member has invited has no address here yet: fill it in';
