/*-------------------------------------------------------------------------
 *
 * proof_verify_section.c
 *	  Sections: their rows, hashed again, give the fingerprints and the root.
 *
 * The last part of proof_verify_rows.c.  Rows come in order of batch, section
 * and index.  Each is read, encoded by the section's version of the definition
 * and hashed; its fingerprint is compared with the manifest's, its hash goes
 * into the section's tree.  The verdict falls when the section is complete:
 *
 *		root	fingerprints
 *		agrees	agree			clean
 *		agrees	differ			the rows are right, the manifest was changed
 *		differs	differ			those rows were changed (row_changed), or have
 *								exchanged their contents (order_changed)
 *		differs	agree			a row was changed that has the same fingerprint,
 *								found by the roots of 256 rows; or the batch is
 *								doubtful itself, which was reported before
 *
 * Where all rows of a large section differ, that is said once: either all of
 * them were changed, or the section's blinding key.
 *
 * A row whose bytes cannot even be read is row_changed too.  To survive the
 * error, rows are read in a subtransaction, many in one; if that fails, each in
 * one of its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "merkle_hash.h"
#include "merkle_range.h"
#include "proof_progress.h"
#include "proof_verify_cursor.h"
#include "proof_verify_rows.h"
#include "table_am.h"
#include "table_definition.h"
#include "table_encode.h"

#define EXCHANGE_ROWS_MAX	16	/* tried pairwise */
#define SAY_ONCE_ROWS		16
#define GROUP_ROWS			256	/* read in one subtransaction */

/* Columns of the cursor over sections. */
enum
{
	SECTION_BATCH,
	SECTION_NUMBER,
	SECTION_VERSION,
	SECTION_ROW_COUNT,
	SECTION_ROW_KEY,
	SECTION_ROOT,
	SECTION_NODES
};

/* A row that does not have the fingerprint of its manifest. */
typedef struct Mismatch
{
	TlPlacedRow row;
	TlHash		leaf_hash;
	char	   *message;		/* why it could not be read, or NULL */
	bool		exchanged;		/* with another one of the section */
} Mismatch;

typedef struct Hasher
{
	TlRowsPass *pass;
	TlCursor	cursor;
	TlTableEncoder *encoder;
	uint32_t	version;		/* of the encoder */
	MemoryContext encoder_context;
	MemoryContext context;		/* of the open section */

	/* the open section */
	bool		open;
	bool		encodable;
	int64_t		batch;
	uint32_t	section;
	uint32_t	row_count;
	TlSpan		root;
	TlSpan		nodes;
	uint32_t	seen;			/* rows with different indexes */
	bool		complete;		/* no index was left out so far */
	TlMerkleRange range;
	TlMerkleRange tile;
	bool		tiles_agree;
	int64_t		first_bad_tile;
	int			mismatch_count;
	int			mismatch_capacity;
	Mismatch   *mismatches;

	/* rows that are to be read */
	int			group_count;
	Mismatch	group[GROUP_ROWS];

	/* the row that was read last, until it is known that no twin follows */
	bool		pending;
	Mismatch	last;
	bool		last_matches;
} Hasher;

/* Arguments of what may fail. */
typedef struct Encoding
{
	Hasher	   *hasher;
	int			first;			/* of the group */
	int			count;
	TupleTableSlot *slot;		/* of an exchange that is tried */
	TlHash		leaf_hash;
} Encoding;

static void open_cursor(Hasher *hasher);
static void take(Hasher *hasher, const TlPlacedRow *row);
static bool section_open(Hasher *hasher, const TlPlacedRow *row);
static bool find_section(Hasher *hasher, const TlPlacedRow *row);
static bool choose_encoder(Hasher *hasher, uint32_t version);
static void make_encoder(void *argument);
static void group_read(Hasher *hasher);
static void encode_group(void *argument);
static void settle(Hasher *hasher, const Mismatch *current);
static void encode_slot(void *argument);
static void flush_pending(Hasher *hasher);
static void append_leaf(Hasher *hasher, uint32_t index, const TlHash *leaf_hash);
static void section_close(Hasher *hasher);
static void judge_manifest(Hasher *hasher);
static void judge_rows(Hasher *hasher);
static void judge_tiles(Hasher *hasher);
static void find_exchanges(Hasher *hasher);
static bool has_content_of(Hasher *hasher, const Mismatch *row,
						   const Mismatch *other);
static void report_row(Hasher *hasher, const Mismatch *mismatch);
static void report_twin(Hasher *hasher, const TlPlacedRow *row);

/* Hash all placed rows. */
void
tl_proof_rows_sections(TlRowsPass *pass)
{
	Hasher	   *hasher = palloc0(sizeof(Hasher));
	MemoryContext caller = CurrentMemoryContext;
	TlPlacedRow row;

	hasher->pass = pass;
	hasher->context = AllocSetContextCreate(caller, "ledger.verify section",
											ALLOCSET_DEFAULT_SIZES);
	hasher->encoder_context = AllocSetContextCreate(caller, "ledger.verify version",
													ALLOCSET_DEFAULT_SIZES);
	open_cursor(hasher);
	tl_proof_sort_perform(pass->by_place);
	MemoryContextSwitchTo(hasher->context);
	while (tl_proof_rows_next_placed(pass->by_place, &row))
		take(hasher, &row);
	section_close(hasher);
	MemoryContextSwitchTo(caller);
	tl_proof_cursor_close(&hasher->cursor);
	if (hasher->encoder != NULL)
		tl_table_encoder_close(hasher->encoder);
	MemoryContextDelete(hasher->encoder_context);
	MemoryContextDelete(hasher->context);
}

/* In the order in which the rows come. */
static void
open_cursor(Hasher *hasher)
{
	Oid			types[] = {UUIDOID, INT8OID};
	pg_uuid_t	table_id;
	Datum		values[2];

	memcpy(table_id.data, hasher->pass->table_id, UUID_LEN);
	values[0] = UUIDPGetDatum(&table_id);
	values[1] = Int64GetDatum(hasher->pass->run->from_batch);
	tl_proof_cursor_open(&hasher->cursor, "SELECT batch, section, table_version, row_count,"
						 " row_key, root, nodes FROM ledger_internal.section"
						 " WHERE table_id = $1 AND batch > $2 ORDER BY batch, section",
						 2, types, values, 100);
}

static void
take(Hasher *hasher, const TlPlacedRow *row)
{
	if (hasher->open &&
		(row->batch != hasher->batch || row->section != hasher->section))
		section_close(hasher);
	if (!hasher->open && !section_open(hasher, row))
		return;
	if (!hasher->encodable)
		return;
	memset(&hasher->group[hasher->group_count], 0, sizeof(Mismatch));
	hasher->group[hasher->group_count++].row = *row;
	if (hasher->group_count == GROUP_ROWS)
		group_read(hasher);
}

/* Begin the section that the row belongs to. */
static bool
section_open(Hasher *hasher, const TlPlacedRow *row)
{
	const TlCursor *cursor = &hasher->cursor;
	TlSpan		row_key;

	MemoryContextReset(hasher->context);
	if (!find_section(hasher, row))
		return false;			/* its manifest came from there: cannot be */
	hasher->open = true;
	hasher->batch = row->batch;
	hasher->section = row->section;
	hasher->row_count = (uint32_t) tl_proof_cursor_number(cursor, SECTION_ROW_COUNT);
	hasher->root = tl_proof_cursor_bytes(cursor, SECTION_ROOT);
	hasher->nodes = tl_proof_cursor_bytes(cursor, SECTION_NODES);
	row_key = tl_proof_cursor_bytes(cursor, SECTION_ROW_KEY);
	hasher->seen = 0;
	hasher->complete = true;
	hasher->tiles_agree = true;
	hasher->first_bad_tile = -1;
	hasher->mismatch_count = hasher->mismatch_capacity = 0;
	hasher->mismatches = NULL;
	hasher->pending = false;
	tl_merkle_range_init(&hasher->range);
	tl_merkle_range_init(&hasher->tile);
	hasher->encodable = row_key.size == TL_ROW_KEY_SIZE &&
		choose_encoder(hasher, (uint32_t) tl_proof_cursor_number(cursor, SECTION_VERSION));
	if (hasher->encodable)
		tl_table_encoder_set_key(hasher->encoder, row_key.data);
	else if (row_key.size != TL_ROW_KEY_SIZE)
		tl_proof_rows_report(hasher->pass, "batch_changed", NULL, row->batch, NULL, NULL,
							 "Column row_key of a section does not hold a key.");
	return true;
}

static bool
find_section(Hasher *hasher, const TlPlacedRow *row)
{
	TlCursor   *cursor = &hasher->cursor;

	while (tl_proof_cursor_row(cursor))
	{
		int64_t		batch = tl_proof_cursor_number(cursor, SECTION_BATCH);
		int64_t		section = tl_proof_cursor_number(cursor, SECTION_NUMBER);

		if (batch == row->batch && section == row->section)
			return true;
		if (batch > row->batch || (batch == row->batch && section > row->section))
			return false;
		tl_proof_cursor_advance(cursor);
	}
	return false;
}

/* An encoder for that version; false, and a report, if there can be none. */
static bool
choose_encoder(Hasher *hasher, uint32_t version)
{
	TlRowsPass *pass = hasher->pass;
	MemoryContext caller;
	char	   *message;

	if (hasher->version == version)
		return hasher->encoder != NULL;
	if (hasher->encoder != NULL)
		tl_table_encoder_close(hasher->encoder);
	hasher->encoder = NULL;
	hasher->version = version;
	MemoryContextReset(hasher->encoder_context);
	caller = MemoryContextSwitchTo(hasher->encoder_context);
	message = tl_proof_verify_try(make_encoder, hasher);
	MemoryContextSwitchTo(caller);
	if (hasher->encoder != NULL)
		return true;
	if (!tl_proof_verify_doubts_batch(pass->run, hasher->batch))
		tl_proof_rows_report(pass, "definition_changed", NULL, hasher->batch,
							 psprintf("version %u", version), NULL,
							 message != NULL ?
							 psprintf("Rows cannot be encoded: %s.", message) :
							 "ledger.table_version does not have the version by which rows were encoded.");
	return false;
}

static void
make_encoder(void *argument)
{
	Hasher	   *hasher = argument;
	TlTableVersion version;

	if (tl_table_definition_load_exact(&version, hasher->pass->table_id,
									   hasher->version, hasher->encoder_context))
		hasher->encoder = tl_table_encoder_open(hasher->pass->relation, &version,
												hasher->encoder_context);
}

/* Read, encode and hash the rows that have come together. */
static void
group_read(Hasher *hasher)
{
	Encoding	encoding;

	CHECK_FOR_INTERRUPTS();
	if (hasher->group_count == 0)
		return;
	memset(&encoding, 0, sizeof(encoding));
	encoding.hasher = hasher;
	encoding.count = hasher->group_count;
	if (tl_proof_verify_try(encode_group, &encoding) != NULL)
	{
		encoding.count = 1;
		for (int i = 0; i < hasher->group_count; i++)
		{
			encoding.first = i;
			hasher->group[i].message = tl_proof_verify_try(encode_group, &encoding);
		}
	}
	for (int i = 0; i < hasher->group_count; i++)
		settle(hasher, &hasher->group[i]);
	hasher->pass->run->rows += hasher->group_count;
	tl_proof_progress_add(hasher->group_count);
	hasher->group_count = 0;
}

/* An attempt; if it fails, its slot goes with its subtransaction. */
static void
encode_group(void *argument)
{
	Encoding   *encoding = argument;
	Hasher	   *hasher = encoding->hasher;
	TlRowsPass *pass = hasher->pass;
	TupleTableSlot *slot = table_slot_create(pass->relation, NULL);

	for (int i = encoding->first; i < encoding->first + encoding->count; i++)
	{
		Mismatch   *row = &hasher->group[i];
		TlSpan		bytes;

		if (!table_tuple_fetch_row_version(pass->relation, &row->row.place,
										   pass->run->snapshot, slot))
			elog(ERROR, "row of \"%s\" has vanished",
				 RelationGetRelationName(pass->relation));
		bytes = tl_table_encoder_row(hasher->encoder, slot);
		tl_merkle_leaf_hash(&row->leaf_hash, bytes.data, bytes.size);
	}
	ExecDropSingleTupleTableSlot(slot);
}

/* Compare a row's fingerprint.  Of twins the one that fits was batched. */
static void
settle(Hasher *hasher, const Mismatch *current)
{
	bool		matches = current->message == NULL &&
		memcmp(current->leaf_hash.bytes, current->row.fingerprint,
			   TL_FINGERPRINT_SIZE) == 0;

	if (hasher->pending && hasher->last.row.index == current->row.index)
	{
		report_twin(hasher, hasher->last_matches ? &current->row : &hasher->last.row);
		if (hasher->last_matches)
			return;
		hasher->pending = false;
	}
	flush_pending(hasher);
	hasher->pending = true;
	hasher->last = *current;
	hasher->last_matches = matches;
}

/* The last row has no twin: it is the one at its index. */
static void
flush_pending(Hasher *hasher)
{
	if (!hasher->pending)
		return;
	hasher->pending = false;
	if (hasher->last.row.index != hasher->seen)
		hasher->complete = false;
	hasher->seen++;
	if (hasher->last.message != NULL)
		hasher->complete = false;
	if (!hasher->last_matches)
	{
		if (hasher->mismatch_count == hasher->mismatch_capacity)
		{
			hasher->mismatch_capacity = Max(16, 2 * hasher->mismatch_capacity);
			hasher->mismatches = hasher->mismatches == NULL ?
				palloc(sizeof(Mismatch) * hasher->mismatch_capacity) :
				repalloc(hasher->mismatches, sizeof(Mismatch) * hasher->mismatch_capacity);
		}
		hasher->mismatches[hasher->mismatch_count++] = hasher->last;
	}
	if (hasher->complete)
		append_leaf(hasher, hasher->last.row.index, &hasher->last.leaf_hash);
}

/* Into the tree, and the root of each full tile against the stored one. */
static void
append_leaf(Hasher *hasher, uint32_t index, const TlHash *leaf_hash)
{
	uint32_t	tile = index / TL_TILE_ROWS;
	size_t		offset = (size_t) tile * TL_HASH_SIZE;
	TlHash		root;

	(void) tl_merkle_range_append(&hasher->range, leaf_hash);
	(void) tl_merkle_range_append(&hasher->tile, leaf_hash);
	if (hasher->tile.size < TL_TILE_ROWS)
		return;
	tl_merkle_range_root(&hasher->tile, &root);
	tl_merkle_range_init(&hasher->tile);
	if (offset + TL_HASH_SIZE <= hasher->nodes.size &&
		memcmp(hasher->nodes.data + offset, root.bytes, TL_HASH_SIZE) == 0)
		return;
	hasher->tiles_agree = false;
	if (hasher->first_bad_tile < 0)
		hasher->first_bad_tile = tile;
}

/* The verdict on the open section. */
static void
section_close(Hasher *hasher)
{
	TlHash		root;
	bool		root_agrees;

	if (!hasher->open)
		return;
	group_read(hasher);
	flush_pending(hasher);
	hasher->open = false;
	if (!hasher->encodable)
		return;
	if (hasher->seen != hasher->row_count)
		hasher->complete = false;
	if (hasher->nodes.size != (size_t) (hasher->row_count / TL_TILE_ROWS) * TL_HASH_SIZE)
		hasher->tiles_agree = false;
	tl_merkle_range_root(&hasher->range, &root);
	root_agrees = hasher->complete && hasher->root.size == TL_HASH_SIZE &&
		memcmp(root.bytes, hasher->root.data, TL_HASH_SIZE) == 0;
	if (root_agrees)
		judge_manifest(hasher);
	else if (hasher->mismatch_count > 0)
		judge_rows(hasher);
	else if (hasher->complete &&
			 !tl_proof_verify_doubts_batch(hasher->pass->run, hasher->batch))
		judge_tiles(hasher);
}

/* The rows are right. */
static void
judge_manifest(Hasher *hasher)
{
	if (hasher->mismatch_count > 0)
		tl_proof_rows_report(hasher->pass, "batch_changed", &hasher->mismatches[0].row.ref,
							 hasher->batch,
							 tl_proof_verify_hex(hasher->mismatches[0].leaf_hash.bytes,
												 TL_FINGERPRINT_SIZE),
							 tl_proof_verify_hex(hasher->mismatches[0].row.fingerprint,
												 TL_FINGERPRINT_SIZE),
							 psprintf("The manifest of section %u was changed; the rows give the root that was signed.",
									  hasher->section));
	else if (!hasher->tiles_agree)
		tl_proof_rows_report(hasher->pass, "batch_changed", NULL, hasher->batch, NULL, NULL,
							 psprintf("Column nodes of section %u was changed; the rows give the root that was signed.",
									  hasher->section));
}

/* Some rows do not fit their fingerprints. */
static void
judge_rows(Hasher *hasher)
{
	if (hasher->mismatch_count >= SAY_ONCE_ROWS &&
		hasher->mismatch_count == hasher->row_count)
	{
		tl_proof_rows_report(hasher->pass, "batch_changed", NULL, hasher->batch,
							 NULL, psprintf("%d rows", hasher->mismatch_count),
							 psprintf("No row of section %u fits: its blinding key in ledger_internal.section was changed, or all of its rows.",
									  hasher->section));
		return;
	}
	if (hasher->mismatch_count > 1 && hasher->mismatch_count <= EXCHANGE_ROWS_MAX)
		find_exchanges(hasher);
	for (int i = 0; i < hasher->mismatch_count; i++)
		report_row(hasher, &hasher->mismatches[i]);
}

/* All fingerprints fit, but the root does not. */
static void
judge_tiles(Hasher *hasher)
{
	int64_t		first = hasher->first_bad_tile < 0 ? 0 : hasher->first_bad_tile * TL_TILE_ROWS;
	int64_t		last = hasher->first_bad_tile < 0 ? hasher->row_count - 1 :
		first + TL_TILE_ROWS - 1;
	TlHash		root;

	tl_merkle_range_root(&hasher->range, &root);
	tl_proof_rows_report(hasher->pass, "row_changed", NULL, hasher->batch,
						 tl_proof_verify_hex(hasher->root.data, hasher->root.size),
						 tl_proof_verify_hex(root.bytes, TL_HASH_SIZE),
						 psprintf("One of the rows %lld to %lld of section %u was changed, and its fingerprint in the manifest with it.",
								  (long long) first + 1, (long long) last + 1,
								  hasher->section));
}

/* Does each of two rows have the content of the other? */
static void
find_exchanges(Hasher *hasher)
{
	for (int i = 0; i < hasher->mismatch_count; i++)
		for (int j = 0; j < hasher->mismatch_count; j++)
			if (i != j && hasher->mismatches[i].message == NULL &&
				has_content_of(hasher, &hasher->mismatches[i], &hasher->mismatches[j]))
				hasher->mismatches[i].exchanged = true;
}

/* Encoded under the ref of the other, does the row fit there? */
static bool
has_content_of(Hasher *hasher, const Mismatch *row, const Mismatch *other)
{
	Relation	relation = hasher->pass->relation;
	TupleDesc	description = RelationGetDescr(relation);
	AttrNumber	ref_attribute = tl_table_am_ref_attribute(relation);
	TupleTableSlot *stored = table_slot_create(relation, NULL);
	ItemPointerData place = row->row.place;
	TlRefBytes	ref = other->row.ref;
	Encoding	encoding;
	bool		fits = false;

	memset(&encoding, 0, sizeof(encoding));
	encoding.hasher = hasher;
	encoding.slot = MakeSingleTupleTableSlot(description, &TTSOpsVirtual);
	if (table_tuple_fetch_row_version(relation, &place, hasher->pass->run->snapshot,
									  stored))
	{
		slot_getallattrs(stored);
		memcpy(encoding.slot->tts_values, stored->tts_values,
			   sizeof(Datum) * description->natts);
		memcpy(encoding.slot->tts_isnull, stored->tts_isnull,
			   sizeof(bool) * description->natts);
		encoding.slot->tts_values[ref_attribute - 1] = TlRefBytesGetDatum(&ref);
		ExecStoreVirtualTuple(encoding.slot);
		if (tl_proof_verify_try(encode_slot, &encoding) == NULL)
			fits = memcmp(encoding.leaf_hash.bytes, other->row.fingerprint,
						  TL_FINGERPRINT_SIZE) == 0;
	}
	ExecDropSingleTupleTableSlot(encoding.slot);
	ExecDropSingleTupleTableSlot(stored);
	return fits;
}

static void
encode_slot(void *argument)
{
	Encoding   *encoding = argument;
	TlSpan		bytes = tl_table_encoder_row(encoding->hasher->encoder, encoding->slot);

	tl_merkle_leaf_hash(&encoding->leaf_hash, bytes.data, bytes.size);
}

static void
report_row(Hasher *hasher, const Mismatch *mismatch)
{
	const TlPlacedRow *row = &mismatch->row;
	char	   *expected = tl_proof_verify_hex(row->fingerprint, TL_FINGERPRINT_SIZE);

	if (mismatch->message != NULL)
		tl_proof_rows_report(hasher->pass, "row_changed", &row->ref, row->batch, expected,
							 NULL, psprintf("The row cannot be read: %s.", mismatch->message));
	else
		tl_proof_rows_report(hasher->pass,
							 mismatch->exchanged ? "order_changed" : "row_changed",
							 &row->ref, row->batch, expected,
							 tl_proof_verify_hex(mismatch->leaf_hash.bytes,
												 TL_FINGERPRINT_SIZE),
							 mismatch->exchanged ?
							 "The row has the content of another row of its batch: rows were exchanged." :
							 "The row is not what was batched: the hash of its bytes begins otherwise.");
}

static void
report_twin(Hasher *hasher, const TlPlacedRow *row)
{
	tl_proof_rows_report(hasher->pass, "row_added", &row->ref, row->batch, NULL,
						 psprintf("(%u,%u)",
								  ItemPointerGetBlockNumberNoCheck(&row->place),
								  ItemPointerGetOffsetNumberNoCheck(&row->place)),
						 "A second row has the ref of a row that was batched.");
}
