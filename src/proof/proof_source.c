/*-------------------------------------------------------------------------
 *
 * proof_source.c
 *	  Read from the stored chain what a receipt is made of.
 *
 * A row's path to its section's root is not stored.  The section keeps the
 * roots of its full tiles of 256 rows; the hashes below come from encoding the
 * rows of the row's own tile and of the last, shorter tile again: 511 rows at
 * most.  Which rows those are stands in the manifest, and each hash is compared
 * with the manifest's fingerprint, so that a changed row is named rather than
 * yielding a proof that proves nothing.
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
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

#include "chain_history.h"
#include "chain_lookup.h"
#include "chain_manifest.h"
#include "chain_section.h"
#include "chain_statement.h"
#include "consensus_certificate.h"
#include "merkle_hash.h"
#include "merkle_proof.h"
#include "merkle_range.h"
#include "proof_definition.h"
#include "proof_source.h"
#include "table_catalog.h"
#include "table_definition.h"
#include "table_encode.h"
#include "table_scan.h"
#include "tl_compat.h"
#include "tl_error.h"

#define TILE_ROWS	256
#define TILE_LEVEL	8

static TlStatement select_genesis = {
	"SELECT genesis_header, genesis_body FROM ledger_internal.node"
};
static TlStatement select_newest = {
	"SELECT header FROM ledger_internal.block ORDER BY height DESC LIMIT 1"
};
static TlStatement select_header = {
	"SELECT header FROM ledger_internal.block WHERE height = $1",
	1, {INT8OID}
};
static TlStatement select_nodes = {
	"SELECT subtree_roots FROM ledger_internal.block WHERE height = $1",
	1, {INT8OID}
};
static TlStatement select_votes = {
	"SELECT message FROM ledger_internal.own_log WHERE height = $1 AND kind = $2"
	" ORDER BY incarnation DESC, seq DESC",
	2, {INT8OID, INT2OID}
};
static TlStatement select_batch = {
	"SELECT header FROM ledger_internal.batch WHERE batch = $1",
	1, {INT8OID}
};
static TlStatement select_digests = {
	"SELECT digest FROM ledger_internal.batch WHERE height = $1 ORDER BY member, batch",
	1, {INT8OID}
};
static TlStatement select_leaves = {
	"SELECT section, kind, table_id, table_version, row_count, root, commitment"
	" FROM ledger_internal.section WHERE batch = $1 ORDER BY section",
	1, {INT8OID}
};
static TlStatement select_section = {
	"SELECT section, row_key, nodes, manifest FROM ledger_internal.section"
	" WHERE batch = $1 AND table_id = $2",
	2, {INT8OID, UUIDOID}
};

/* The section that holds the row. */
typedef struct Section
{
	int			number;
	TlSectionLeaf leaf;
	uint8_t		row_key[TL_ROW_KEY_SIZE];
	TlSpan		nodes;
	TlSpan		manifest;
} Section;

/* Leaf hashes of one tile, encoded again. */
typedef struct Tile
{
	uint64_t	number;
	int			count;			/* 0: not read */
	TlRefBytes	refs[TILE_ROWS];
	uint8_t		fingerprints[TILE_ROWS][TL_FINGERPRINT_SIZE];
	TlHash		hashes[TILE_ROWS];
} Tile;

/* What a section's tree is read from. */
typedef struct SectionTree
{
	const Section *section;
	Tile		own;			/* tile of the row */
	Tile		last;			/* the shorter one at the end, if another */
} SectionTree;

static void read_section(Section *out, int64_t batch,
						 const uint8_t table_id[TL_TABLE_ID_SIZE]);
static void read_leaves(TlReceiptRow *out, Section *section, int64_t batch);
static TlSpan read_digests(int64_t height);
static void read_leaf(TlSectionLeaf *out, uint8_t random[TL_SECTION_RANDOM_SIZE],
					  uint64 row);
static uint64_t find_row(SectionTree *tree, const TlRefBytes *ref);
static void encode_tile(Tile *tile, const Section *section, Oid relation,
						const TlTableVersion *version, const TlRefBytes *ref,
						TlSpan *bytes);
tl_noreturn static void row_damaged(Relation relation, const TlRefBytes *ref,
									const char *how);
static TlStatus section_node(void *context, TlHash *out, unsigned level,
							 uint64_t index);
static TlStatus leaves_node(void *context, TlHash *out, unsigned level,
							uint64_t index);
static TlStatus history_node(void *context, TlHash *out, unsigned level,
							 uint64_t index);
static TlSpan inclusion_path(uint64_t index, uint64_t size,
							 TlMerkleNodeReader reader, void *context);
static TlSpan copy_bytes(uint64 row, int column);
static void copy_fixed(void *out, size_t size, uint64 row, int column);
static void check_stored(TlStatus status, const char *what);
tl_noreturn static void chain_damaged(const char *what);

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
tl_proof_source_genesis(TlReceipt *out)
{
	if (tl_chain_execute(&select_genesis, NULL, NULL, true) == 0)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_NOT_A_NODE)),
				errmsg("this database is not a node of a ledger"),
				errhint("Run SELECT ledger.create_node(name)."));
	out->genesis_header = copy_bytes(0, 0);
	out->genesis_body = copy_bytes(0, 1);
}

void
tl_proof_source_header(TlSpan *bytes, TlBlockHeader *out, int64_t height)
{
	Datum		value = Int64GetDatum(height);
	uint64		count;

	if (height < 0)
		count = tl_chain_execute(&select_newest, NULL, NULL, true);
	else
		count = tl_chain_execute(&select_header, &value, NULL, true);
	if (count == 0)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				height < 0 ? errmsg("there is no block") :
				errmsg("there is no block %lld", (long long) height));
	*bytes = copy_bytes(0, 0);
	check_stored(tl_chain_block_decode(out, bytes->data, bytes->size),
				 "header of a block");
}

/* In a ledger of one member the quorum is this member's own FINALIZE. */
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

	if (tl_chain_execute(&select_votes, values, NULL, true) == 0)
		chain_damaged("the certificate of a block is missing");
	message = copy_bytes(0, 0);
	check_stored(tl_consensus_row_decode(&row, message.data, message.size),
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
	check_stored(tl_consensus_certificate_encode(&writer, &certificate),
				 "certificate of a block");
	return span;
}

void
tl_proof_source_row(TlReceiptRow *out, uint64_t *height, TlRef *definition,
					Oid relation, const TlRefBytes *ref)
{
	SectionTree *tree = palloc0(sizeof(SectionTree));
	Section		section;
	TlPlace		place;
	TlTableVersion version;
	TlBlockHeader block;
	TlRef		unpacked;
	uint8_t		table_id[TL_TABLE_ID_SIZE];

	memset(out, 0, sizeof(*out));
	if (!tl_chain_lookup(ref, &place))
	{
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
	*height = (uint64_t) place.height;
	if (relation == tl_table_definition_relation())
		tl_proof_definition_table_id(table_id);
	else if (!tl_table_catalog_id(table_id, relation))
		chain_damaged("the id of a ledger table is missing");
	read_section(&section, place.batch, table_id);
	read_leaves(out, &section, place.batch);
	out->batch_digests = read_digests(place.height);
	tree->section = &section;
	out->index = find_row(tree, ref);
	if (!tl_table_definition_load_exact(&version, table_id,
										section.leaf.table_version,
										CurrentMemoryContext))
		chain_damaged("the definition of a ledger table is missing");
	*definition = version.ref;
	encode_tile(&tree->own, &section, relation, &version, ref, &out->bytes);
	encode_tile(&tree->last, &section, relation, &version, NULL, NULL);
	out->path = inclusion_path(out->index, section.leaf.row_count,
							   section_node, tree);
	tl_proof_source_header(&out->block, &block, place.height);
	pfree(tree);
}

TlSpan
tl_proof_source_history(uint64_t height, uint64_t head)
{
	if (height == head)
	{
		TlSpan		none = {NULL, 0};

		return none;
	}
	return inclusion_path(height, head, history_node, NULL);
}

/* The parts of a section that only its own rows need. */
static void
read_section(Section *out, int64_t batch, const uint8_t table_id[TL_TABLE_ID_SIZE])
{
	pg_uuid_t	uuid;
	Datum		values[2] = {Int64GetDatum(batch), UUIDPGetDatum(&uuid)};

	memset(out, 0, sizeof(*out));
	memcpy(uuid.data, table_id, UUID_LEN);
	if (tl_chain_execute(&select_section, values, NULL, true) != 1)
		chain_damaged("the section of a row is missing");
	out->number = DatumGetInt32(tl_chain_result(0, 0, NULL));
	copy_fixed(out->row_key, TL_ROW_KEY_SIZE, 0, 1);
	out->nodes = copy_bytes(0, 2);
	out->manifest = copy_bytes(0, 3);
}

/* All leaves of the batch: the row's own, and the path beside it. */
static void
read_leaves(TlReceiptRow *out, Section *section, int64_t batch)
{
	Datum		value = Int64GetDatum(batch);
	uint64		count = tl_chain_execute(&select_leaves, &value, NULL, true);
	TlHash	   *hashes = palloc(sizeof(TlHash) * (count + 1));
	bool		found = false;

	for (uint64 i = 0; i < count; i++)
	{
		uint8_t    *random = palloc(TL_SECTION_RANDOM_SIZE);
		uint8_t    *bytes;
		TlSectionLeaf leaf;
		TlWriter	writer;

		read_leaf(&leaf, random, i);
		check_stored(tl_chain_section_leaf_hash(&hashes[i], &leaf,
												leaf.kind == TL_SECTION_PRIVATE ?
												random : NULL),
					 "leaf of a section");
		if (DatumGetInt32(tl_chain_result(i, 0, NULL)) != section->number)
		{
			pfree(random);
			continue;
		}
		bytes = palloc(TL_SECTION_SIZE_MAX);
		tl_writer_init(&writer, bytes, TL_SECTION_SIZE_MAX);
		check_stored(tl_chain_section_encode(&writer, &leaf), "leaf of a section");
		section->leaf = leaf;
		out->section.data = bytes;
		out->section.size = writer.size;
		out->section_index = i;
		out->section_random.data = random;
		out->section_random.size = leaf.kind == TL_SECTION_PRIVATE ?
			TL_SECTION_RANDOM_SIZE : 0;
		found = true;
	}
	if (!found)
		chain_damaged("the section of a row is missing");
	out->section_path = inclusion_path(out->section_index, count, leaves_node, hashes);
	if (tl_chain_execute(&select_batch, &value, NULL, true) != 1)
		chain_damaged("the batch of a row is missing");
	out->batch = copy_bytes(0, 0);
}

/* The digests of all batches of a block. */
static TlSpan
read_digests(int64_t height)
{
	Datum		value = Int64GetDatum(height);
	uint64		count = tl_chain_execute(&select_digests, &value, NULL, true);
	TlHash	   *digests = palloc(sizeof(TlHash) * (count + 1));
	TlSpan		span;

	for (uint64 i = 0; i < count; i++)
		copy_fixed(digests[i].bytes, TL_HASH_SIZE, i, 0);
	span.data = digests->bytes;
	span.size = count * TL_HASH_SIZE;
	return span;
}

/* A section leaf from its stored columns. */
static void
read_leaf(TlSectionLeaf *out, uint8_t random[TL_SECTION_RANDOM_SIZE], uint64 row)
{
	bool		is_null;

	memset(out, 0, sizeof(*out));
	out->kind = (uint8_t) DatumGetInt16(tl_chain_result(row, 1, NULL));
	memcpy(out->table_id, DatumGetUUIDP(tl_chain_result(row, 2, NULL))->data,
		   TL_TABLE_ID_SIZE);
	out->table_version = (uint32_t) DatumGetInt32(tl_chain_result(row, 3, NULL));
	out->row_count = (uint32_t) DatumGetInt32(tl_chain_result(row, 4, NULL));
	copy_fixed(out->root.bytes, TL_HASH_SIZE, row, 5);
	if (out->kind != TL_SECTION_PRIVATE)
		return;
	(void) tl_chain_result(row, 6, &is_null);
	if (is_null)
		chain_damaged("the commitment of a section is missing");
	copy_fixed(random, TL_SECTION_RANDOM_SIZE, row, 6);
}

/*
 * The row's place in its section.  Collects the refs of its tile, and of the
 * last tile if that one is another and not full.
 */
static uint64_t
find_row(SectionTree *tree, const TlRefBytes *ref)
{
	uint32_t	row_count = tree->section->leaf.row_count;
	TlManifestReader reader;
	TlRef		wanted;
	uint64_t	found_at = UINT64_MAX;
	Tile		tile;

	memset(&tile, 0, sizeof(tile));
	tl_table_ref_unpack(&wanted, ref);
	tl_chain_manifest_open(&reader, tree->section->manifest.data,
						   tree->section->manifest.size, wanted.member);
	for (uint64_t index = 0; index < row_count; index++)
	{
		TlRef		entry;
		bool		found;

		if (index % TILE_ROWS == 0)
		{
			tile.number = index / TILE_ROWS;
			tile.count = 0;
		}
		check_stored(tl_chain_manifest_next(&reader, &found, &entry,
											tile.fingerprints[tile.count]),
					 "manifest of a section");
		if (!found)
			chain_damaged("the manifest of a section is too short");
		tl_table_ref_pack(&tile.refs[tile.count], &entry);
		if (tl_table_ref_compare(&tile.refs[tile.count], ref) == 0)
			found_at = index;
		tile.count++;
		if (tile.count < TILE_ROWS && index + 1 < row_count)
			continue;
		if (found_at / TILE_ROWS == tile.number)
			tree->own = tile;
		else if (tile.count < TILE_ROWS)
			tree->last = tile;
	}
	if (found_at == UINT64_MAX)
		chain_damaged("the manifest of a section does not name the row");
	return found_at;
}

/* Hash the rows of a tile again; bytes gets those of the row `ref`. */
static void
encode_tile(Tile *tile, const Section *section, Oid relation,
			const TlTableVersion *version, const TlRefBytes *ref, TlSpan *bytes)
{
	Relation	table;
	TlTableEncoder *encoder;
	TlRefScan  *scan;

	if (tile->count == 0)
		return;
	table = table_open(relation, AccessShareLock);
	encoder = tl_table_encoder_open(table, version, CurrentMemoryContext);
	tl_table_encoder_set_key(encoder, section->row_key);
	scan = tl_table_scan_open(table, GetActiveSnapshot());
	for (int i = 0; i < tile->count; i++)
	{
		TlRefBytes	found;
		TlSpan		row;

		CHECK_FOR_INTERRUPTS();
		tl_table_scan_start(scan, &tile->refs[i], &tile->refs[i]);
		if (!tl_table_scan_next(scan, &found))
			row_damaged(table, &tile->refs[i], "is missing");
		row = tl_table_encoder_row(encoder, tl_table_scan_slot(scan));
		tl_merkle_leaf_hash(&tile->hashes[i], row.data, row.size);
		if (memcmp(tile->hashes[i].bytes, tile->fingerprints[i],
				   TL_FINGERPRINT_SIZE) != 0)
			row_damaged(table, &tile->refs[i], "was changed");
		if (ref != NULL && tl_table_ref_compare(&tile->refs[i], ref) == 0)
		{
			uint8_t    *copy = MemoryContextAllocHuge(CurrentMemoryContext, row.size);

			memcpy(copy, row.data, row.size);
			bytes->data = copy;
			bytes->size = row.size;
		}
	}
	tl_table_scan_close(scan);
	tl_table_encoder_close(encoder);
	table_close(table, NoLock);
}

static void
row_damaged(Relation relation, const TlRefBytes *ref, const char *how)
{
	TlRef		unpacked;

	tl_table_ref_unpack(&unpacked, ref);
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
			errmsg("row %s of ledger table \"%s\" %s after it became final",
				   tl_table_ref_text(&unpacked),
				   RelationGetRelationName(relation), how),
			errdetail("A receipt needs the rows that stand beside its own in the batch."),
			errhint("Run SELECT * FROM ledger.verify(mode => 'full')."));
}

/* Root of a perfect subtree of a section: above tiles stored, below hashed. */
static TlStatus
section_node(void *context, TlHash *out, unsigned level, uint64_t index)
{
	SectionTree *tree = context;
	TlMerkleRange range;
	uint64_t	first = index << level;
	uint64_t	count = UINT64_C(1) << level;
	TlStatus	status = TL_OK;

	tl_merkle_range_init(&range);
	if (level >= TILE_LEVEL)
	{
		first /= TILE_ROWS;
		count /= TILE_ROWS;
		if ((first + count) * TL_HASH_SIZE > tree->section->nodes.size)
			return TL_CHAIN_DAMAGED;
	}
	for (uint64_t i = first; status == TL_OK && i < first + count; i++)
	{
		TlHash		hash;
		const Tile *tile = (i / TILE_ROWS == tree->own.number) ? &tree->own : &tree->last;

		if (level >= TILE_LEVEL)
			memcpy(hash.bytes, tree->section->nodes.data + i * TL_HASH_SIZE,
				   TL_HASH_SIZE);
		else if (i / TILE_ROWS != tile->number || i % TILE_ROWS >= tile->count)
			return TL_BUG;
		else
			hash = tile->hashes[i % TILE_ROWS];
		status = tl_merkle_range_append(&range, &hash);
	}
	tl_merkle_range_root(&range, out);
	return status;
}

/* Root of a perfect subtree over an array of leaf hashes. */
static TlStatus
leaves_node(void *context, TlHash *out, unsigned level, uint64_t index)
{
	const TlHash *hashes = context;
	TlMerkleRange range;
	TlStatus	status = TL_OK;

	tl_merkle_range_init(&range);
	for (uint64_t i = index << level; status == TL_OK && i < (index + 1) << level; i++)
		status = tl_merkle_range_append(&range, &hashes[i]);
	tl_merkle_range_root(&range, out);
	return status;
}

/* Root of a perfect subtree of the history, stored with its last block. */
static TlStatus
history_node(void *context, TlHash *out, unsigned level, uint64_t index)
{
	uint64_t	height;
	Datum		value;
	TlSpan		nodes;
	TlStatus	status = tl_chain_history_locate(&height, level, index);

	if (status != TL_OK)
		return status;
	value = Int64GetDatum((int64) height);
	if (tl_chain_execute(&select_nodes, &value, NULL, true) != 1)
		return TL_CHAIN_DAMAGED;
	nodes = copy_bytes(0, 0);
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

	check_stored(tl_merkle_inclusion_path(path, &count, index, size, reader,
										  context), "path of a receipt");
	span.data = path->bytes;
	span.size = count * TL_HASH_SIZE;
	return span;
}

/* A bytea of the last result, in the current memory context. */
static TlSpan
copy_bytes(uint64 row, int column)
{
	bytea	   *bytes = DatumGetByteaPP(tl_chain_result(row, column, NULL));
	TlSpan		span;
	uint8_t    *copy = palloc(VARSIZE_ANY_EXHDR(bytes) + 1);

	memcpy(copy, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	span.data = copy;
	span.size = VARSIZE_ANY_EXHDR(bytes);
	return span;
}

static void
copy_fixed(void *out, size_t size, uint64 row, int column)
{
	TlSpan		span = copy_bytes(row, column);

	if (span.size != size)
		chain_damaged("a value of the stored chain has the wrong size");
	memcpy(out, span.data, size);
}

/* What does not decode or fit was stored otherwise. */
static void
check_stored(TlStatus status, const char *what)
{
	if (status == TL_OK)
		return;
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
			errmsg("the stored chain is damaged: %s: %s", what, tl_status_text(status)),
			errhint("Run SELECT * FROM ledger.verify(mode => 'full')."));
}

static void
chain_damaged(const char *what)
{
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
			errmsg("%s", what),
			errhint("Run SELECT * FROM ledger.verify(mode => 'full')."));
}
