-- RESTART: with fewer than a quorum left a ledger ends, and another begins
-- (src/node/node_restart.c; rules X1 to X5 of src/consensus/README.md).

CREATE TABLE ledger_internal.restart (
    begins boolean PRIMARY KEY,
    document bytea NOT NULL,
    members bytea[] NOT NULL,
    quorum_of_three integer NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ledger_internal.restart IS
    'the RESTART with which the ledger of this database begins, and the one with which it ends; members: leaves of the set that has signed';
SELECT pg_extension_config_dump('ledger_internal.restart', '');

CREATE FUNCTION ledger_internal.make_restart(chain bytea, last bytea, genesis_body bytea, leaves bytea[], founder bigint, at timestamptz, reason text)
    RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_make_restart' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ledger_internal.make_restart(bytea, bytea, bytea, bytea[], bigint, timestamptz, text) IS
    'a RESTART without signatures: the ledger of that chain ends with that block, one with those members begins';

CREATE FUNCTION ledger_internal.restart_parts(document bytea,
        OUT chain bytea, OUT height bigint, OUT hash bytea, OUT block_time timestamptz, OUT reason text,
        OUT digest bytea, OUT signers bigint[], OUT new_chain bytea, OUT begins_at timestamptz, OUT leaves bytea[],
        OUT genesis_header bytea, OUT genesis_body bytea) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tl_restart_parts' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 1;
COMMENT ON FUNCTION ledger_internal.restart_parts(bytea) IS 'what a RESTART says (src/consensus/consensus_restart.c)';

CREATE FUNCTION ledger_internal.add_restart_signature(document bytea, member bigint, signature bytea) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_add_restart_signature' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ledger_internal.add_restart_signature(bytea, bigint, bytea) IS 'the RESTART with one signature more, which nobody has checked';

CREATE FUNCTION ledger_internal.judge_restart(document bytea, leaves bytea[], quorum_of_three integer) RETURNS void
    AS 'MODULE_PATHNAME', 'tl_judge_restart' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ledger_internal.judge_restart(bytea, bytea[], integer) IS
    'an error unless these leaves are the set of its last block, and enough of them have signed it';

CREATE FUNCTION ledger_internal.stop_node() RETURNS void
    AS 'MODULE_PATHNAME', 'tl_stop_node' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger_internal.stop_node() IS 'the processes of this node leave at commit, and look anew at what it is';

-- A document is the RESTART and the set that signs it, as text that can be sent.
CREATE FUNCTION ledger_internal.restart_text(document bytea, members bytea[], quorum_of_three integer) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
    AS $$
SELECT jsonb_build_object('telco_ledger', 'restart 1', 'document', encode($1, 'hex'),
                          'members', (SELECT jsonb_agg(encode(leaf, 'hex') ORDER BY place) FROM unnest($2) WITH ORDINALITY AS l (leaf, place)),
                          'quorum_of_three', $3)::text
$$;
COMMENT ON FUNCTION ledger_internal.restart_text(bytea, bytea[], integer) IS 'a RESTART and the set that signs it, as text';

CREATE FUNCTION ledger_internal.restart_from_text(paper text, OUT document bytea, OUT members bytea[], OUT quorum_of_three integer) RETURNS record
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    given jsonb;
    fault text;
BEGIN
    BEGIN
        IF octet_length(paper) <= 1048576 THEN
            given := paper::jsonb;
        END IF;
        IF given ->> 'telco_ledger' = 'restart 1' AND given ->> 'document' ~ '^([0-9a-f]{2})+$' AND given ->> 'quorum_of_three' ~ '^[23]$'
           AND (CASE WHEN jsonb_typeof(given -> 'members') = 'array'
                     THEN (SELECT count(*) BETWEEN 1 AND 64 AND bool_and(jsonb_typeof(leaf) = 'string' AND leaf #>> '{}' ~ '^([0-9a-f]{2})+$')
                             FROM jsonb_array_elements(given -> 'members') AS leaf) END) THEN
            document := decode(given ->> 'document', 'hex');
            members := ARRAY(SELECT decode(leaf, 'hex') FROM jsonb_array_elements_text(given -> 'members') WITH ORDINALITY AS l (leaf, place) ORDER BY place);
            -- errors if they are none
            PERFORM FROM ledger_internal.restart_parts(document);
            PERFORM FROM unnest(members) AS u (leaf), LATERAL ledger_internal.leaf_parts(u.leaf);
            quorum_of_three := (given ->> 'quorum_of_three')::integer;
        END IF;
    EXCEPTION WHEN OTHERS THEN
        fault := SQLERRM;
    END;
    IF quorum_of_three IS NULL THEN
        RAISE EXCEPTION 'this is no document of a restart'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = coalesce(fault, 'It is of another kind, or something in it is missing or too long.'),
                  HINT = 'Copy the whole text that ledger.propose_restart() has returned.';
    END IF;
END $$;
COMMENT ON FUNCTION ledger_internal.restart_from_text(text) IS 'what ledger_internal.restart_text() made into text; an error for any other';

CREATE FUNCTION ledger.propose_restart(names text[], fingerprints text[], reason text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    unknown text;
    own record;
    last record;
    leaves bytea[];
BEGIN
    PERFORM ledger_internal.check_ordered();
    IF cardinality(names) IS DISTINCT FROM cardinality(fingerprints) OR coalesce(cardinality(names), 0) = 0 OR coalesce(btrim(reason), '') = ''
       OR array_position(names, NULL) IS NOT NULL OR array_position(fingerprints, NULL) IS NOT NULL
       OR (SELECT count(DISTINCT n) < count(*) FROM unnest(names) AS n) THEN
        RAISE EXCEPTION 'a restart names each member who goes on once, with the fingerprint of a new key, and a reason'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'SELECT ledger.fingerprint() in the database that each has made for the new ledger prints it.';
    END IF;
    SELECT n.member, n.chain_id, n.genesis_body INTO own FROM ledger_internal.node AS n;
    SELECT b.height, b.header INTO last FROM ledger_internal.block AS b ORDER BY b.height DESC LIMIT 1;
    SELECT string_agg(quote_ident(n), ', ') INTO unknown FROM unnest(names) AS n
     WHERE NOT EXISTS (SELECT FROM ledger_internal.members() AS m WHERE m.name = n AND m.left_height IS NULL);
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION '% is no member of this ledger', unknown USING ERRCODE = 'undefined_object',
            DETAIL = 'A restart goes on with those who were members. New ones are admitted afterwards.',
            HINT = 'SELECT name FROM ledger.member shows who they are.';
    END IF;
    IF NOT EXISTS (SELECT FROM ledger_internal.members() AS m
                    WHERE m.member = own.member AND m.left_height IS NULL AND m.name = ANY (names)) THEN
        RAISE EXCEPTION 'this member is not among those who go on' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'A restart is proposed by one who goes on: he is the founder of the new ledger.';
    END IF;
    SELECT array_agg(ledger_internal.make_leaf(m.member, m.name, m.kind, m.roles, ledger_internal.key_of(u.fingerprint), m.recovery_key)
                     ORDER BY m.member) INTO leaves
      FROM unnest(names, fingerprints) AS u (name, fingerprint)
      JOIN ledger_internal.members() AS m ON m.name = u.name AND m.left_height IS NULL;
    RETURN ledger_internal.restart_text(
        ledger_internal.make_restart(own.chain_id, last.header, own.genesis_body, leaves, own.member, clock_timestamp(), reason),
        -- a change that came with that block does not say who signs for it
        (SELECT array_agg(m.leaf ORDER BY m.member) FROM ledger_internal.members(last.height) AS m WHERE m.left_height IS NULL),
        get_byte(own.genesis_body, 12));
END $$;
COMMENT ON FUNCTION ledger.propose_restart(text[], text[], text) IS
    'the document of a restart: this ledger ends with its newest block here, and these members go on in another one; to be signed with recovery keys';

CREATE FUNCTION ledger.restart_contents(document text,
        OUT chain text, OUT height bigint, OUT block_time timestamptz, OUT reason text, OUT digest bytea,
        OUT members text[], OUT signers text[], OUT signatures_needed integer, OUT new_chain text, OUT begins_at timestamptz) RETURNS SETOF record
    LANGUAGE sql STABLE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
SELECT encode(p.chain, 'hex'), p.height, p.block_time, p.reason, p.digest,
       ARRAY(SELECT l.name FROM unnest(p.leaves) AS u (leaf), LATERAL ledger_internal.leaf_parts(u.leaf) AS l ORDER BY l.member),
       ARRAY(SELECT l.name FROM unnest(d.members) AS u (leaf), LATERAL ledger_internal.leaf_parts(u.leaf) AS l
              WHERE l.member = ANY (p.signers) ORDER BY l.member),
       CASE v.count WHEN 2 THEN 1 WHEN 3 THEN d.quorum_of_three ELSE (v.count + (v.count - 1) / 3) / 2 + 1 END,
       encode(p.new_chain, 'hex'), p.begins_at
  FROM ledger_internal.restart_from_text(document) AS d, LATERAL ledger_internal.restart_parts(d.document) AS p,
       LATERAL (SELECT count(*)::integer FROM unnest(d.members) AS u (leaf), LATERAL ledger_internal.leaf_parts(u.leaf) AS l
                 WHERE l.kind = 'validator') AS v
$$;
COMMENT ON FUNCTION ledger.restart_contents(text) IS
    'what the document of a restart says; digest is what is signed by BIP-340 with the recovery keys';

-- On a node of the ledger that ends: is that its end, as far as it is known here?
-- Who signs, and how many have to, it knows by itself: the document may be made up.
CREATE FUNCTION ledger_internal.check_restart_here(document bytea, members bytea[], quorum_of_three integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    own record;
    said record;
    due record;
BEGIN
    PERFORM ledger_internal.check_ordered();
    SELECT p.chain, p.height, p.hash INTO said FROM ledger_internal.restart_parts(check_restart_here.document) AS p;
    IF said.chain IS DISTINCT FROM (SELECT n.chain_id FROM ledger_internal.node AS n) THEN
        RAISE EXCEPTION 'the restart is of another ledger' USING ERRCODE = 'invalid_parameter_value',
            DETAIL = format('It ends %s.', encode(said.chain, 'hex')), HINT = 'SELECT chain FROM ledger.status shows the one of this database.';
    END IF;
    SELECT max(b.height) AS height INTO own FROM ledger_internal.block AS b;
    SELECT get_byte(n.genesis_body, 12) AS quorum_of_three,
           ARRAY(SELECT m.leaf FROM ledger_internal.members(said.height) AS m WHERE m.left_height IS NULL ORDER BY m.member) AS members
      INTO due FROM ledger_internal.node AS n;
    IF check_restart_here.quorum_of_three IS DISTINCT FROM due.quorum_of_three THEN
        RAISE EXCEPTION 'the restart counts another quorum than this ledger' USING ERRCODE = 'invalid_parameter_value',
            DETAIL = format('Of three validators it wants %s; this ledger wants %s.', check_restart_here.quorum_of_three, due.quorum_of_three),
            HINT = 'Prepare the restart here: ledger.propose_restart().';
    END IF;
    IF own.height > said.height THEN
        RAISE EXCEPTION 'this node has final blocks that the restart leaves out' USING ERRCODE = 'invalid_parameter_value',
            DETAIL = format('The restart ends the ledger with block %s, and block %s is final here.', said.height, own.height),
            HINT = 'Prepare the restart here: ledger.propose_restart().';
    END IF;
    IF own.height = said.height AND said.hash IS DISTINCT FROM (SELECT b.hash FROM ledger_internal.block AS b WHERE b.height = said.height) THEN
        RAISE EXCEPTION 'the restart''s last block is not the one that is final here' USING ERRCODE = 'invalid_parameter_value',
            DETAIL = format('They differ at height %s: two histories were signed.', said.height),
            HINT = 'Compare ledger.block and ledger.evidence of all members that are left.';
    END IF;
    IF check_restart_here.members IS DISTINCT FROM due.members AND own.height < said.height THEN
        RAISE EXCEPTION 'this node has to catch up first' USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = format('Block %s, with which the restart ends the ledger, is to be of other members than block %s makes them here.', said.height, own.height),
            HINT = 'Have it fetch the blocks between from who has them (SELECT height FROM ledger.status). If nobody has any, the restart is made up: ledger.propose_restart() makes another.';
    END IF;
    IF check_restart_here.members IS DISTINCT FROM due.members THEN
        RAISE EXCEPTION 'the restart''s last block is not of the members who sign it' USING ERRCODE = 'invalid_parameter_value',
            DETAIL = format('Block %s is here, and its members are others.', said.height),
            HINT = 'Prepare the restart here: ledger.propose_restart().';
    END IF;
END $$;
COMMENT ON FUNCTION ledger_internal.check_restart_here(bytea, bytea[], integer) IS
    'an error if this node knows that the ledger does not end there, or that others are to sign that';

CREATE FUNCTION ledger.add_restart_signature(document text, name text, signature bytea) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    given record;
    signer record;
BEGIN
    SELECT d.* INTO given FROM ledger_internal.restart_from_text(add_restart_signature.document) AS d;
    PERFORM ledger_internal.check_restart_here(given.document, given.members, given.quorum_of_three);
    SELECT l.* INTO signer FROM unnest(given.members) AS u (leaf), LATERAL ledger_internal.leaf_parts(u.leaf) AS l
     WHERE l.name = add_restart_signature.name AND l.kind = 'validator';
    IF signer.recovery_key IS NULL THEN
        RAISE EXCEPTION 'member "%" cannot sign this restart', add_restart_signature.name USING ERRCODE = 'undefined_object',
            DETAIL = 'It was no validator of the last set, or has no recovery key there.',
            HINT = 'SELECT name, kind, recovery_key FROM ledger.member shows who can.';
    END IF;
    IF NOT coalesce(ledger.schnorr_verify((SELECT p.digest FROM ledger_internal.restart_parts(given.document) AS p),
                                          add_restart_signature.signature, signer.recovery_key), false) THEN
        RAISE EXCEPTION 'this is not the signature of "%"', add_restart_signature.name USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'It is not one of this document''s digest by the recovery key that the ledger has of that member.',
            HINT = 'Sign SELECT digest FROM ledger.restart_contents(document) with the recovery key, by BIP-340.';
    END IF;
    RETURN ledger_internal.restart_text(
        ledger_internal.add_restart_signature(given.document, signer.member, add_restart_signature.signature),
        given.members, given.quorum_of_three);
END $$;
COMMENT ON FUNCTION ledger.add_restart_signature(text, text, bytea) IS
    'the document with one signature more, of that member''s recovery key; on a node of the ledger that ends, which checks it';

CREATE FUNCTION ledger.end_ledger(document text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    given record;
BEGIN
    SELECT d.* INTO given FROM ledger_internal.restart_from_text(end_ledger.document) AS d;
    PERFORM ledger_internal.check_restart_here(given.document, given.members, given.quorum_of_three);
    PERFORM ledger_internal.judge_restart(given.document, given.members, given.quorum_of_three);
    PERFORM ledger_internal.stop_node();
    -- what came meanwhile
    IF EXISTS (SELECT FROM ledger_internal.restart AS r WHERE NOT r.begins) THEN
        RAISE EXCEPTION 'this ledger has ended already' USING ERRCODE = 'duplicate_object',
            HINT = 'SELECT * FROM ledger.restart shows where, and as which one it goes on.';
    END IF;
    PERFORM ledger_internal.check_restart_here(given.document, given.members, given.quorum_of_three);
    INSERT INTO ledger_internal.restart (begins, document, members, quorum_of_three)
        VALUES (false, given.document, given.members, given.quorum_of_three);
END $$;
COMMENT ON FUNCTION ledger.end_ledger(text) IS
    'this node signs nothing more for its ledger, which goes on as the one that the document begins; rows, proofs and verification stay';

CREATE FUNCTION ledger.begin_ledger(document text, name text, names text[], addresses text[]) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    given record;
    said record;
    own record;
    key bytea;
    chain text;
BEGIN
    SELECT d.* INTO given FROM ledger_internal.restart_from_text(begin_ledger.document) AS d;
    PERFORM ledger_internal.judge_restart(given.document, given.members, given.quorum_of_three);
    SELECT p.* INTO said FROM ledger_internal.restart_parts(given.document) AS p;
    SELECT l.* INTO own FROM unnest(said.leaves) AS u (leaf), LATERAL ledger_internal.leaf_parts(u.leaf) AS l WHERE l.name = begin_ledger.name;
    SELECT p.public_key INTO key FROM ledger_internal.prepared_key AS p;
    IF own.row_key IS NULL OR own.row_key IS DISTINCT FROM key THEN
        RAISE EXCEPTION 'the restart is for another key' USING ERRCODE = 'invalid_parameter_value',
            DETAIL = format('Of "%s" it names %s; the key of this database is %s.', begin_ledger.name,
                            coalesce(ledger_internal.fingerprint_of(own.row_key), 'none'), coalesce(ledger_internal.fingerprint_of(key), 'not made yet')),
            HINT = 'Call it in the database whose ledger.fingerprint() the document was prepared with.';
    END IF;
    IF cardinality(names) IS DISTINCT FROM cardinality(addresses) OR array_position(addresses, NULL) IS NOT NULL
       OR ARRAY(SELECT n FROM unnest(names) AS n ORDER BY 1)
          <> ARRAY(SELECT l.name FROM unnest(said.leaves) AS u (leaf), LATERAL ledger_internal.leaf_parts(u.leaf) AS l ORDER BY 1) THEN
        RAISE EXCEPTION 'each member of the new ledger needs an address' USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'It is where the others reach that member''s wire of the new ledger.',
            HINT = 'SELECT members FROM ledger.restart_contents(document) shows who they are; give names and addresses in arrays of the same length.';
    END IF;
    PERFORM ledger_internal.check_address(a) FROM unnest(addresses) AS a;
    INSERT INTO ledger_internal.restart (begins, document, members, quorum_of_three)
        VALUES (true, given.document, given.members, given.quorum_of_three);
    chain := ledger_internal.join_chain(begin_ledger.name, own.member, said.genesis_header, said.genesis_body, key);
    DELETE FROM ledger_internal.prepared_key;
    INSERT INTO ledger_internal.peer (member, row_key, address)
        SELECT l.member, l.row_key, a.address
          FROM unnest(said.leaves) AS u (leaf), LATERAL ledger_internal.leaf_parts(u.leaf) AS l
          JOIN unnest(names, addresses) AS a (name, address) ON a.name = l.name;
    PERFORM ledger_internal.wire_changed();
    RETURN chain;
END $$;
COMMENT ON FUNCTION ledger.begin_ledger(text, text, text[], text[]) IS
    'makes this database a node of the ledger that a signed restart begins, as the member of that name; returns its chain id';

CREATE VIEW ledger.restart AS
    SELECT CASE WHEN r.begins THEN 'begins' ELSE 'ends' END AS this_ledger,
           encode(p.chain, 'hex') AS old_chain, p.height AS old_height, encode(p.hash, 'hex') AS old_hash,
           encode(p.new_chain, 'hex') AS new_chain, p.begins_at, p.reason,
           ARRAY(SELECT l.name FROM unnest(r.members) AS u (leaf), LATERAL ledger_internal.leaf_parts(u.leaf) AS l
                  WHERE l.member = ANY (p.signers) ORDER BY l.member) AS signers
      FROM ledger_internal.restart AS r, LATERAL ledger_internal.restart_parts(r.document) AS p;
COMMENT ON VIEW ledger.restart IS
    'the restart with which the ledger of this database begins or ends: where, why, and whose recovery keys have signed it';
