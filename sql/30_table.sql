-- Ledger tables: the type of their addresses, the access method, definitions.

CREATE TYPE ledger.ref;

CREATE FUNCTION ledger.ref_in(cstring) RETURNS ledger.ref
    AS 'MODULE_PATHNAME', 'tl_ref_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION ledger.ref_out(ledger.ref) RETURNS cstring
    AS 'MODULE_PATHNAME', 'tl_ref_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION ledger.ref_recv(internal) RETURNS ledger.ref
    AS 'MODULE_PATHNAME', 'tl_ref_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION ledger.ref_send(ledger.ref) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_ref_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE ledger.ref (
    INPUT = ledger.ref_in,
    OUTPUT = ledger.ref_out,
    RECEIVE = ledger.ref_recv,
    SEND = ledger.ref_send,
    INTERNALLENGTH = 16,
    ALIGNMENT = char,
    STORAGE = plain
);
COMMENT ON TYPE ledger.ref IS 'address of a ledger row: member.incarnation.transaction.row';

CREATE FUNCTION ledger.ref_lt(ledger.ref, ledger.ref) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tl_ref_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
CREATE FUNCTION ledger.ref_le(ledger.ref, ledger.ref) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tl_ref_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
CREATE FUNCTION ledger.ref_eq(ledger.ref, ledger.ref) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tl_ref_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
CREATE FUNCTION ledger.ref_ne(ledger.ref, ledger.ref) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tl_ref_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
CREATE FUNCTION ledger.ref_ge(ledger.ref, ledger.ref) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tl_ref_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
CREATE FUNCTION ledger.ref_gt(ledger.ref, ledger.ref) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tl_ref_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
CREATE FUNCTION ledger.ref_cmp(ledger.ref, ledger.ref) RETURNS integer
    AS 'MODULE_PATHNAME', 'tl_ref_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
CREATE FUNCTION ledger.ref_sortsupport(internal) RETURNS void
    AS 'MODULE_PATHNAME', 'tl_ref_sortsupport' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION ledger.ref_hash(ledger.ref) RETURNS integer
    AS 'MODULE_PATHNAME', 'tl_ref_hash' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
CREATE FUNCTION ledger.ref_hash_extended(ledger.ref, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tl_ref_hash_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
CREATE FUNCTION ledger.ref_smaller(ledger.ref, ledger.ref) RETURNS ledger.ref
    AS 'MODULE_PATHNAME', 'tl_ref_smaller' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION ledger.ref_larger(ledger.ref, ledger.ref) RETURNS ledger.ref
    AS 'MODULE_PATHNAME', 'tl_ref_larger' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

-- Operators, min and max live in pg_catalog, so that WHERE ledger_ref = '...'
-- works with every search_path.
CREATE OPERATOR pg_catalog.< (
    LEFTARG = ledger.ref, RIGHTARG = ledger.ref, FUNCTION = ledger.ref_lt,
    COMMUTATOR = OPERATOR(pg_catalog.>), NEGATOR = OPERATOR(pg_catalog.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR pg_catalog.<= (
    LEFTARG = ledger.ref, RIGHTARG = ledger.ref, FUNCTION = ledger.ref_le,
    COMMUTATOR = OPERATOR(pg_catalog.>=), NEGATOR = OPERATOR(pg_catalog.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR pg_catalog.= (
    LEFTARG = ledger.ref, RIGHTARG = ledger.ref, FUNCTION = ledger.ref_eq,
    COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
CREATE OPERATOR pg_catalog.<> (
    LEFTARG = ledger.ref, RIGHTARG = ledger.ref, FUNCTION = ledger.ref_ne,
    COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=),
    RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR pg_catalog.>= (
    LEFTARG = ledger.ref, RIGHTARG = ledger.ref, FUNCTION = ledger.ref_ge,
    COMMUTATOR = OPERATOR(pg_catalog.<=), NEGATOR = OPERATOR(pg_catalog.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);
CREATE OPERATOR pg_catalog.> (
    LEFTARG = ledger.ref, RIGHTARG = ledger.ref, FUNCTION = ledger.ref_gt,
    COMMUTATOR = OPERATOR(pg_catalog.<), NEGATOR = OPERATOR(pg_catalog.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);

CREATE OPERATOR CLASS ledger.ref_btree_ops DEFAULT FOR TYPE ledger.ref USING btree AS
    OPERATOR 1 pg_catalog.<,
    OPERATOR 2 pg_catalog.<=,
    OPERATOR 3 pg_catalog.=,
    OPERATOR 4 pg_catalog.>=,
    OPERATOR 5 pg_catalog.>,
    FUNCTION 1 ledger.ref_cmp(ledger.ref, ledger.ref),
    FUNCTION 2 ledger.ref_sortsupport(internal),
    FUNCTION 4 btequalimage(oid);
CREATE OPERATOR CLASS ledger.ref_hash_ops DEFAULT FOR TYPE ledger.ref USING hash AS
    OPERATOR 1 pg_catalog.=,
    FUNCTION 1 ledger.ref_hash(ledger.ref),
    FUNCTION 2 ledger.ref_hash_extended(ledger.ref, bigint);
CREATE OPERATOR CLASS ledger.ref_minmax_ops DEFAULT FOR TYPE ledger.ref USING brin AS
    OPERATOR 1 pg_catalog.<,
    OPERATOR 2 pg_catalog.<=,
    OPERATOR 3 pg_catalog.=,
    OPERATOR 4 pg_catalog.>=,
    OPERATOR 5 pg_catalog.>,
    FUNCTION 1 brin_minmax_opcinfo(internal),
    FUNCTION 2 brin_minmax_add_value(internal, internal, internal, internal),
    FUNCTION 3 brin_minmax_consistent(internal, internal, internal),
    FUNCTION 4 brin_minmax_union(internal, internal, internal);

CREATE AGGREGATE pg_catalog.min(ledger.ref) (
    SFUNC = ledger.ref_smaller, STYPE = ledger.ref, COMBINEFUNC = ledger.ref_smaller,
    SORTOP = OPERATOR(pg_catalog.<), PARALLEL = SAFE
);
CREATE AGGREGATE pg_catalog.max(ledger.ref) (
    SFUNC = ledger.ref_larger, STYPE = ledger.ref, COMBINEFUNC = ledger.ref_larger,
    SORTOP = OPERATOR(pg_catalog.>), PARALLEL = SAFE
);
COMMENT ON AGGREGATE pg_catalog.min(ledger.ref) IS 'smallest ref of a group';
COMMENT ON AGGREGATE pg_catalog.max(ledger.ref) IS 'greatest ref of a group';

CREATE FUNCTION ledger.ref_to_uuid(ledger.ref) RETURNS uuid
    AS 'MODULE_PATHNAME', 'tl_ref_to_uuid' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION ledger.ref_from_uuid(uuid) RETURNS ledger.ref
    AS 'MODULE_PATHNAME', 'tl_ref_from_uuid' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE CAST (ledger.ref AS uuid) WITH FUNCTION ledger.ref_to_uuid(ledger.ref);
CREATE CAST (uuid AS ledger.ref) WITH FUNCTION ledger.ref_from_uuid(uuid);
CREATE CAST (ledger.ref AS text) WITH INOUT AS ASSIGNMENT;
CREATE CAST (text AS ledger.ref) WITH INOUT;

CREATE FUNCTION ledger.member(ref ledger.ref) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tl_ref_member' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION ledger.incarnation(ref ledger.ref) RETURNS integer
    AS 'MODULE_PATHNAME', 'tl_ref_incarnation' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION ledger.transaction(ref ledger.ref) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tl_ref_transaction' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION ledger.row_number(ref ledger.ref) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tl_ref_row' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ledger.member(ledger.ref) IS 'number of the member whose row it is';
COMMENT ON FUNCTION ledger.incarnation(ledger.ref) IS 'incarnation of the member that issued the ref';
COMMENT ON FUNCTION ledger.transaction(ledger.ref) IS 'top-level transaction number (xid8) of the row';
COMMENT ON FUNCTION ledger.row_number(ledger.ref) IS 'number of the row in its transaction, from 1';

-- STABLE on purpose: COPY keeps its multi-insert, and each row still gets its
-- own value because defaults are evaluated row by row.
CREATE FUNCTION ledger.next_ref() RETURNS ledger.ref
    AS 'MODULE_PATHNAME', 'tl_next_ref' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger.next_ref() IS 'the default of every ledger_ref column; of no use elsewhere';

CREATE FUNCTION ledger_internal.table_am_handler(internal) RETURNS table_am_handler
    AS 'MODULE_PATHNAME', 'tl_table_am_handler' LANGUAGE C STRICT;
CREATE ACCESS METHOD ledger TYPE TABLE HANDLER ledger_internal.table_am_handler;
COMMENT ON ACCESS METHOD ledger IS 'append-only, hash-chained tables';

CREATE FUNCTION ledger_internal.state_am_handler(internal) RETURNS table_am_handler
    AS 'MODULE_PATHNAME', 'tl_state_am_handler' LANGUAGE C STRICT;
CREATE ACCESS METHOD ledger_state TYPE TABLE HANDLER ledger_internal.state_am_handler;
COMMENT ON ACCESS METHOD ledger_state IS 'tables of contracts, changed by their calls alone';


CREATE TABLE ledger_internal.ledger_table (
    relation regclass PRIMARY KEY,
    table_id uuid UNIQUE NOT NULL
);
COMMENT ON TABLE ledger_internal.ledger_table IS 'table ids of the ledger tables, given at creation, for ever';

CREATE TABLE ledger_internal.ledger_parent (
    relation regclass PRIMARY KEY,
    table_id uuid UNIQUE NOT NULL
);

-- Restoring a dump creates the tables first, and each gets a row here; then
-- come the rows of the dump, with the ids that are on the ledger: they count.
-- The library itself writes past triggers.
CREATE FUNCTION ledger_internal.take_restored_row() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('DELETE FROM %I.%I WHERE relation = $1', TG_TABLE_SCHEMA, TG_TABLE_NAME)
        USING NEW.relation;
    RETURN NEW;
END $$;
CREATE TRIGGER take_restored_row BEFORE INSERT ON ledger_internal.ledger_table
    FOR EACH ROW EXECUTE FUNCTION ledger_internal.take_restored_row();
CREATE TRIGGER take_restored_row BEFORE INSERT ON ledger_internal.ledger_parent
    FOR EACH ROW EXECUTE FUNCTION ledger_internal.take_restored_row();
COMMENT ON TABLE ledger_internal.ledger_parent IS 'partitioned tables created USING ledger: their partitions are ledger tables';

-- The definition is known to the library (table_definition.c); ledger_ref is
-- attribute 10.
CREATE TABLE ledger.table_version (
    table_id uuid NOT NULL,
    version integer NOT NULL,
    action text NOT NULL,
    schema_name text NOT NULL,
    table_name text NOT NULL,
    attribute_numbers integer[] NOT NULL,
    column_names text[] NOT NULL,
    type_names text[] NOT NULL,
    type_tags bigint[] NOT NULL
) USING ledger;
CREATE UNIQUE INDEX table_version_by_table ON ledger.table_version (table_id, version);
GRANT SELECT ON ledger.table_version TO PUBLIC;
COMMENT ON TABLE ledger.table_version IS 'definitions of ledger tables, one row per version, written by the library';
COMMENT ON COLUMN ledger.table_version.version IS 'from 1, without gaps';
COMMENT ON COLUMN ledger.table_version.action IS 'create, alter, attach; sign and unsign with what must be signed (table_requirement.c); on test ledgers also truncate and drop';
COMMENT ON COLUMN ledger.table_version.attribute_numbers IS 'of the columns, ascending, without ledger_ref';
COMMENT ON COLUMN ledger.table_version.type_tags IS 'what stands for each column''s type in the bytes of a row';

SELECT pg_extension_config_dump('ledger_internal.ledger_table',
                                'WHERE relation <> ''ledger.table_version''::pg_catalog.regclass');
SELECT pg_extension_config_dump('ledger_internal.ledger_parent', '');
SELECT pg_extension_config_dump('ledger.table_version', '');

CREATE FUNCTION ledger.relation_of(ref ledger.ref) RETURNS regclass
    AS 'MODULE_PATHNAME', 'tl_relation_of' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ledger.relation_of(ledger.ref) IS 'the ledger table, or partition, that holds the row; NULL if there is none';

CREATE FUNCTION ledger.encode_value(value anyelement) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_encode_value' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ledger.encode_value(anyelement) IS 'the bytes that stand for a value in the encoding of a row';
CREATE FUNCTION ledger_internal.decode_value(bytes bytea, type anyelement) RETURNS anyelement
    AS 'MODULE_PATHNAME', 'tl_decode_value' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION ledger_internal.decode_value(bytea, anyelement) IS
    'back from the bytes to the value, by the rules for rows of other members; of the second argument only the type counts';
CREATE FUNCTION ledger.type_tag(type regtype) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tl_type_tag' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ledger.type_tag(regtype) IS 'what stands for a type in the encoding of a row';
