/*-------------------------------------------------------------------------
 *
 * proof_verify_foreign.c
 *	  Rows of shared tables that other members wrote, against their sections.
 *
 * What the section of a foreign batch has is in foreign_section, as the own ones
 * are in section; where a row is, in foreign_rows.  First the table is read page by
 * page:
 *
 *		row in the table			in no section					row_added
 *									in one, and rejected there		row_added
 *									the index does not lead to it	index_mismatch
 *									it leads to another				row_added
 *
 * Then the sections, along the ref index, in order of height:
 *
 *		manifest, index, fingerprint agree
 *		no row, or another one		rejected there: its bytes are listed, and
 *									have the fingerprint; else rejection_changed
 *									otherwise row_missing, row_changed
 *		root, nodes					batch_changed
 *		foreign_rows leads nowhere	batch_changed, where a manifest has the row
 *
 * At the end the rows that were found in a section, counted and summed by a keyed
 * hash of their refs, must be those that the manifests name and that were not
 * rejected: whoever writes into foreign_rows hides no row.  If they are not, the
 * table is read once more, and each row looked for in its section's manifest.
 *
 * That a rejection is one of those that a quorum has signed, and that sections
 * belong to their batches, is for proof_verify_state.c and
 * proof_verify_foreign_batch.c.
 *
 * Own batches that came back after a restore, and of which something was lost, have
 * their sections there too; their rows are read like those of others.
 *
 * An incremental run reads the sections of new blocks, and of the rows in the
 * table those in such a section, or in none.
 *
 * Memory: one manifest, its hashes, and STRAYS_MAX refs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "chain_foreign.h"
#include "chain_lookup.h"
#include "chain_state_store.h"
#include "chain_statement.h"
#include "merkle_hash.h"
#include "merkle_range.h"
#include "proof_progress.h"
#include "proof_verify_cursor.h"
#include "proof_verify_foreign.h"
#include "proof_verify_walk.h"
#include "table_am.h"
#include "table_definition.h"
#include "table_encode.h"
#include "table_scan.h"
#include "tl_compat.h"

/* Rows that foreign_rows does not lead to a section, kept until all were read. */
#define STRAYS_MAX		4096

/* Columns of the cursor over sections. */
enum
{
	SECTION_HEIGHT,
	SECTION_MEMBER,
	SECTION_BATCH,
	SECTION_NUMBER,
	SECTION_VERSION,
	SECTION_ROW_COUNT,
	SECTION_ROW_KEY,
	SECTION_ROOT,
	SECTION_NODES,
	SECTION_MANIFEST,
	SECTION_DIGEST
};

static TlStatement select_total = {
	"SELECT coalesce(sum(row_count), 0)::bigint, coalesce(bool_or(member = $2), false)"
	" FROM ledger_internal.foreign_section WHERE table_id = $1 AND height > $3",
	3, {UUIDOID, INT8OID, INT8OID}
};
static TlStatement select_manifest = {
	"SELECT manifest FROM ledger_internal.foreign_section"
	" WHERE member = $1 AND incarnation = $2 AND batch = $3 AND section = $4 AND table_id = $5",
	5, {INT8OID, INT4OID, INT8OID, INT4OID, UUIDOID}
};

/* A row in the table that no section is known to have. */
typedef struct Stray
{
	TlRefBytes	ref;
	ItemPointerData place;
	bool		unindexed;		/* it is in one, but not in the index */
} Stray;

typedef struct Foreign
{
	TlRowsPass *pass;
	AttrNumber	ref_attribute;
	int64_t		problems;		/* of the run before */
	bool		returned;		/* there are sections of own batches */
	uint64		key;			/* of the sums */
	uint64		stored_count;
	uint64		stored_sum;
	uint64		batched_count;
	uint64		batched_sum;
	int			stray_count;
	Stray	   *strays;
	bool		all_sections;	/* their manifests are looked at for strays */

	TlForeignPlace place;		/* of the row that was found last */
	bool		placed;

	/* the section that is read */
	MemoryContext context;
	int64_t		height;
	uint32_t	member;
	int64_t		batch;
	TlHash		digest;			/* of the batch; zeros if it is not there */
	TlSpan		manifest;
	TlRef		ref;			/* the row */
	TlRefBytes	packed;
	uint8_t		fingerprint[TL_FINGERPRINT_SIZE];
	bool		careful;		/* a row cannot be read: each by itself */
	TlRefWalk  *walk;			/* NULL: each row has one of its own */
	bool		found;			/* under its ref, */
	bool		agrees;			/* with its fingerprint */
	bool		known;			/* its hash, from the table or from the list */
	TlHash		leaf_hash;
	List	   *reports;		/* TlProblem */
	uint32_t	read;			/* rows so far */
	uint32_t	unknown;		/* of these */
	uint64		taken_count;	/* not rejected */
	uint64		taken_sum;
	TlMerkleRange tile;
	TlMerkleRange tiles;
	StringInfoData nodes;

	MemoryContext encoder_context;
	TlTableEncoder *encoder;
	uint32_t	version;
	bool		wanted;			/* rows are hashed */
} Foreign;

/* The manifest of one section, read as far as the row that was asked for last. */
typedef struct Shown
{
	TlForeignPlace place;		/* of a row in it; zeros: of none */
	TlSpan		manifest;		/* empty if it is not there */
	TlManifestReader reader;
	TlRefBytes	asked;
	TlRefBytes	next;			/* the first that is not below that, */
	bool		ended;			/* or there is none */
} Shown;

static void begin(Foreign *state, TlRowsPass *pass);
static void read_table(Foreign *state);
static void take_row(Foreign *state, TlRefWalk *walk, const TlRefBytes *ref,
					 const ItemPointerData *place);
static bool find_place(Foreign *state, const TlRefBytes *ref);
static void keep_stray(Foreign *state, const TlRefBytes *ref, const ItemPointerData *place,
					   bool unindexed);
static void read_sections(Foreign *state);
static void read_section(Foreign *state, const TlCursor *cursor);
static bool choose_encoder(Foreign *state, const TlCursor *cursor);
static void make_encoder(void *argument);
static void read_rows(void *argument);
static void read_row(void *argument);
static void judge_row(Foreign *state, const char *message);
static bool was_rejected(Foreign *state);
static void append_leaf(Foreign *state);
static void judge_section(Foreign *state, const TlCursor *cursor, uint32_t count,
						  TlStatus status);
static TlStatus next_entry(Foreign *state, TlManifestReader *manifest, bool *found);
static Stray *find_stray(Foreign *state);
static void report_strays(Foreign *state);
static void read_again(Foreign *state);
static bool manifest_has(Foreign *state, const TlRefBytes *ref, Shown *shown);
static void show_manifest(Foreign *state, Shown *shown);
static void rewind_manifest(Shown *shown);
static void note(Foreign *state, const char *kind, const char *detail);
static void report(Foreign *state, const char *kind, const TlRefBytes *ref, int64_t height,
				   const ItemPointerData *place, const char *detail);
static uint64 hash_of(const Foreign *state, const TlRefBytes *ref);
static int	compare_strays(const void *left, const void *right);

void
tl_proof_foreign_rows(TlRowsPass *pass)
{
	Foreign    *state = palloc0(sizeof(Foreign));

	begin(state, pass);
	if (state->ref_attribute == InvalidAttrNumber ||
		!OidIsValid(tl_table_scan_ref_index(pass->relation, true)))
	{
		/* a full run has said so of the own rows */
		if (!pass->run->full)
			tl_proof_rows_report(pass, "index_mismatch", NULL, 0, "a valid unique index",
								 NULL, "The index on ledger_ref is gone or not valid.");
		return;
	}
	read_table(state);
	read_sections(state);
	report_strays(state);
	if (pass->run->problems == state->problems &&
		(state->stored_count != state->batched_count ||
		 state->stored_sum != state->batched_sum))
		read_again(state);
	if (state->encoder != NULL)
		tl_table_encoder_close(state->encoder);
}

static void
begin(Foreign *state, TlRowsPass *pass)
{
	pg_uuid_t	table_id;
	Datum		values[3] = {
		UUIDPGetDatum(&table_id), Int64GetDatum((int64) pass->run->identity.member),
		Int64GetDatum(pass->run->from_height)
	};

	state->pass = pass;
	state->problems = pass->run->problems;
	state->ref_attribute = tl_table_am_ref_attribute(pass->relation);
	state->strays = palloc(sizeof(Stray) * STRAYS_MAX);
	if (!pg_strong_random(&state->key, sizeof(state->key)))
		elog(ERROR, "could not generate a random key");
	state->context = AllocSetContextCreate(CurrentMemoryContext, "ledger.verify foreign section",
										   ALLOCSET_DEFAULT_SIZES);
	state->encoder_context = AllocSetContextCreate(CurrentMemoryContext, "ledger.verify version",
												   ALLOCSET_DEFAULT_SIZES);
	memcpy(table_id.data, pass->table_id, UUID_LEN);
	tl_chain_execute(&select_total, values, NULL, true);
	tl_proof_progress_phase(TL_PHASE_ROWS, RelationGetRelid(pass->relation),
							DatumGetInt64(tl_chain_result(0, 0, NULL)));
	state->returned = DatumGetBool(tl_chain_result(0, 1, NULL));
	SPI_freetuptable(SPI_tuptable);
}

/* Every row of another member that the table has, and of own batches that came back. */
static void
read_table(Foreign *state)
{
	TlRowsPass *pass = state->pass;
	TupleTableSlot *slot = table_slot_create(pass->relation, NULL);
	TableScanDesc scan = table_beginscan_strat(pass->relation, pass->run->snapshot,
											   0, NULL, true, false);
	TlRefWalk  *walk = tl_proof_walk_open(pass->relation, state->ref_attribute,
										  pass->run->snapshot);
	MemoryContext caller = MemoryContextSwitchTo(state->context);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		is_null;
		Datum		value = slot_getattr(slot, state->ref_attribute, &is_null);
		TlRef		ref;

		CHECK_FOR_INTERRUPTS();
		if (is_null)
			continue;			/* the pass over the own rows says so */
		tl_table_ref_unpack(&ref, DatumGetTlRefBytes(value));
		if (ref.member == pass->run->identity.member &&
			!(state->returned && find_place(state, DatumGetTlRefBytes(value))))
			continue;
		take_row(state, walk, DatumGetTlRefBytes(value), &slot->tts_tid);
		MemoryContextReset(state->context);
	}
	MemoryContextSwitchTo(caller);
	tl_proof_walk_close(walk);
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	qsort(state->strays, state->stray_count, sizeof(Stray), compare_strays);
}

static void
take_row(Foreign *state, TlRefWalk *walk, const TlRefBytes *ref, const ItemPointerData *place)
{
	TupleTableSlot *led;
	TlPlace		at;

	if (!find_place(state, ref))
	{
		keep_stray(state, ref, place, false);
		return;
	}
	if (state->place.height <= state->pass->run->from_height)
		return;
	at.height = state->place.height;
	at.batch = state->place.batch;
	if (state->place.member != state->pass->run->identity.member &&
		tl_chain_foreign_is_refused(ref, &at))
	{
		report(state, "row_added", ref, at.height, place,
			   "All members have rejected the row, so it is to be in its author's table only.");
		return;
	}
	led = tl_proof_walk_find(walk, ref);
	if (led != NULL && !ItemPointerEquals(&led->tts_tid, unconstify(ItemPointerData *, place)))
	{
		report(state, "row_added", ref, at.height, place, "A second row has the ref of the row.");
		return;
	}
	if (led == NULL)
	{
		report(state, "index_mismatch", ref, at.height, place,
			   "The index on ledger_ref does not lead to the row. REINDEX repairs it; what was read through it meanwhile was incomplete.");
		keep_stray(state, ref, place, true);
	}
	state->stored_count++;
	state->stored_sum += hash_of(state, ref);
}

/* Neighbours are mostly in one run. */
static bool
find_place(Foreign *state, const TlRefBytes *ref)
{
	if (state->placed && tl_table_ref_compare(ref, &state->place.first) >= 0 &&
		tl_table_ref_compare(ref, &state->place.last) <= 0)
		return true;
	state->placed = tl_chain_foreign_find(ref, &state->place);
	return state->placed;
}

static void
keep_stray(Foreign *state, const TlRefBytes *ref, const ItemPointerData *place, bool unindexed)
{
	Stray	   *stray;

	if (state->stray_count == STRAYS_MAX)
	{
		if (!unindexed)
			report(state, "row_added", ref, -1, place,
				   "No batch of its member that a block has holds the row.");
		return;
	}
	stray = &state->strays[state->stray_count++];
	stray->ref = *ref;
	stray->place = *place;
	stray->unindexed = unindexed;
	state->all_sections |= !unindexed;
}

/* In order of height; older ones only if a row is missing from foreign_rows. */
static void
read_sections(Foreign *state)
{
	Oid			types[] = {UUIDOID, INT8OID};
	TlRowsPass *pass = state->pass;
	MemoryContext caller = CurrentMemoryContext;
	pg_uuid_t	table_id;
	Datum		values[2] = {
		UUIDPGetDatum(&table_id), Int64GetDatum(state->all_sections ? -1 : pass->run->from_height)
	};
	TlCursor	cursor;

	memcpy(table_id.data, pass->table_id, UUID_LEN);
	tl_proof_cursor_open(&cursor, "SELECT height, member, batch, section, table_version, row_count,"
						 " row_key, root, nodes, manifest, (SELECT b.digest FROM ledger_internal.foreign_batch AS b"
						 " WHERE b.height = s.height AND b.member = s.member AND b.incarnation = s.incarnation"
						 " AND b.batch = s.batch) FROM ledger_internal.foreign_section AS s"
						 " WHERE table_id = $1 AND height > $2"
						 " ORDER BY height, member, incarnation, batch, section", 2, types, values, 16);
	for (; tl_proof_cursor_row(&cursor); tl_proof_cursor_advance(&cursor))
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(state->context);
		read_section(state, &cursor);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(state->context);
	}
	tl_proof_cursor_close(&cursor);
}

static void
read_section(Foreign *state, const TlCursor *cursor)
{
	TlSpan		digest = tl_proof_cursor_bytes(cursor, SECTION_DIGEST);
	TlManifestReader manifest;
	ListCell   *cell;
	TlStatus	status;
	bool		found;

	state->height = tl_proof_cursor_number(cursor, SECTION_HEIGHT);
	state->member = (uint32_t) tl_proof_cursor_number(cursor, SECTION_MEMBER);
	state->batch = tl_proof_cursor_number(cursor, SECTION_BATCH);
	state->manifest = tl_proof_cursor_bytes(cursor, SECTION_MANIFEST);
	memset(&state->digest, 0, sizeof(state->digest));
	if (digest.size == TL_HASH_SIZE)
		memcpy(&state->digest, digest.data, TL_HASH_SIZE);
	state->reports = NIL;
	state->wanted = state->height > state->pass->run->from_height &&
		choose_encoder(state, cursor);
	state->careful = false;
	if (state->wanted && tl_proof_verify_try(read_rows, state) != NULL)
	{
		state->careful = true;
		read_rows(state);
	}
	tl_chain_manifest_open(&manifest, state->manifest.data, state->manifest.size, state->member);
	while ((status = next_entry(state, &manifest, &found)) == TL_OK && found)
	{
		Stray	   *stray = find_stray(state);

		if (stray == NULL || stray->unindexed)
			continue;
		stray->unindexed = true;
		note(state, "batch_changed", "ledger_internal.foreign_rows does not lead to the row's batch, so ledger.height() is wrong about it.");
	}
	judge_section(state, cursor, manifest.count, status);
	foreach(cell, state->reports)
		tl_proof_verify_report(state->pass->run, lfirst(cell));
}

/* False, and a report, if there can be none for the section's version. */
static bool
choose_encoder(Foreign *state, const TlCursor *cursor)
{
	TlSpan		row_key = tl_proof_cursor_bytes(cursor, SECTION_ROW_KEY);
	uint32_t	version = (uint32_t) tl_proof_cursor_number(cursor, SECTION_VERSION);
	char	   *message = NULL;

	if (state->encoder == NULL || state->version != version)
	{
		MemoryContext caller = CurrentMemoryContext;

		if (state->encoder != NULL)
			tl_table_encoder_close(state->encoder);
		state->encoder = NULL;
		state->version = version;
		MemoryContextReset(state->encoder_context);
		MemoryContextSwitchTo(state->encoder_context);
		message = tl_proof_verify_try(make_encoder, state);
		MemoryContextSwitchTo(caller);
	}
	if (state->encoder == NULL)
		report(state, "definition_changed", NULL, state->height, NULL,
			   message != NULL ? psprintf("Rows cannot be encoded: %s.", message) :
			   "ledger.table_version does not have the version by which rows were encoded.");
	else if (row_key.size != TL_ROW_KEY_SIZE)
		report(state, "batch_changed", NULL, state->height, NULL,
			   "Column row_key of a section does not hold a key.");
	else
	{
		tl_table_encoder_set_key(state->encoder, row_key.data);
		return true;
	}
	return false;
}

static void
make_encoder(void *argument)
{
	Foreign    *state = argument;
	TlTableVersion version;

	if (tl_table_definition_load_exact(&version, state->pass->table_id, state->version,
									   state->encoder_context))
		state->encoder = tl_table_encoder_open(state->pass->relation, &version,
											   state->encoder_context);
}

/* An attempt; if it fails, each row is read by an attempt of its own. */
static void
read_rows(void *argument)
{
	Foreign    *state = argument;
	TlManifestReader manifest;
	bool		found;

	state->reports = NIL;
	state->unknown = 0;
	state->read = 0;
	state->taken_count = state->taken_sum = 0;
	tl_merkle_range_init(&state->tile);
	tl_merkle_range_init(&state->tiles);
	initStringInfo(&state->nodes);
	state->walk = state->careful ? NULL :
		tl_proof_walk_open(state->pass->relation, state->ref_attribute,
						   state->pass->run->snapshot);
	tl_chain_manifest_open(&manifest, state->manifest.data, state->manifest.size, state->member);
	while (next_entry(state, &manifest, &found) == TL_OK && found)
	{
		char	   *message = NULL;

		CHECK_FOR_INTERRUPTS();
		if (state->careful)
			message = tl_proof_verify_try(read_row, state);
		else
			read_row(state);
		judge_row(state, message);
		append_leaf(state);
	}
	if (state->walk != NULL)
		tl_proof_walk_close(state->walk);
}

/* What the index leads to. */
static void
read_row(void *argument)
{
	Foreign    *state = argument;
	TlRefWalk  *walk = state->walk;
	TupleTableSlot *slot;
	TlSpan		bytes;

	if (walk == NULL)
		walk = tl_proof_walk_open(state->pass->relation, state->ref_attribute,
								  state->pass->run->snapshot);
	slot = tl_proof_walk_find(walk, &state->packed);
	state->found = (slot != NULL);
	state->agrees = false;
	if (slot != NULL)
	{
		bytes = tl_table_encoder_row(state->encoder, slot);
		tl_merkle_leaf_hash(&state->leaf_hash, bytes.data, bytes.size);
		state->agrees = memcmp(state->leaf_hash.bytes, state->fingerprint,
							   TL_FINGERPRINT_SIZE) == 0;
	}
	if (state->walk == NULL)
		tl_proof_walk_close(walk);
}

/* message: why it could not be read, or NULL. */
static void
judge_row(Foreign *state, const char *message)
{
	bool		unindexed;

	state->known = true;
	if (message == NULL && state->agrees)
	{
		state->taken_count++;
		state->taken_sum += hash_of(state, &state->packed);
		return;
	}
	if (was_rejected(state))
		return;
	state->known = false;
	unindexed = find_stray(state) != NULL;
	if (message != NULL)
		note(state, "row_changed", psprintf("The row cannot be read: %s.", message));
	else if (state->found)
		note(state, "row_changed", "The bytes of the row do not have the hash that its author has batched.");
	else if (!unindexed)
		note(state, "row_missing", "The row was batched by its author, and is not in the table.");
}

/* By all members in this batch: then its bytes are listed, if nobody has changed them. */
static bool
was_rejected(Foreign *state)
{
	TlPlace		place = {.height = state->height,.batch = state->batch};
	TlSpan		bytes;

	if (!tl_chain_foreign_refused_bytes(&state->packed, &place, &bytes))
		return false;
	tl_merkle_leaf_hash(&state->leaf_hash, bytes.data, bytes.size);
	if (memcmp(state->leaf_hash.bytes, state->fingerprint, TL_FINGERPRINT_SIZE) != 0)
	{
		state->known = false;
		note(state, "rejection_changed", "The bytes listed of the rejected row do not have the hash that its author has batched.");
	}
	else if (!tl_chain_state_has_rejection(&state->packed, state->height, &state->digest,
										   &state->leaf_hash))
		note(state, "rejection_changed", "The row is listed as rejected, but no outcome of the block says so.");
	return true;
}

/* Tiles of 256 rows, as they are stored. */
static void
append_leaf(Foreign *state)
{
	TlHash		root;

	state->read++;
	if (state->read % TL_TILE_ROWS == 0)
		tl_proof_progress_add(TL_TILE_ROWS);
	state->unknown += !state->known;
	(void) tl_merkle_range_append(&state->tile, &state->leaf_hash);
	if (state->tile.size < TL_TILE_ROWS)
		return;
	tl_merkle_range_root(&state->tile, &root);
	tl_merkle_range_init(&state->tile);
	(void) tl_merkle_range_append(&state->tiles, &root);
	appendBinaryStringInfo(&state->nodes, (char *) root.bytes, TL_HASH_SIZE);
}

static void
judge_section(Foreign *state, const TlCursor *cursor, uint32_t count, TlStatus status)
{
	TlSpan		root = tl_proof_cursor_bytes(cursor, SECTION_ROOT);
	TlSpan		nodes = tl_proof_cursor_bytes(cursor, SECTION_NODES);
	TlHash		found;

	if (status != TL_OK || count != tl_proof_cursor_number(cursor, SECTION_ROW_COUNT))
	{
		report(state, "batch_changed", NULL, state->height, NULL,
			   psprintf("The manifest of section %lld of batch %lld of member %u cannot be read, or does not hold the rows of the section.",
						(long long) tl_proof_cursor_number(cursor, SECTION_NUMBER),
						(long long) state->batch, state->member));
		return;
	}
	if (!state->wanted)
		return;
	tl_proof_progress_add(state->read % TL_TILE_ROWS);
	state->pass->run->rows += state->read;
	state->batched_count += state->taken_count;
	state->batched_sum += state->taken_sum;
	if (state->unknown > 0)
		return;
	if (state->tile.size > 0)
	{
		tl_merkle_range_root(&state->tile, &found);
		(void) tl_merkle_range_append(&state->tiles, &found);
	}
	tl_merkle_range_root(&state->tiles, &found);
	if (root.size != TL_HASH_SIZE || memcmp(found.bytes, root.data, TL_HASH_SIZE) != 0)
		report(state, "row_changed", NULL, state->height, NULL,
			   psprintf("Rows of batch %lld of member %u were changed, in section %lld, up to row %s, and have the fingerprints that they had.",
						(long long) state->batch, state->member,
						(long long) tl_proof_cursor_number(cursor, SECTION_NUMBER),
						tl_table_ref_text(&state->ref)));
	else if (nodes.size != (size_t) state->nodes.len ||
			 (nodes.size > 0 && memcmp(nodes.data, state->nodes.data, nodes.size) != 0))
		report(state, "batch_changed", NULL, state->height, NULL,
			   "Column nodes of a section in ledger_internal.foreign_section is not over its rows.");
}

static TlStatus
next_entry(Foreign *state, TlManifestReader *manifest, bool *found)
{
	TlStatus	status = tl_chain_manifest_next(manifest, found, &state->ref, state->fingerprint);

	if (status == TL_OK && *found)
		tl_table_ref_pack(&state->packed, &state->ref);
	return status;
}

/* The row of the entry, among those kept. */
static Stray *
find_stray(Foreign *state)
{
	Stray		wanted = {.ref = state->packed};

	return bsearch(&wanted, state->strays, state->stray_count, sizeof(Stray), compare_strays);
}

/* Rows that no manifest has either. */
static void
report_strays(Foreign *state)
{
	for (int i = 0; i < state->stray_count; i++)
		if (!state->strays[i].unindexed)
			report(state, "row_added", &state->strays[i].ref, -1, &state->strays[i].place,
				   "No batch of its member that a block has holds the row.");
}

/* foreign_rows says more than the manifests: which rows are in none? */
static void
read_again(Foreign *state)
{
	TlRowsPass *pass = state->pass;
	TupleTableSlot *slot = table_slot_create(pass->relation, NULL);
	TableScanDesc scan = table_beginscan_strat(pass->relation, pass->run->snapshot,
											   0, NULL, true, false);
	Shown		shown = {0};

	tl_proof_progress_phase(TL_PHASE_ROWS_EXACTLY, RelationGetRelid(pass->relation),
							(int64_t) state->stored_count);
	MemoryContextReset(state->context);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		is_null;
		Datum		value = slot_getattr(slot, state->ref_attribute, &is_null);
		TlRef		ref;

		CHECK_FOR_INTERRUPTS();
		if (is_null)
			continue;
		tl_table_ref_unpack(&ref, DatumGetTlRefBytes(value));
		if ((ref.member == pass->run->identity.member && !state->returned) ||
			!find_place(state, DatumGetTlRefBytes(value)) ||
			state->place.height <= pass->run->from_height)
			continue;
		tl_proof_progress_add(1);
		if (!manifest_has(state, DatumGetTlRefBytes(value), &shown))
			report(state, "row_added", DatumGetTlRefBytes(value), state->place.height,
				   &slot->tts_tid, "ledger_internal.foreign_rows has the row, but no section of its member's batches does.");
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
}

/*
 * Of the section where the row is said to be.  Its refs ascend, as those of the
 * table mostly do, so it is looked for from where the row before it was.
 */
static bool
manifest_has(Foreign *state, const TlRefBytes *ref, Shown *shown)
{
	const TlForeignPlace *place = &state->place;

	if (shown->place.height != place->height || shown->place.member != place->member ||
		shown->place.incarnation != place->incarnation || shown->place.batch != place->batch ||
		shown->place.section != place->section)
		show_manifest(state, shown);
	else if (tl_table_ref_compare(&shown->asked, ref) > 0)
		rewind_manifest(shown);
	shown->asked = *ref;
	while (!shown->ended && tl_table_ref_compare(&shown->next, ref) < 0)
	{
		bool		found;

		shown->ended = next_entry(state, &shown->reader, &found) != TL_OK || !found;
		shown->next = state->packed;
	}
	return !shown->ended && tl_table_ref_compare(&shown->next, ref) == 0;
}

static void
show_manifest(Foreign *state, Shown *shown)
{
	const TlForeignPlace *place = &state->place;
	MemoryContext caller = MemoryContextSwitchTo(state->context);
	pg_uuid_t	table_id;
	Datum		values[5] = {
		Int64GetDatum((int64) place->member), Int32GetDatum(place->incarnation),
		Int64GetDatum(place->batch), Int32GetDatum(place->section), UUIDPGetDatum(&table_id)
	};

	MemoryContextReset(state->context);
	memcpy(table_id.data, state->pass->table_id, UUID_LEN);
	memset(shown, 0, sizeof(Shown));
	shown->place = *place;
	if (tl_chain_execute(&select_manifest, values, NULL, true) == 1)
	{
		bytea	   *bytes = DatumGetByteaPCopy(tl_chain_result(0, 0, NULL));

		shown->manifest = (TlSpan) {(const uint8_t *) VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)};
	}
	SPI_freetuptable(SPI_tuptable);
	MemoryContextSwitchTo(caller);
	rewind_manifest(shown);
}

/* No ref is below one of zeros. */
static void
rewind_manifest(Shown *shown)
{
	tl_chain_manifest_open(&shown->reader, shown->manifest.data, shown->manifest.size,
						   shown->place.member);
	memset(&shown->next, 0, sizeof(shown->next));
	shown->ended = false;
}

/* About the row of the entry, told when its section was read. */
static void
note(Foreign *state, const char *kind, const char *detail)
{
	TlProblem  *problem = palloc0(sizeof(TlProblem));
	TlRef	   *ref = palloc(sizeof(TlRef));

	*ref = state->ref;
	problem->kind = kind;
	problem->relation = RelationGetRelid(state->pass->relation);
	problem->ref = ref;
	problem->has_height = true;
	problem->height = state->height;
	problem->expected = tl_proof_verify_hex(state->fingerprint, TL_FINGERPRINT_SIZE);
	problem->found = state->found && !state->agrees ?
		tl_proof_verify_hex(state->leaf_hash.bytes, TL_FINGERPRINT_SIZE) : NULL;
	problem->detail = detail;
	state->reports = lappend(state->reports, problem);
}

static void
report(Foreign *state, const char *kind, const TlRefBytes *ref, int64_t height,
	   const ItemPointerData *place, const char *detail)
{
	TlProblem	problem = {
		.kind = kind,
		.relation = RelationGetRelid(state->pass->relation),
		.has_height = height >= 0,
		.height = height,
		.detail = detail
	};
	TlRef		unpacked;

	if (ref != NULL)
	{
		tl_table_ref_unpack(&unpacked, ref);
		problem.ref = &unpacked;
	}
	if (place != NULL)
		problem.found = psprintf("(%u,%u)", ItemPointerGetBlockNumberNoCheck(place),
								 ItemPointerGetOffsetNumberNoCheck(place));
	tl_proof_verify_report(state->pass->run, &problem);
}

/* Nobody knows the key beforehand, so no rows can be made to fit a sum. */
static uint64
hash_of(const Foreign *state, const TlRefBytes *ref)
{
	return hash_bytes_extended(ref->bytes, TL_REF_SIZE, state->key);
}

static int
compare_strays(const void *left, const void *right)
{
	return tl_table_ref_compare(&((const Stray *) left)->ref, &((const Stray *) right)->ref);
}
