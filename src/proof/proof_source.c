/*-------------------------------------------------------------------------
 *
 * proof_source.c
 *	  Read from the stored chain what a receipt is made of.
 *
 * Nothing read here is believed: the receipt is checked before it is handed
 * out (proof_receipt.c).
 *
 * Locks: AccessShareLock on the row's table, on ledger.table_version and on the
 * tables of the chain, until the end of the transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

#include "chain_begin.h"
#include "chain_foreign.h"
#include "chain_history.h"
#include "chain_lookup.h"
#include "chain_section.h"
#include "chain_statement.h"
#include "consensus_certificate.h"
#include "merkle_proof.h"
#include "merkle_range.h"
#include "proof_definition.h"
#include "proof_section.h"
#include "proof_source.h"
#include "table_catalog.h"
#include "table_definition.h"
#include "table_encode.h"
#include "table_issue.h"
#include "tl_compat.h"
#include "tl_error.h"

static TlStatement select_genesis = {
	"SELECT genesis_header, genesis_body FROM ledger_internal.node"
};
static TlStatement select_newest = {
	"SELECT header FROM ledger_internal.block b WHERE NOT EXISTS"
	" (SELECT FROM ledger_internal.block_order o WHERE o.height = b.height"
	" AND substring(o.certificate FROM 19 FOR 32) <> b.hash)"
	" ORDER BY height DESC LIMIT 1"
};
static TlStatement select_header = {
	"SELECT header FROM ledger_internal.block WHERE height = $1",
	1, {INT8OID}
};
static TlStatement select_nodes = {
	"SELECT subtree_roots FROM ledger_internal.block WHERE height = $1",
	1, {INT8OID}
};
static TlStatement select_certificate = {
	"SELECT certificate FROM ledger_internal.block_order WHERE height = $1",
	1, {INT8OID}
};
/* Where a quorum orders the own signature alone proves nothing. */
static TlStatement select_votes = {
	"SELECT message FROM ledger_internal.own_log WHERE height = $1 AND kind = $2"
	" AND NOT EXISTS (SELECT FROM ledger_internal.order_mode)"
	" ORDER BY incarnation DESC, seq DESC",
	2, {INT8OID, INT2OID}
};
static TlStatement select_batch = {
	"SELECT header FROM ledger_internal.batch WHERE batch = $1",
	1, {INT8OID}
};
static TlStatement select_foreign_batch = {
	"SELECT header FROM ledger_internal.foreign_batch"
	" WHERE height = $1 AND member = $2 AND incarnation = $3 AND batch = $4",
	4, {INT8OID, INT8OID, INT4OID, INT8OID}
};
static TlStatement select_digests = {
	"SELECT digest FROM"
	" (SELECT digest, member, incarnation,"
	" ('x' || encode(substring(header FROM 41 FOR 8), 'hex'))::bit(64)::bigint AS batch"
	" FROM ledger_internal.batch WHERE height = $1"
	" UNION ALL SELECT digest, member, incarnation, batch"
	" FROM ledger_internal.foreign_batch WHERE height = $1) b"
	" ORDER BY member, incarnation, batch",
	1, {INT8OID}
};
static TlStatement select_leaves = {
	"SELECT section, kind, table_id, table_version, row_count, root, commitment"
	" FROM ledger_internal.section WHERE batch = $1 ORDER BY section",
	1, {INT8OID}
};

static TlStatement select_foreign_leaves = {
	"SELECT section, leaf_hash FROM ledger_internal.foreign_section"
	" WHERE member = $1 AND incarnation = $2 AND batch = $3 ORDER BY section",
	3, {INT8OID, INT4OID, INT8OID}
};

/* What the path of one row is made of. */
typedef struct RowPath
{
	TlSourceSection section;
	TlSourceTile own;			/* tile of the row */
	TlSourceTile last;			/* the shorter one at the end, if another */
	int			index;			/* of the row in its tile */
	TlSpan		bytes;
} RowPath;

tl_noreturn static void no_block(int64_t height);
static TlSpan stored_certificate(const TlBlockHeader *header);
static void read_leaves(TlSourceBatch *out, int64_t batch);
static void read_foreign_leaves(TlSourceBatch *out, const TlSourcePlace *place);
static void read_tiles(RowPath *path, uint32_t member, Oid relation,
					   const TlTableVersion *version, const TlRefBytes *ref);
static void keep_row(void *context, const TlSourceTile *tile, int index,
					 TlSpan bytes);
static TlStatus section_node(void *context, TlHash *out, unsigned level,
							 uint64_t index);
static TlSpan inclusion_path(uint64_t index, uint64_t size,
							 TlMerkleNodeReader reader, void *context);

void
tl_proof_source_begin(TlProofSource *source)
{
	Oid			block = get_relname_relid("block",
										  get_namespace_oid("ledger_internal", false));
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(block));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "ledger_internal.block is missing");
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);

	source->context = CurrentMemoryContext;
	GetUserIdAndSecContext(&source->user, &source->security_context);
	SetUserIdAndSecContext(owner, source->security_context |
						   SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	source->nest_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
	PushActiveSnapshot(GetLatestSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	MemoryContextSwitchTo(source->context);
}

void
tl_proof_source_end(TlProofSource *source)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "could not disconnect from SPI");
	MemoryContextSwitchTo(source->context);
	PopActiveSnapshot();
	AtEOXact_GUC(false, source->nest_level);
	SetUserIdAndSecContext(source->user, source->security_context);
}

void
tl_proof_source_genesis(TlSpan *header, TlSpan *body)
{
	if (tl_proof_source_execute(&select_genesis, NULL) == 0)
		tl_error_not_a_node();
	*header = tl_proof_source_bytes(0, 0);
	*body = tl_proof_source_bytes(0, 1);
}

void
tl_proof_source_restart(TlReceiptRestart *out)
{
	TlRestart	restart;

	memset(out, 0, sizeof(*out));
	out->present = tl_chain_begin_restart(&restart);
	if (!out->present)
		return;
	out->chain.data = memcpy(palloc(TL_HASH_SIZE), restart.chain_id.bytes, TL_HASH_SIZE);
	out->chain.size = TL_HASH_SIZE;
	out->last = restart.last;
	out->reason = restart.reason;
}

void
tl_proof_source_header(TlSpan *bytes, TlBlockHeader *out, int64_t height)
{
	Datum		value = Int64GetDatum(height);
	uint64		count;

	if (height < 0)
		count = tl_proof_source_execute(&select_newest, NULL);
	else
		count = tl_proof_source_execute(&select_header, &value);
	if (count == 0)
		no_block(height);
	*bytes = tl_proof_source_bytes(0, 0);
	tl_proof_source_check(tl_chain_block_decode(out, bytes->data, bytes->size),
				 "header of a block");
}

static void
no_block(int64_t height)
{
	TlIdentity	identity;

	tl_table_identity(&identity);
	if (!identity.exists)
		tl_error_not_a_node();
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
			height < 0 ? errmsg("there is no block") :
			errmsg("there is no block %lld", (long long) height),
			tl_error_hint_damaged());
}

void
tl_proof_source_head(TlSpan *bytes, TlBlockHeader *out, uint64_t *newest,
					 int64_t size)
{
	if (size != TL_SIZE_NEWEST && size <= 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("the size of a tree head must be greater than zero"),
				errhint("The second line of a tree head is its size; leave it out for the newest."));
	tl_proof_source_header(bytes, out, -1);
	*newest = out->height;
	if (size != TL_SIZE_NEWEST && (uint64_t) size > *newest)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("there is no tree head of size %lld", (long long) size),
				errdetail("The newest has size %llu.", (unsigned long long) *newest),
				errhint("If you have a tree head of that size, run SELECT * FROM ledger.verify(against => ...): the chain was longer."));
	if (size != TL_SIZE_NEWEST)
		tl_proof_source_header(bytes, out, size);
}

/* A tree head covers the blocks below its size. */
void
tl_proof_source_covers(int64_t size, uint64_t height, const TlRefBytes *ref)
{
	TlRef		unpacked;

	if (size < 0 || height < (uint64_t) size)
		return;
	tl_table_ref_unpack(&unpacked, ref);
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_NOT_FINAL)),
			errmsg("the tree head at %lld does not cover the row %s",
				   (long long) size, tl_table_ref_text(&unpacked)),
			errdetail("The row is in block %llu, and a tree head covers the blocks below its size.",
					  (unsigned long long) height),
			errhint("Take a newer tree head, or leave out the size."));
}

/*
 * In a ledger of one member the quorum is this member's own FINALIZE.  Several
 * members' is stored; a block that a descendant made final has none of its own.
 */
TlSpan
tl_proof_source_certificate(const TlBlockHeader *header)
{
	Datum		values[2] = {
		Int64GetDatum((int64) header->height), Int16GetDatum(TL_LOG_FINALIZE)
	};
	size_t		size = TL_CERTIFICATE_SIZE_FIXED + TL_CERTIFICATE_VOTE_SIZE;
	uint8_t		vote_bytes[TL_CERTIFICATE_VOTE_SIZE];
	TlCertificate certificate;
	TlLogRow	row;
	TlVote		vote;
	TlSpan		message;
	TlSpan		span;
	TlWriter	writer;

	if (tl_proof_source_execute(&select_certificate, values) == 1)
		return stored_certificate(header);
	if (tl_proof_source_execute(&select_votes, values) == 0)
		tl_proof_source_damaged("the certificate of a block is missing");
	message = tl_proof_source_bytes(0, 0);
	tl_proof_source_check(tl_consensus_row_decode(&row, message.data, message.size),
				 "certificate of a block");
	tl_consensus_certificate_row_vote(&vote, &row);
	tl_writer_init(&writer, vote_bytes, sizeof(vote_bytes));
	tl_consensus_certificate_put_vote(&writer, &vote);

	memset(&certificate, 0, sizeof(certificate));
	certificate.kind = TL_LOG_FINALIZE;
	certificate.epoch = row.epoch;
	certificate.view = row.view;
	tl_chain_block_hash(&certificate.block, header);
	certificate.vote_count = 1;
	certificate.votes.data = vote_bytes;
	certificate.votes.size = writer.size;
	span.data = palloc(size);
	span.size = size;
	tl_writer_init(&writer, unconstify(uint8_t *, span.data), size);
	tl_proof_source_check(tl_consensus_certificate_encode(&writer, &certificate),
				 "certificate of a block");
	return span;
}

/* It is the result. */
static TlSpan
stored_certificate(const TlBlockHeader *header)
{
	TlSpan		span = tl_proof_source_bytes(0, 0);
	TlCertificate certificate;
	TlHash		hash;

	tl_proof_source_check(tl_consensus_certificate_decode(&certificate, span.data,
														  span.size),
						  "certificate of a block");
	tl_chain_block_hash(&hash, header);
	if (memcmp(&certificate.block, &hash, TL_HASH_SIZE) != 0)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_NOT_FINAL)),
				errmsg("block %llu has no certificate of its own",
					   (unsigned long long) header->height),
				errdetail("A later block's certificate has made it final."),
				errhint("Take a later size, or leave out the size."));
	return span;
}

/*
 * An own row that came back after a restore and was batched once more is in a
 * foreign section first.
 */
bool
tl_proof_source_place(TlSourcePlace *out, const TlRefBytes *ref)
{
	TlForeignPlace foreign;
	TlPlace		own;
	bool		found = tl_chain_lookup(ref, &own);

	memset(out, 0, sizeof(*out));
	if (tl_chain_foreign_find(ref, &foreign) && (!found || foreign.height < own.height))
	{
		out->height = foreign.height;
		out->batch = foreign.batch;
		out->foreign = true;
		out->member = foreign.member;
		out->incarnation = foreign.incarnation;
		out->section = foreign.section;
		return true;
	}
	if (found)
	{
		out->height = own.height;
		out->batch = own.batch;
	}
	return found;
}

void
tl_proof_source_row(TlReceiptRow *out, uint64_t *height, TlRef *definition,
					Oid relation, const TlRefBytes *ref, uint64_t newest)
{
	RowPath    *path = palloc0(sizeof(RowPath));
	TlSourceBatch batch;
	TlSourcePlace place;
	TlTableVersion version;
	TlBlockHeader block;
	TlRef		unpacked;
	uint8_t		table_id[TL_TABLE_ID_SIZE];

	memset(out, 0, sizeof(*out));
	tl_table_ref_unpack(&unpacked, ref);
	if (!tl_proof_source_place(&place, ref) || (uint64_t) place.height > newest)
		tl_proof_source_not_final(ref);
	*height = (uint64_t) place.height;
	tl_proof_source_table_id(table_id, relation);
	tl_proof_section_read(&path->section, &place, table_id);
	if (!tl_table_definition_load_exact(&version, table_id,
										path->section.leaf.table_version,
										CurrentMemoryContext))
		tl_proof_source_damaged("the definition of a ledger table is missing");
	*definition = version.ref;
	read_tiles(path, unpacked.member, relation, &version, ref);
	out->bytes = path->bytes;
	out->index = path->own.first + path->index;
	out->path = inclusion_path(out->index, path->section.leaf.row_count,
							   section_node, path);
	out->section = path->section.bytes;
	out->section_random = path->section.random;
	tl_proof_source_batch(&batch, &place);
	out->section_index = tl_proof_source_section_index(&batch, path->section.number);
	out->section_path = inclusion_path(out->section_index, batch.section_count,
									   tl_proof_source_leaves_node, batch.leaves);
	out->batch = batch.header;
	out->batch_digests = tl_proof_source_digests(place.height);
	tl_proof_source_header(&out->block, &block, place.height);
	pfree(path);
}

void
tl_proof_source_not_final(const TlRefBytes *ref)
{
	TlRef		unpacked;

	tl_table_ref_unpack(&unpacked, ref);
	if (tl_chain_is_rejected(ref))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_REJECTED)),
				errmsg("the row %s was rejected", tl_table_ref_text(&unpacked)),
				errdetail("It is in no block, so there is nothing to prove."),
				errhint("ledger.rejected tells what is wrong with it."));
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_NOT_FINAL)),
			errmsg("the row %s is not final yet", tl_table_ref_text(&unpacked)),
			errhint("Wait with SELECT ledger.wait_final('%s').",
					tl_table_ref_text(&unpacked)));
}

void
tl_proof_source_table_id(uint8_t out[TL_TABLE_ID_SIZE], Oid relation)
{
	if (relation == tl_table_definition_relation())
		tl_proof_definition_table_id(out);
	else if (!tl_table_catalog_id(out, relation))
		tl_proof_source_damaged("the id of a ledger table is missing");
}

TlSpan
tl_proof_source_history(uint64_t height, uint64_t head)
{
	if (height == head)
	{
		TlSpan		none = {NULL, 0};

		return none;
	}
	return inclusion_path(height, head, tl_proof_source_history_node, NULL);
}

void
tl_proof_source_batch(TlSourceBatch *out, const TlSourcePlace *place)
{
	Datum		own = Int64GetDatum(place->batch);
	Datum		values[4] = {
		Int64GetDatum(place->height), Int64GetDatum((int64) place->member),
		Int32GetDatum(place->incarnation), Int64GetDatum(place->batch)
	};

	if (place->foreign)
		read_foreign_leaves(out, place);
	else
		read_leaves(out, place->batch);
	if ((place->foreign ? tl_proof_source_execute(&select_foreign_batch, values) :
		 tl_proof_source_execute(&select_batch, &own)) != 1)
		tl_proof_source_damaged("the batch of a row is missing");
	out->header = tl_proof_source_bytes(0, 0);
}

static void
read_leaves(TlSourceBatch *out, int64_t batch)
{
	Datum		value = Int64GetDatum(batch);

	out->section_count = tl_proof_source_execute(&select_leaves, &value);
	out->numbers = palloc(sizeof(int) * (out->section_count + 1));
	out->leaves = palloc(sizeof(TlHash) * (out->section_count + 1));
	for (uint64 i = 0; i < out->section_count; i++)
	{
		uint8_t		random[TL_SECTION_RANDOM_SIZE];
		TlSectionLeaf leaf;

		out->numbers[i] = DatumGetInt32(tl_chain_result(i, 0, NULL));
		tl_proof_source_leaf(&leaf, i, 1);
		if (leaf.kind == TL_SECTION_PRIVATE)
			tl_proof_source_random(random, i, 6);
		tl_proof_source_check(tl_chain_section_leaf_hash(&out->leaves[i], &leaf,
														 leaf.kind == TL_SECTION_PRIVATE ?
														 random : NULL),
							  "leaf of a section");
	}
}

/* Of its private sections nothing else is here. */
static void
read_foreign_leaves(TlSourceBatch *out, const TlSourcePlace *place)
{
	Datum		values[3] = {
		Int64GetDatum((int64) place->member), Int32GetDatum(place->incarnation),
		Int64GetDatum(place->batch)
	};

	out->section_count = tl_proof_source_execute(&select_foreign_leaves, values);
	out->numbers = palloc(sizeof(int) * (out->section_count + 1));
	out->leaves = palloc(sizeof(TlHash) * (out->section_count + 1));
	for (uint64 i = 0; i < out->section_count; i++)
	{
		out->numbers[i] = DatumGetInt32(tl_chain_result(i, 0, NULL));
		tl_proof_source_fixed(&out->leaves[i], TL_HASH_SIZE, i, 1);
	}
}

uint64_t
tl_proof_source_section_index(const TlSourceBatch *batch, int number)
{
	for (uint64 i = 0; i < batch->section_count; i++)
	{
		if (batch->numbers[i] == number)
			return i;
	}
	tl_proof_source_damaged("the section of a row is missing");
}

TlSpan
tl_proof_source_digests(int64_t height)
{
	Datum		value = Int64GetDatum(height);
	uint64		count = tl_proof_source_execute(&select_digests, &value);
	TlHash	   *digests = palloc(sizeof(TlHash) * (count + 1));
	TlSpan		span;

	for (uint64 i = 0; i < count; i++)
		tl_proof_source_fixed(digests[i].bytes, TL_HASH_SIZE, i, 0);
	span.data = digests->bytes;
	span.size = count * TL_HASH_SIZE;
	return span;
}

/* kind, table_id, table_version, row_count, root: in columns from this on. */
void
tl_proof_source_leaf(TlSectionLeaf *out, uint64 row, int column)
{
	memset(out, 0, sizeof(*out));
	out->kind = (uint8_t) DatumGetInt16(tl_chain_result(row, column, NULL));
	memcpy(out->table_id, DatumGetUUIDP(tl_chain_result(row, column + 1, NULL))->data,
		   TL_TABLE_ID_SIZE);
	out->table_version = (uint32_t) DatumGetInt32(tl_chain_result(row, column + 2, NULL));
	out->row_count = (uint32_t) DatumGetInt32(tl_chain_result(row, column + 3, NULL));
	tl_proof_source_fixed(out->root.bytes, TL_HASH_SIZE, row, column + 4);
}

void
tl_proof_source_random(uint8_t random[TL_SECTION_RANDOM_SIZE], uint64 row,
					   int column)
{
	bool		is_null;

	(void) tl_chain_result(row, column, &is_null);
	if (is_null)
		tl_proof_source_damaged("the commitment of a section is missing");
	tl_proof_source_fixed(random, TL_SECTION_RANDOM_SIZE, row, column);
}

/* Encode the row's own tile, and the last one if that is another and short. */
static void
read_tiles(RowPath *path, uint32_t member, Oid relation,
		   const TlTableVersion *version, const TlRefBytes *ref)
{
	TlSourceRows rows;
	TlSourceTile *tile = &path->last;

	path->index = -1;
	tl_proof_section_open(&rows, &path->section, member, relation, version);
	if (tl_proof_section_next(&rows, tile, ref))
		path->index = tl_proof_section_find(tile, ref);
	if (path->index < 0)
		tl_proof_source_damaged("the manifest of a section does not name the row");
	tl_proof_section_encode(&rows, tile, keep_row, path);
	path->own = *tile;
	if (tl_proof_section_next(&rows, tile, NULL))
		tl_proof_section_encode(&rows, tile, NULL, NULL);
	tl_proof_section_close(&rows);
}

static void
keep_row(void *context, const TlSourceTile *tile, int index, TlSpan bytes)
{
	RowPath    *path = context;
	uint8_t    *copy;

	if (index != path->index)
		return;
	copy = MemoryContextAllocHuge(CurrentMemoryContext, bytes.size);
	memcpy(copy, bytes.data, bytes.size);
	path->bytes.data = copy;
	path->bytes.size = bytes.size;
}

/* Root of a perfect subtree of a section: above tiles stored, below hashed. */
static TlStatus
section_node(void *context, TlHash *out, unsigned level, uint64_t index)
{
	RowPath    *path = context;
	bool		is_own = (index << level) / TL_TILE_ROWS ==
		path->own.first / TL_TILE_ROWS;

	if (level >= TL_TILE_LEVEL)
		return tl_proof_section_stored_node(&path->section, out, level, index);
	return tl_proof_section_tile_node(is_own ? &path->own : &path->last, out,
									  level, index);
}

/* Root of a perfect subtree over an array of leaf hashes. */
TlStatus
tl_proof_source_leaves_node(void *leaves, TlHash *out, unsigned level, uint64_t index)
{
	const TlHash *hashes = leaves;
	TlMerkleRange range;
	TlStatus	status = TL_OK;

	tl_merkle_range_init(&range);
	for (uint64_t i = index << level; status == TL_OK && i < (index + 1) << level; i++)
		status = tl_merkle_range_append(&range, &hashes[i]);
	tl_merkle_range_root(&range, out);
	return status;
}

/* Root of a perfect subtree of the history, stored with its last block. */
TlStatus
tl_proof_source_history_node(void *unused, TlHash *out, unsigned level, uint64_t index)
{
	uint64_t	height;
	Datum		value;
	TlSpan		nodes;
	TlStatus	status = tl_chain_history_locate(&height, level, index);

	if (status != TL_OK)
		return status;
	value = Int64GetDatum((int64) height);
	if (tl_proof_source_execute(&select_nodes, &value) != 1)
		return TL_CHAIN_DAMAGED;
	nodes = tl_proof_source_bytes(0, 0);
	if (nodes.size < (level + 1) * TL_HASH_SIZE)
		return TL_CHAIN_DAMAGED;
	memcpy(out->bytes, nodes.data + level * TL_HASH_SIZE, TL_HASH_SIZE);
	return TL_OK;
}

static TlSpan
inclusion_path(uint64_t index, uint64_t size, TlMerkleNodeReader reader,
			   void *context)
{
	TlHash	   *path = palloc(sizeof(TlHash) * TL_MERKLE_PATH_MAX);
	unsigned	count = TL_MERKLE_PATH_MAX;
	TlSpan		span;

	tl_proof_source_check(tl_merkle_inclusion_path(path, &count, index, size, reader,
										  context), "path of a receipt");
	span.data = path->bytes;
	span.size = count * TL_HASH_SIZE;
	return span;
}

uint64
tl_proof_source_execute(TlStatement *statement, const Datum *values)
{
	if (SPI_tuptable != NULL)
		SPI_freetuptable(SPI_tuptable);
	SPI_tuptable = NULL;
	return tl_chain_execute(statement, values, NULL, true);
}

/* A bytea of the last result, in the current memory context. */
TlSpan
tl_proof_source_bytes(uint64 row, int column)
{
	bytea	   *bytes = DatumGetByteaPP(tl_chain_result(row, column, NULL));
	TlSpan		span;
	uint8_t    *copy = palloc(VARSIZE_ANY_EXHDR(bytes) + 1);

	memcpy(copy, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	span.data = copy;
	span.size = VARSIZE_ANY_EXHDR(bytes);
	return span;
}

void
tl_proof_source_fixed(void *out, size_t size, uint64 row, int column)
{
	TlSpan		span = tl_proof_source_bytes(row, column);

	if (span.size != size)
		tl_proof_source_damaged("a value of the stored chain has the wrong size");
	memcpy(out, span.data, size);
}

void
tl_proof_source_check(TlStatus status, const char *what)
{
	if (status == TL_OK)
		return;
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
			errmsg("the stored chain is damaged: %s: %s", what, tl_status_text(status)),
			tl_error_hint_damaged());
}

void
tl_proof_source_damaged(const char *what)
{
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
			errmsg("%s", what),
			tl_error_hint_damaged());
}
