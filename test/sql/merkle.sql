-- Merkle trees in SQL, beside the recursive definition of RFC 6962 written in
-- SQL with pgcrypto's hash.

SELECT p.oid::regprocedure AS function, p.provolatile, p.proisstrict, p.proparallel,
       obj_description(p.oid, 'pg_proc') IS NOT NULL AS has_comment
FROM pg_proc p
WHERE p.pronamespace IN ('ledger'::regnamespace, 'ledger_internal'::regnamespace)
  AND p.proname LIKE 'merkle%'
ORDER BY 1::text COLLATE "C";

CREATE FUNCTION reference_root(leaves bytea[]) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    split int := 1;
BEGIN
    IF cardinality(leaves) = 0 THEN
        RETURN digest('', 'sha256');
    ELSIF cardinality(leaves) = 1 THEN
        RETURN leaves[1];
    END IF;
    WHILE split * 2 < cardinality(leaves) LOOP
        split := split * 2;
    END LOOP;
    RETURN digest('\x01' || reference_root(leaves[:split]) || reference_root(leaves[split + 1:]), 'sha256');
END
$$;

-- Leaves 0 to 40 of all that follows.
CREATE TABLE leaf AS
SELECT i, ledger.merkle_leaf_hash(convert_to('leaf ' || i, 'UTF8')) AS hash
FROM generate_series(0, 40) i;
SELECT bool_and(hash = digest('\x00' || convert_to('leaf ' || i, 'UTF8'), 'sha256')) AS leaf_hashes_agree FROM leaf;
CREATE FUNCTION leaves(size int) RETURNS bytea[]
LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(hash ORDER BY i), '{}') FROM leaf WHERE i < size
$$;

-- Roots: function, aggregate and definition.
SELECT size
FROM generate_series(0, 41) size
WHERE ledger.merkle_root(leaves(size)) IS DISTINCT FROM reference_root(leaves(size))
   OR (SELECT ledger.merkle_root_agg(hash ORDER BY i) FROM leaf WHERE i < size)
      IS DISTINCT FROM reference_root(leaves(size));
SELECT ledger.merkle_root('{}') AS empty,
       (SELECT ledger.merkle_root_agg(hash) FROM leaf WHERE false) = ledger.merkle_root('{}') AS aggregate_agrees;
SELECT ledger.merkle_root(leaves(7)) = ledger.merkle_root(ARRAY(SELECT unnest FROM unnest(leaves(7)) WITH ORDINALITY ORDER BY ordinality DESC)) AS order_does_not_matter;

-- The aggregate in groups, with a filter and growing in a window.
SELECT i % 3 AS part, ledger.merkle_root_agg(hash ORDER BY i) = reference_root(array_agg(hash ORDER BY i)) AS same
FROM leaf GROUP BY 1 ORDER BY 1;
SELECT ledger.merkle_root_agg(hash ORDER BY i) FILTER (WHERE i < 5) = reference_root(leaves(5)) AS same FROM leaf;
SELECT bool_and(root = reference_root(leaves(i + 1))) AS same
FROM (SELECT i, ledger.merkle_root_agg(hash) OVER (ORDER BY i) AS root FROM leaf) grown;
SELECT ledger.merkle_root_agg(h ORDER BY i) = ledger.merkle_root(array_agg(h ORDER BY i)) AS same_for_100000
FROM (SELECT i, sha256(int4send(i)) AS h FROM generate_series(1, 100000) i) many;

-- Every inclusion proof of every size, and no proof for the neighbour.
SELECT count(*) AS proofs,
       bool_and(ledger.merkle_verify_inclusion(hash, i, size, proof, root)) AS all_true,
       bool_or(ledger.merkle_verify_inclusion(hash, i + 1, size, proof, root)) AS any_other_index,
       bool_or(ledger.merkle_verify_inclusion(sha256(hash), i, size, proof, root)) AS any_other_leaf,
       bool_or(ledger.merkle_verify_inclusion(hash, i, size, proof || hash, root)) AS any_longer,
       bool_or(ledger.merkle_verify_inclusion(hash, i, size, proof[2:], root)) FILTER (WHERE size > 1) AS any_shorter
FROM generate_series(1, 41) size,
     LATERAL (SELECT leaves(size) AS hashes, ledger.merkle_root(leaves(size)) AS root) tree,
     LATERAL (SELECT i, hash, ledger.merkle_inclusion_proof(hashes, i) AS proof FROM leaf WHERE i < size) proofs;

-- Every pair of sizes.
SELECT count(*) AS proofs,
       bool_and(ledger.merkle_verify_consistency(old_size, new_size, proof, old_root, new_root)) AS all_true,
       bool_or(ledger.merkle_verify_consistency(old_size, new_size, proof, sha256(old_root), new_root)) AS any_other_old_root,
       bool_or(ledger.merkle_verify_consistency(old_size, new_size, proof, old_root, sha256(new_root))) AS any_other_new_root,
       bool_or(ledger.merkle_verify_consistency(old_size, new_size, proof || old_root, old_root, new_root)) AS any_longer,
       bool_or(ledger.merkle_verify_consistency(old_size, new_size, proof[2:], old_root, new_root)) FILTER (WHERE old_size < new_size) AS any_shorter
FROM generate_series(1, 41) new_size, generate_series(1, new_size) old_size,
     LATERAL (SELECT ledger.merkle_consistency_proof(leaves(new_size), old_size) AS proof,
                     ledger.merkle_root(leaves(old_size)) AS old_root,
                     ledger.merkle_root(leaves(new_size)) AS new_root) pair;

-- One bit of one hash of a proof.
SELECT bool_or(ledger.merkle_verify_inclusion(hash, 11, 41, changed, ledger.merkle_root(leaves(41)))) AS any_valid, count(*)
FROM leaf,
     LATERAL (SELECT ledger.merkle_inclusion_proof(leaves(41), 11) AS proof) p,
     generate_series(1, cardinality(proof)) n, generate_series(0, 255) bit,
     LATERAL (SELECT proof[:n - 1] || set_bit(proof[n], bit, 1 - get_bit(proof[n], bit)) || proof[n + 1:] AS changed) c
WHERE i = 11;

-- The proof by hand: the third of five leaves.
SELECT ledger.merkle_inclusion_proof(leaves(5), 2) = ARRAY[
    leaves[4],
    digest('\x01' || leaves[1] || leaves[2], 'sha256'),
    leaves[5]] AS as_in_the_book
FROM leaves(5) leaves;
SELECT ledger.merkle_inclusion_proof(leaves(1), 0) AS of_one_leaf,
       ledger.merkle_consistency_proof(leaves(5), 5) AS of_the_same_tree;

-- A tree of 2^62 equal leaves, and sizes up to the largest bigint.  Equal leaves
-- may stand for each other.  The last leaf of a tree of 2^63 - 1 has a path of
-- the same length: a root is trusted together with its size.
WITH RECURSIVE node(level, hash) AS (
    SELECT 0, sha256('leaf')
    UNION ALL
    SELECT level + 1, sha256('\x01' || hash || hash) FROM node WHERE level < 62
),
tree AS (
    SELECT array_agg(hash ORDER BY level) FILTER (WHERE level < 62) AS proof,
           max(CASE WHEN level = 0 THEN encode(hash, 'hex') END)::text AS leaf,
           max(CASE WHEN level = 62 THEN encode(hash, 'hex') END)::text AS root
    FROM node
)
SELECT index, size,
       ledger.merkle_verify_inclusion(decode(leaf, 'hex'), index, size, proof, decode(root, 'hex')) AS inclusion,
       ledger.merkle_verify_consistency(greatest(index, 1), size, proof, decode(leaf, 'hex'), decode(root, 'hex')) AS consistency
FROM tree, (VALUES
    (0, 4611686018427387904),
    (4611686018427387903, 4611686018427387904),
    (4611686018427387904, 4611686018427387904),
    (1, 4611686018427387904),
    (0, 9223372036854775807),
    (9223372036854775806, 9223372036854775807),
    (9223372036854775807, 9223372036854775807),
    (9223372036854775807, 1),
    (0, 0)) v(index, size);

-- What a prover sends wrong is false.
SELECT ledger.merkle_verify_inclusion(hash, 0, 2, ARRAY['\x'::bytea], hash) AS short_hash,
       ledger.merkle_verify_inclusion(hash, 0, 2, ARRAY[hash || '\x00'], hash) AS long_hash,
       ledger.merkle_verify_inclusion(hash, 0, 1, '{}', hash) AS only_leaf,
       ledger.merkle_verify_inclusion(hash, 0, 1, array_fill(hash, ARRAY[100000]), hash) AS endless,
       ledger.merkle_verify_consistency(1, 2, ARRAY['\x01'::bytea], hash, hash) AS short,
       ledger.merkle_verify_consistency(3, 2, '{}', hash, hash) AS shrunk
FROM leaf WHERE i = 0;

-- What the caller gives wrong is an error.
SELECT ledger.merkle_root(ARRAY['\x00'::bytea]);
SELECT ledger.merkle_root(ARRAY[sha256('a'), NULL]);
SELECT ledger.merkle_root(ARRAY[ARRAY[sha256('a')], ARRAY[sha256('b')]]);
SELECT ledger.merkle_root_agg(h) FROM (VALUES (sha256('a')), (NULL)) v(h);
SELECT ledger.merkle_root_agg(h) FROM (VALUES ('\x00'::bytea)) v(h);
SELECT ledger.merkle_inclusion_proof(leaves(5), 5);
SELECT ledger.merkle_inclusion_proof(leaves(5), -1);
SELECT ledger.merkle_inclusion_proof(leaves(5), 9223372036854775807);
SELECT ledger.merkle_inclusion_proof('{}', 0);
SELECT ledger.merkle_consistency_proof(leaves(5), 0);
SELECT ledger.merkle_consistency_proof(leaves(5), 6);
SELECT ledger.merkle_consistency_proof(leaves(5), -9223372036854775808);
SELECT ledger.merkle_verify_inclusion('\x', 0, 1, '{}', sha256('a'));
SELECT ledger.merkle_verify_inclusion(sha256('a'), 0, 1, '{}', '\x');
SELECT ledger.merkle_verify_inclusion(sha256('a'), -1, 1, '{}', sha256('a'));
SELECT ledger.merkle_verify_inclusion(sha256('a'), 0, -1, '{}', sha256('a'));
SELECT ledger.merkle_verify_inclusion(sha256('a'), 0, 2, ARRAY[NULL::bytea], sha256('a'));
SELECT ledger.merkle_verify_consistency(0, 5, '{}', sha256('a'), sha256('a'));
SELECT ledger.merkle_verify_consistency(1, 5, ARRAY[NULL::bytea], sha256('a'), sha256('a'));
SELECT ledger.merkle_verify_consistency(1, 5, '{}', '\x', sha256('a'));
SELECT ledger.merkle_verify_consistency(1, 5, '{}', sha256('a'), '\x');

-- NULL gives NULL.
SELECT ledger.merkle_leaf_hash(NULL) IS NULL AS leaf, ledger.merkle_root(NULL) IS NULL AS root,
       ledger.merkle_verify_inclusion(sha256('a'), 0, 1, NULL, sha256('a')) IS NULL AS proof;

-- Anybody may verify and compute; the aggregate's parts stay inside.
CREATE ROLE regress_merkle_user;
SET ROLE regress_merkle_user;
SELECT ledger.merkle_root_agg(h) = ledger.merkle_root(ARRAY[sha256('a')]) AS same FROM (VALUES (sha256('a'))) v(h);
SELECT ledger_internal.merkle_root_final(NULL);
RESET ROLE;
DROP ROLE regress_merkle_user;

DROP FUNCTION leaves(int), reference_root(bytea[]);
DROP TABLE leaf;
