/*-------------------------------------------------------------------------
 *
 * proof_verify_foreign_batch.c
 *	  Sections of other members' batches against the batches' headers.
 *
 * The headers themselves are judged along the lanes (proof_verify_quorum.c).
 * What is stored of the sections must give the root in them: of a public section
 * its leaf, of a private one the hash that stands for it.  A batch with bodies
 * whose block is applied here has all its sections, unless its bodies were
 * submitted by themselves, or all members have refused the batch as a whole.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "chain_batch.h"
#include "chain_section.h"
#include "chain_statement.h"
#include "merkle_range.h"
#include "proof_verify.h"
#include "proof_verify_cursor.h"
#include "table_row.h"

/*
 * The chunk count stands at byte 130 of a header.  A batch in which nobody can
 * read a row leaves no refused row, but an outcome, which the members have signed
 * (chain_state.c): kind, format and what in 3 bytes, the batch's digest from 32 on.
 */
static const char *const batches_text =
"SELECT b.height, b.member, b.batch, b.header, s.section, s.leaf_hash, s.table_id,"
" s.table_version, s.row_count, s.root, EXISTS (SELECT FROM ledger_internal.refused_row AS r"
" WHERE r.height = b.height AND r.batch = b.batch AND ledger.member(r.ref) = b.member)"
" OR EXISTS (SELECT FROM ledger_internal.outcome AS o WHERE o.height = b.height"
" AND substring(o.leaf FROM 1 FOR 3) = '\\x070104' AND substring(o.leaf FROM 33) = b.digest),"
" b.incarnation"
" FROM ledger_internal.foreign_batch AS b LEFT JOIN ledger_internal.foreign_section AS s"
" ON (s.member, s.incarnation, s.batch) = (b.member, b.incarnation, b.batch)"
" AND s.height = b.height"
" WHERE b.height > $1 AND b.height <= (SELECT height FROM ledger_internal.applied)"
" AND substring(b.header FROM 131 FOR 4) <> '\\x00000000'"
" ORDER BY b.height, b.member, b.incarnation, b.batch, s.section";

enum
{
	BATCH_HEIGHT,
	BATCH_MEMBER,
	BATCH_NUMBER,
	BATCH_HEADER,
	SECTION_NUMBER,
	SECTION_LEAF_HASH,
	SECTION_TABLE,
	SECTION_VERSION,
	SECTION_ROW_COUNT,
	SECTION_ROOT,
	BATCH_REFUSED,
	BATCH_INCARNATION
};

static TlStatement select_lost = {
	"SELECT s.height, s.member, s.batch FROM ledger_internal.foreign_section AS s"
	" WHERE s.height > $1 AND NOT EXISTS (SELECT FROM ledger_internal.foreign_batch AS b"
	" WHERE (b.height, b.member, b.incarnation, b.batch) ="
	" (s.height, s.member, s.incarnation, s.batch)) ORDER BY 1 LIMIT 1",
	1, {INT8OID}
};

/* The batch whose sections come. */
typedef struct Batch
{
	bool		open;
	int64_t		height;
	int64_t		member;
	int64_t		incarnation;
	int64_t		number;
	TlBatchHeader header;		/* what it points to goes with the row */
	bool		readable;
	bool		submitted;		/* it has no sections of rows */
	bool		refused;		/* rows of it, maybe all, or it as a whole */
	TlMerkleRange range;
	const char *problem;
} Batch;

static void take(TlVerification *run, Batch *batch, const TlCursor *cursor);
static const char *take_section(Batch *batch, const TlCursor *cursor);
static void finish(TlVerification *run, Batch *batch);
static void report(TlVerification *run, int64_t height, int64_t member, int64_t number,
				   const char *detail);

/* Of blocks above the one that was verified before. */
void
tl_proof_verify_foreign_batches(TlVerification *run)
{
	Oid			types[] = {INT8OID};
	Datum		value = Int64GetDatum(run->from_height);
	Batch	   *batch = palloc0(sizeof(Batch));
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ledger.verify foreign batch",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	TlCursor	cursor;

	tl_proof_cursor_open(&cursor, batches_text, 1, types, &value, 100);
	for (; tl_proof_cursor_row(&cursor); tl_proof_cursor_advance(&cursor))
	{
		CHECK_FOR_INTERRUPTS();
		take(run, batch, &cursor);
	}
	tl_proof_cursor_close(&cursor);
	finish(run, batch);
	if (tl_chain_execute(&select_lost, &value, NULL, true) > 0)
		report(run, DatumGetInt64(tl_chain_result(0, 0, NULL)),
			   DatumGetInt64(tl_chain_result(0, 1, NULL)),
			   DatumGetInt64(tl_chain_result(0, 2, NULL)),
			   "A section in ledger_internal.foreign_section is of a batch that no block has");
	SPI_freetuptable(SPI_tuptable);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}

static void
take(TlVerification *run, Batch *batch, const TlCursor *cursor)
{
	int64_t		height = tl_proof_cursor_number(cursor, BATCH_HEIGHT);
	int64_t		member = tl_proof_cursor_number(cursor, BATCH_MEMBER);
	int64_t		number = tl_proof_cursor_number(cursor, BATCH_NUMBER);
	int64_t		incarnation = tl_proof_cursor_number(cursor, BATCH_INCARNATION);
	bool		none;

	if (!batch->open || batch->height != height || batch->member != member ||
		batch->incarnation != incarnation || batch->number != number)
	{
		TlSpan		header;

		finish(run, batch);
		MemoryContextReset(CurrentMemoryContext);
		header = tl_proof_cursor_bytes(cursor, BATCH_HEADER);
		memset(batch, 0, sizeof(*batch));
		batch->open = true;
		batch->height = height;
		batch->member = member;
		batch->incarnation = incarnation;
		batch->number = number;
		batch->readable = tl_chain_batch_decode(&batch->header, header.data, header.size) == TL_OK;
		batch->submitted = batch->readable && tl_chain_batch_is_submitted(&batch->header);
		batch->refused = tl_proof_cursor_flag(cursor, BATCH_REFUSED);
		tl_merkle_range_init(&batch->range);
	}
	(void) tl_proof_cursor_value(cursor, SECTION_NUMBER, &none);
	if (!none && batch->problem == NULL)
		batch->problem = take_section(batch, cursor);
	run->sections += !none;
}

/* NULL, or what is wrong. */
static const char *
take_section(Batch *batch, const TlCursor *cursor)
{
	TlSpan		stored = tl_proof_cursor_bytes(cursor, SECTION_LEAF_HASH);
	TlSpan		root;
	TlSectionLeaf leaf = {.kind = TL_SECTION_PUBLIC};
	TlHash		hash;
	Datum		table_id;
	bool		is_private;

	if (stored.size != TL_HASH_SIZE ||
		tl_proof_cursor_number(cursor, SECTION_NUMBER) != (int64_t) batch->range.size)
		return "A section is missing in ledger_internal.foreign_section, or its hash";
	memcpy(hash.bytes, stored.data, TL_HASH_SIZE);
	table_id = tl_proof_cursor_value(cursor, SECTION_TABLE, &is_private);
	if (!is_private)
	{
		root = tl_proof_cursor_bytes(cursor, SECTION_ROOT);
		memcpy(leaf.table_id, DatumGetUUIDP(table_id)->data, TL_TABLE_ID_SIZE);
		leaf.table_version = (uint32_t) tl_proof_cursor_number(cursor, SECTION_VERSION);
		leaf.row_count = (uint32_t) tl_proof_cursor_number(cursor, SECTION_ROW_COUNT);
		if (root.size == TL_HASH_SIZE)
			memcpy(leaf.root.bytes, root.data, TL_HASH_SIZE);
		if (tl_chain_section_leaf_hash(&hash, &leaf, NULL) != TL_OK ||
			memcmp(hash.bytes, stored.data, TL_HASH_SIZE) != 0)
			return "The columns of a section in ledger_internal.foreign_section do not give its leaf";
	}
	return tl_merkle_range_append(&batch->range, &hash) == TL_OK ? NULL :
		"There are too many sections";
}

static void
finish(TlVerification *run, Batch *batch)
{
	const char *problem = batch->problem;
	TlHash		root;

	if (!batch->open || !batch->readable || batch->submitted ||
		(batch->range.size == 0 && problem == NULL && batch->refused))
		return;
	tl_merkle_range_root(&batch->range, &root);
	if (problem == NULL &&
		(batch->range.size != batch->header.section_count ||
		 memcmp(&root, &batch->header.root, sizeof(root)) != 0))
		problem = "What is in ledger_internal.foreign_section does not give the root in the header";
	if (problem != NULL)
		report(run, batch->height, batch->member, batch->number, problem);
}

static void
report(TlVerification *run, int64_t height, int64_t member, int64_t number, const char *detail)
{
	tl_proof_verify_report(run, &(TlProblem) {
		.kind = "batch_changed",
		.has_height = true,
		.height = height,
		.detail = psprintf("%s: batch %lld of member %lld.", detail, (long long) number,
						   (long long) member)
	});
}
