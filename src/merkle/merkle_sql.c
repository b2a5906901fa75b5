/*-------------------------------------------------------------------------
 *
 * merkle_sql.c
 *	  Merkle trees in SQL (sql/20_merkle.sql).
 *
 * The caller's own values (leaf hashes, roots, a negative number, old size 0)
 * are an ERROR when malformed.  What the prover supplies is false when wrong:
 * hashes of a proof of another length than 32, too many of them, an index or a
 * size that do not fit together.  A NULL inside an array is always an ERROR.
 *
 * Memory: the aggregate keeps 2 KB however many leaves come; the functions
 * over an array keep the array and one pointer for each leaf.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"

#include "merkle_hash.h"
#include "merkle_proof.h"
#include "merkle_range.h"
#include "tl_compat.h"
#include "tl_error.h"

#define INTERRUPT_INTERVAL	4096	/* leaves hashed between two looks */

#define LEAF_NULL_HINT \
	"Compute the hash of every leaf, or remove the nulls with array_remove."
#define LEAF_HINT \
	"Hash the data of a leaf first: ledger.merkle_leaf_hash(data)."
#define ROOT_HINT \
	"A root is what ledger.merkle_root returns."

PG_FUNCTION_INFO_V1(tl_merkle_sql_leaf_hash);
PG_FUNCTION_INFO_V1(tl_merkle_sql_root);
PG_FUNCTION_INFO_V1(tl_merkle_sql_root_step);
PG_FUNCTION_INFO_V1(tl_merkle_sql_root_final);
PG_FUNCTION_INFO_V1(tl_merkle_sql_inclusion_proof);
PG_FUNCTION_INFO_V1(tl_merkle_sql_verify_inclusion);
PG_FUNCTION_INFO_V1(tl_merkle_sql_consistency_proof);
PG_FUNCTION_INFO_V1(tl_merkle_sql_verify_consistency);

/* The leaves of an array, none of them NULL. */
typedef struct LeafArray
{
	uint64_t	size;
	Datum	   *leaves;
} LeafArray;

static void leaf_array_open(LeafArray *out, ArrayType *array,
							const char *what, const char *null_hint);
static void leaf_array_get(const LeafArray *array, TlHash *out,
						   uint64_t index);
static TlStatus leaf_array_node(void *context, TlHash *out, unsigned level,
								uint64_t index);
static bool proof_open(TlHash path[TL_MERKLE_PATH_MAX], unsigned *count,
					   ArrayType *array);
static ArrayType *proof_make(const TlHash *path, unsigned count);
static void hash_argument(FunctionCallInfo fcinfo, int argument, TlHash *out,
						  const char *what, const char *hint);
static uint64_t number_argument(FunctionCallInfo fcinfo, int argument,
								const char *what);
static uint64_t old_size_argument(FunctionCallInfo fcinfo, int argument);
static void hash_from_datum(Datum datum, TlHash *out, const char *what,
							const char *hint);
static bytea *bytea_from_hash(const TlHash *hash);

Datum
tl_merkle_sql_leaf_hash(PG_FUNCTION_ARGS)
{
	bytea	   *data = PG_GETARG_BYTEA_PP(0);
	TlHash		hash;

	tl_merkle_leaf_hash(&hash, VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data));
	PG_RETURN_BYTEA_P(bytea_from_hash(&hash));
}

Datum
tl_merkle_sql_root(PG_FUNCTION_ARGS)
{
	LeafArray	array;
	TlMerkleRange range;
	TlHash		root;

	leaf_array_open(&array, PG_GETARG_ARRAYTYPE_P(0), "leaf hashes",
					LEAF_NULL_HINT);
	tl_merkle_range_init(&range);
	for (uint64_t i = 0; i < array.size; i++)
	{
		TlHash		leaf;

		if (i % INTERRUPT_INTERVAL == 0)
			CHECK_FOR_INTERRUPTS();
		leaf_array_get(&array, &leaf, i);
		tl_error_check(tl_merkle_range_append(&range, &leaf),
					   "could not append a leaf");
	}
	tl_merkle_range_root(&range, &root);
	PG_RETURN_BYTEA_P(bytea_from_hash(&root));
}

/* Transition of merkle_root_agg: the tree in 2 KB of the aggregate's memory. */
Datum
tl_merkle_sql_root_step(PG_FUNCTION_ARGS)
{
	MemoryContext aggregate_context;
	TlMerkleRange *range;
	TlHash		leaf;

	if (!AggCheckCallContext(fcinfo, &aggregate_context))
		elog(ERROR, "merkle_root_step called outside of an aggregate");
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("leaf hash must not be null"),
				errdetail("A tree over rows of which one has no hash has no root."),
				errhint("Leave such rows out with FILTER (WHERE ... IS NOT NULL) if that is meant."));
	if (PG_ARGISNULL(0))
	{
		range = MemoryContextAlloc(aggregate_context, sizeof(TlMerkleRange));
		tl_merkle_range_init(range);
	}
	else
		range = (TlMerkleRange *) PG_GETARG_POINTER(0);

	hash_argument(fcinfo, 1, &leaf, "leaf hash", LEAF_HINT);
	tl_error_check(tl_merkle_range_append(range, &leaf),
				   "could not append a leaf");
	PG_RETURN_POINTER(range);
}

/* No rows are the empty tree, whose root RFC 6962 defines. */
Datum
tl_merkle_sql_root_final(PG_FUNCTION_ARGS)
{
	TlHash		root;

	if (!AggCheckCallContext(fcinfo, NULL))
		elog(ERROR, "merkle_root_final called outside of an aggregate");
	if (PG_ARGISNULL(0))
		tl_merkle_empty_root(&root);
	else
		tl_merkle_range_root((TlMerkleRange *) PG_GETARG_POINTER(0), &root);
	PG_RETURN_BYTEA_P(bytea_from_hash(&root));
}

Datum
tl_merkle_sql_inclusion_proof(PG_FUNCTION_ARGS)
{
	LeafArray	array;
	uint64_t	index = number_argument(fcinfo, 1, "index");
	TlHash		path[TL_MERKLE_PATH_MAX];
	unsigned	count = TL_MERKLE_PATH_MAX;

	leaf_array_open(&array, PG_GETARG_ARRAYTYPE_P(0), "leaf hashes",
					LEAF_NULL_HINT);
	if (index >= array.size)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("index is beyond the tree"),
				errdetail("The index is " UINT64_FORMAT " and the tree has " UINT64_FORMAT " leaves.",
						  index, array.size),
				errhint("The first leaf has index 0."));
	tl_error_check(tl_merkle_inclusion_path(path, &count, index, array.size,
											leaf_array_node, &array),
				   "could not prove the inclusion");
	PG_RETURN_ARRAYTYPE_P(proof_make(path, count));
}

Datum
tl_merkle_sql_verify_inclusion(PG_FUNCTION_ARGS)
{
	TlHash		leaf;
	uint64_t	index = number_argument(fcinfo, 1, "index");
	uint64_t	size = number_argument(fcinfo, 2, "tree size");
	TlHash		path[TL_MERKLE_PATH_MAX];
	unsigned	count;
	TlHash		root;

	hash_argument(fcinfo, 0, &leaf, "leaf hash", LEAF_HINT);
	hash_argument(fcinfo, 4, &root, "root", ROOT_HINT);
	PG_RETURN_BOOL(proof_open(path, &count, PG_GETARG_ARRAYTYPE_P(3)) &&
				   tl_merkle_inclusion_verify(&leaf, index, size, path, count,
											  &root));
}

Datum
tl_merkle_sql_consistency_proof(PG_FUNCTION_ARGS)
{
	LeafArray	array;
	uint64_t	old_size = old_size_argument(fcinfo, 1);
	TlHash		path[TL_MERKLE_PATH_MAX];
	unsigned	count = TL_MERKLE_PATH_MAX;

	leaf_array_open(&array, PG_GETARG_ARRAYTYPE_P(0), "leaf hashes",
					LEAF_NULL_HINT);
	if (old_size > array.size)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("old tree is larger than the new one"),
				errdetail("The old size is " UINT64_FORMAT " and there are " UINT64_FORMAT " leaves.",
						  old_size, array.size),
				errhint("Pass all leaves of the new tree."));
	tl_error_check(tl_merkle_consistency_path(path, &count, old_size,
											  array.size, leaf_array_node,
											  &array),
				   "could not prove the consistency");
	PG_RETURN_ARRAYTYPE_P(proof_make(path, count));
}

Datum
tl_merkle_sql_verify_consistency(PG_FUNCTION_ARGS)
{
	uint64_t	old_size = old_size_argument(fcinfo, 0);
	uint64_t	new_size = number_argument(fcinfo, 1, "new tree size");
	TlHash		path[TL_MERKLE_PATH_MAX];
	unsigned	count;
	TlHash		old_root;
	TlHash		new_root;

	hash_argument(fcinfo, 3, &old_root, "old root", ROOT_HINT);
	hash_argument(fcinfo, 4, &new_root, "new root", ROOT_HINT);
	PG_RETURN_BOOL(proof_open(path, &count, PG_GETARG_ARRAYTYPE_P(2)) &&
				   tl_merkle_consistency_verify(old_size, new_size, path,
												count, &old_root, &new_root));
}

/* One dimension, no NULL; the lengths are checked as the leaves are read. */
static void
leaf_array_open(LeafArray *out, ArrayType *array, const char *what,
				const char *null_hint)
{
	int			count;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				errmsg("array of %s must have one dimension", what),
				errdetail("It has %d.", ARR_NDIM(array)),
				errhint("Pass the hashes one after the other."));
	if (array_contains_nulls(array))
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("array of %s must not contain nulls", what),
				errhint("%s", null_hint));
	deconstruct_array(array, BYTEAOID, -1, false, TYPALIGN_INT,
					  &out->leaves, NULL, &count);
	out->size = (uint64_t) count;
}

static void
leaf_array_get(const LeafArray *array, TlHash *out, uint64_t index)
{
	Assert(index < array->size);
	hash_from_datum(array->leaves[index], out, "leaf hash", LEAF_HINT);
}

/*
 * TlMerkleNodeReader over a LeafArray.  The subtrees of one path do not
 * overlap, so that a path costs each leaf at most one append.
 */
static TlStatus
leaf_array_node(void *context, TlHash *out, unsigned level, uint64_t index)
{
	const LeafArray *array = context;
	uint64_t	leaf_count = UINT64_C(1) << level;
	TlMerkleRange range;

	if (leaf_count > array->size || index > array->size / leaf_count - 1)
		return TL_BUG;
	tl_merkle_range_init(&range);
	for (uint64_t i = 0; i < leaf_count; i++)
	{
		TlHash		leaf;
		TlStatus	status;

		if (i % INTERRUPT_INTERVAL == 0)
			CHECK_FOR_INTERRUPTS();
		leaf_array_get(array, &leaf, index * leaf_count + i);
		status = tl_merkle_range_append(&range, &leaf);
		if (status != TL_OK)
			return status;
	}
	tl_merkle_range_root(&range, out);
	return TL_OK;
}

/* False for what cannot be a proof, before anything is hashed. */
static bool
proof_open(TlHash path[TL_MERKLE_PATH_MAX], unsigned *count, ArrayType *array)
{
	LeafArray	hashes;

	leaf_array_open(&hashes, array, "proof hashes",
					"Pass the proof as it was made.");
	if (hashes.size > TL_MERKLE_PATH_MAX)
		return false;
	for (uint64_t i = 0; i < hashes.size; i++)
	{
		bytea	   *hash = DatumGetByteaPP(hashes.leaves[i]);

		if (VARSIZE_ANY_EXHDR(hash) != TL_HASH_SIZE)
			return false;
		memcpy(path[i].bytes, VARDATA_ANY(hash), TL_HASH_SIZE);
	}
	*count = (unsigned) hashes.size;
	return true;
}

static ArrayType *
proof_make(const TlHash *path, unsigned count)
{
	Datum		hashes[TL_MERKLE_PATH_MAX];

	for (unsigned i = 0; i < count; i++)
		hashes[i] = PointerGetDatum(bytea_from_hash(&path[i]));
	return construct_array(hashes, (int) count, BYTEAOID, -1, false,
						   TYPALIGN_INT);
}

static void
hash_argument(FunctionCallInfo fcinfo, int argument, TlHash *out,
			  const char *what, const char *hint)
{
	hash_from_datum(PG_GETARG_DATUM(argument), out, what, hint);
}

/* A bigint that counts something. */
static uint64_t
number_argument(FunctionCallInfo fcinfo, int argument, const char *what)
{
	int64		value = PG_GETARG_INT64(argument);

	if (value < 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("%s must not be negative", what),
				errdetail("It is " INT64_FORMAT ".", value),
				errhint("Leaves are numbered and counted from 0 on."));
	return (uint64_t) value;
}

static uint64_t
old_size_argument(FunctionCallInfo fcinfo, int argument)
{
	uint64_t	old_size = number_argument(fcinfo, argument, "old tree size");

	if (old_size == 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("old tree must not be empty"),
				errdetail("Every tree continues the empty one, so that there is nothing to prove."),
				errhint("Use the size of a tree head that was seen before."));
	return old_size;
}

static void
hash_from_datum(Datum datum, TlHash *out, const char *what, const char *hint)
{
	bytea	   *value = DatumGetByteaPP(datum);

	if (VARSIZE_ANY_EXHDR(value) != TL_HASH_SIZE)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("invalid length of the %s", what),
				errdetail("A hash has %d bytes, not %d.", TL_HASH_SIZE,
						  (int) VARSIZE_ANY_EXHDR(value)),
				errhint("%s", hint));
	memcpy(out->bytes, VARDATA_ANY(value), TL_HASH_SIZE);
}

static bytea *
bytea_from_hash(const TlHash *hash)
{
	bytea	   *value = palloc(VARHDRSZ + TL_HASH_SIZE);

	SET_VARSIZE(value, VARHDRSZ + TL_HASH_SIZE);
	memcpy(VARDATA(value), hash->bytes, TL_HASH_SIZE);
	return value;
}
