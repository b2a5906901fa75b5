/*-------------------------------------------------------------------------
 *
 * node_apply_batch.c
 *	  The rows of one batch become part of shared tables.
 *
 * Every member, the batch's own among them, reads the same bytes by the same
 * rules, so that all refuse the same rows.  Own rows are in their table already
 * and are only asked whether they may be; those that a restore has lost are inserted
 * again, under the refs that they had.
 *
 * Mostly nothing is wrong.  So the batch is tried as a whole first: rows are
 * decoded, checked, gathered and inserted, in one subtransaction.  If a row
 * breaks a rule that is rolled back, and the batch is tried again without the row.
 * After TRIES_MAX of them, or if it is not known which row it was (refs that are
 * taken), each row is asked alone, in a subtransaction of its own.  What is no
 * verdict on a row (no memory, no space, a lock) goes on as ERROR: the block is
 * applied later.
 *
 * Bytes that are no body, or that do not give the root in the batch's header,
 * refuse the batch: as a whole, as it may have rows that nobody can read, and all
 * rows in it that can be named.  So do rows that are good each and contradict each
 * other.  A section whose table is not shared here, or
 * which is of another version of it, is refused alone.
 *
 * Those who want to hear of each row (TlApplyHook) are told as it is read, and at
 * the end of the attempt whether that counts.  Of refused rows they are told when it
 * is known what became of all: the body is read once more for that.
 *
 * Memory: a chunk and a row of the body, a thousand rows in the making, the
 * manifests of all sections until the batch ends, and 16 bytes for each row up to
 * the last refused one, with a reason each.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "chain_foreign.h"
#include "chain_reject.h"
#include "merkle_hash.h"
#include "node_apply_batch.h"
#include "node_body.h"
#include "table_definition.h"
#include "table_insert.h"
#include "table_requirement.h"
#include "table_scan.h"
#include "table_shared.h"
#include "tl_attempt.h"
#include "tl_compat.h"
#include "tl_error.h"
#include "tl_limits.h"

/* What is wrong with a row; sqlstate 0: nothing. */
typedef struct Refusal
{
	int			sqlstate;
	char	   *reason;
} Refusal;

typedef struct Batch
{
	const TlBatchHeader *header;
	const TlHash *digest;
	int64_t		height;
	bool		own;			/* its rows are in their tables */
	bool		built;			/* and its sections in ledger_internal.section */
	TlStatus	broken;			/* what is wrong with the batch as a whole */
	bool		refused_sections;	/* or with one of its sections */
	Refusal	   *refusals;		/* by row of the batch; NULL: none */
	uint32_t	refusal_count;	/* room for so many rows */
	TlBodyReader reader;
	MemoryContext context;		/* of one attempt */
	uint32_t	row;			/* number of the next row, over all sections */
	bool		asking;			/* it is being decoded and checked */
	TlRowCheck *check;			/* of signatures */

	/* the row that is asked alone */
	struct Section *asked_section;
	TlRefBytes	asked_ref;
	TlSpan		asked_bytes;
} Batch;

/* The section that is being read. */
typedef struct Section
{
	TlBuiltSection built;
	TlSectionWriter writer;
	TlTableTarget *target;		/* NULL: rows are only looked at */
	TlTableTarget *lost;		/* own rows that the table lacks; NULL: none yet */
	TlRefScan  *scan;			/* for these; NULL: not needed yet */
	TlTableVersion *version;
	Refusal		refusal;		/* of the section as a whole */
	TlForeignRuns runs;
} Section;

typedef void (*Work) (Batch *batch);

typedef struct Attempt
{
	Batch	   *batch;
	Work		work;
	bool		undone;
} Attempt;

/* Rows that are refused one after the other before each is asked alone. */
#define TRIES_MAX		4

static bool attempt(Batch *batch, Work work, Refusal *verdict);
static void run_attempt(void *argument);
static bool is_verdict(int sqlstate);
static bool is_taken(int sqlstate);
static void try_batch(Batch *batch);
static bool try_section(Batch *batch, Section *section);
static bool open_section(Batch *batch, Section *section, TlRowHeader *first,
						 TlSpan *bytes);
static bool next_row(Batch *batch, Section *section, TlRowHeader *header, TlSpan *bytes);
static void open_target(Batch *batch, Section *section, bool only_check);
static bool per_statement(Oid relation);
static const Refusal *refusal_of(const Batch *batch, const Section *section, uint32_t row);
static void take_row(Batch *batch, Section *section, const TlRowHeader *header,
					 const TlRefBytes *ref, TlSpan bytes);
static TlTableTarget *target_of(const Batch *batch, Section *section, const TlRefBytes *ref);
static void close_targets(Section *section);
static bool has_own_place(const Batch *batch, const TlRefBytes *ref, TlPlace *out);
tl_noreturn static void refuse_ref(const TlPlace *place);
static void ask_row(Batch *batch, TlTableTarget *target, const TlRefBytes *ref, TlSpan bytes);
static void ask_all(Batch *batch);
static void ask_alone(Batch *batch, Section *section, const TlRefBytes *ref, TlSpan bytes);
static void try_asked(Batch *batch);
static void note_refusal(Batch *batch, const Refusal *refusal);
static void tell_refused(Batch *batch);
static bool is_elsewhere(const Batch *batch, const TlRefBytes *ref);
static void refuse(Refusal *out, int sqlstate, const char *reason);

/* In the transaction that applies the block; all chunks are here. */
void
tl_node_apply_batch(const TlBatchHeader *header, const TlHash *digest, int64_t height,
					bool own, bool built)
{
	Batch		batch = {.header = header, .digest = digest, .height = height, .own = own, .built = built};
	Refusal		verdict = {0};
	bool		all_asked = false;

	for (int tries = 0; !attempt(&batch, try_batch, &verdict); tries++)
	{
		tl_node_apply_rows_end(false);
		batch.broken = TL_OK;
		if (batch.asking && tries < TRIES_MAX)
			note_refusal(&batch, &verdict);
		else if (!all_asked)
		{
			ask_all(&batch);
			all_asked = true;
		}
		else
		{
			batch.broken = TL_BAD_ORDER;
			break;
		}
	}
	tl_node_apply_rows_end(batch.broken == TL_OK);
	if (batch.broken != TL_OK)
	{
		ereport(LOG,
				errmsg("batch %llu of member %u is refused",
					   (unsigned long long) header->batch, header->member),
				errdetail("%s.", tl_status_text(batch.broken)));
		tl_node_apply_tell_rejected(height, digest, NULL,
									unpack_sql_state(tl_error_sqlstate(batch.broken)),
									(TlSpan) {NULL, 0});
	}
	if (batch.broken != TL_OK || batch.refusals != NULL || batch.refused_sections)
		tell_refused(&batch);
	CommandCounterIncrement();
}

/*
 * Do it in a subtransaction.  False if it ended with a verdict on a row; what it
 * did is undone then, and where it found the batch broken.
 */
static bool
attempt(Batch *batch, Work work, Refusal *verdict)
{
	MemoryContext caller = CurrentMemoryContext;
	Attempt		tried = {batch, work};
	ErrorData  *error;
	bool		done;

	batch->asking = false;
	batch->context = AllocSetContextCreate(caller, "telco_ledger applied batch",
										   ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(batch->context);
	error = tl_attempt(run_attempt, &tried, &tried.undone);
	MemoryContextSwitchTo(caller);
	done = error == NULL;
	if (!done)
	{
		if (!(batch->asking ? is_verdict(error->sqlerrcode) : is_taken(error->sqlerrcode)))
			ReThrowError(error);
		refuse(verdict, error->sqlerrcode, error->message);
	}
	MemoryContextDelete(batch->context);
	return done;
}

static void
run_attempt(void *argument)
{
	Attempt    *tried = argument;

	PushActiveSnapshot(GetTransactionSnapshot());
	tried->work(tried->batch);
	PopActiveSnapshot();
	tried->undone = tried->batch->broken != TL_OK;
}

/*
 * Does the ERROR say something about the row that every member would say?  Limits
 * of the server's programs (a CHECK whose repeat() would be too long) are the same
 * everywhere; that of the stack, which has another code, is not.
 */
static bool
is_verdict(int sqlstate)
{
	static const TlStatus statuses[] = {
		TL_BAD_REF, TL_UNSUPPORTED_TYPE, TL_TOO_LARGE, TL_TRUNCATED, TL_TRAILING_BYTES,
		TL_BAD_FORMAT, TL_BAD_VERSION, TL_BAD_ORDER, TL_BAD_KEY, TL_BAD_SIGNATURE
	};
	int			category = ERRCODE_TO_CATEGORY(sqlstate);

	for (int i = 0; i < lengthof(statuses); i++)
		if (sqlstate == tl_error_sqlstate(statuses[i]))
			return true;
	return sqlstate == ERRCODE_PROGRAM_LIMIT_EXCEEDED ||
		category == ERRCODE_DATA_EXCEPTION ||
		category == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION;
}

/* The same of rows that are being inserted. */
static bool
is_taken(int sqlstate)
{
	return sqlstate == ERRCODE_UNIQUE_VIOLATION || sqlstate == tl_error_sqlstate(TL_BAD_REF);
}

static void
refuse(Refusal *out, int sqlstate, const char *reason)
{
	out->sqlstate = sqlstate;
	out->reason = pstrdup(reason);
}

/* Every section in turn, and the root over them. */
static void
try_batch(Batch *batch)
{
	TlMerkleRange range;
	TlHash		root;

	tl_merkle_range_init(&range);
	tl_node_body_open(&batch->reader, batch->header);
	batch->check = tl_chain_check_create(batch->context);
	tl_chain_check_begin(batch->check, GetActiveSnapshot(), batch->context);
	batch->row = 0;
	while (tl_node_body_next_section(&batch->reader))
	{
		Section    *section = palloc0(sizeof(Section));

		if (batch->reader.section != range.size || !try_section(batch, section))
		{
			batch->broken = TL_BAD_FORMAT;
			return;
		}
		tl_error_check(tl_merkle_range_append(&range, &section->built.leaf_hash),
					   "tree of a batch");
	}
	tl_merkle_range_root(&range, &root);
	if (range.size != batch->header->section_count ||
		memcmp(&root, &batch->header->root, sizeof(root)) != 0)
		batch->broken = TL_BAD_PROOF;
}

/* False if its bytes are no section of this member. */
static bool
try_section(Batch *batch, Section *section)
{
	TlBuiltSection *built = &section->built;
	TlRowHeader row;
	TlSpan		bytes;
	TlSpan		hash;

	if (tl_node_body_left(&batch->reader) == TL_HASH_SIZE)
	{
		built->leaf.kind = TL_SECTION_PRIVATE;
		(void) tl_node_body_read(&batch->reader, &hash, TL_HASH_SIZE);
		memcpy(&built->leaf_hash, hash.data, TL_HASH_SIZE);
		if (!batch->built)
			tl_chain_foreign_store(batch->header, batch->height, batch->reader.section, built);
		return true;
	}
	if (!open_section(batch, section, &row, &bytes))
		return false;
	open_target(batch, section, batch->own);
	tl_chain_foreign_runs_begin(&section->runs, batch->header, batch->height,
								batch->reader.section, batch->built);
	do
	{
		TlRefBytes	ref;
		TlHash		leaf_hash;

		CHECK_FOR_INTERRUPTS();
		tl_table_ref_pack(&ref, &row.ref);
		tl_merkle_leaf_hash(&leaf_hash, bytes.data, bytes.size);
		tl_chain_writer_append(&section->writer, &ref, &leaf_hash);
		take_row(batch, section, &row, &ref, bytes);
		if (tl_node_body_left(&batch->reader) == 0)
			break;
	} while (next_row(batch, section, &row, &bytes));
	if (tl_node_body_left(&batch->reader) > 0)
		return false;
	close_targets(section);
	tl_chain_writer_finish(&section->writer);
	tl_chain_foreign_runs_end(&section->runs);
	if (!batch->built)
		tl_chain_foreign_store(batch->header, batch->height, batch->reader.section, built);
	return true;
}

/* Its blinding key and its first row. */
static bool
open_section(Batch *batch, Section *section, TlRowHeader *first, TlSpan *bytes)
{
	TlBuiltSection *built = &section->built;
	TlSpan		key;

	memset(section, 0, sizeof(*section));
	built->leaf.kind = TL_SECTION_PUBLIC;
	if (!tl_node_body_read(&batch->reader, &key, TL_ROW_KEY_SIZE))
		return false;
	memcpy(built->row_key, key.data, TL_ROW_KEY_SIZE);
	tl_chain_writer_init(&section->writer, built);
	if (!next_row(batch, section, first, bytes))
		return false;
	memcpy(built->leaf.table_id, first->table_id, TL_TABLE_ID_SIZE);
	built->leaf.table_version = first->table_version;
	return true;
}

/* The next row, if it is one of this section; the bytes are valid until the next. */
static bool
next_row(Batch *batch, Section *section, TlRowHeader *header, TlSpan *bytes)
{
	const TlBuiltSection *built = &section->built;
	TlSpan		span;
	TlReader	reader;
	TlRowDecoder decoder;
	TlRefBytes	ref;
	uint32_t	size;

	if (!tl_node_body_read(&batch->reader, &span, sizeof(uint32_t)))
		return false;
	tl_reader_init(&reader, span.data, span.size);
	size = tl_get_u32(&reader);
	if (size > TL_SHARED_ROW_SIZE_MAX ||
		!tl_node_body_read(&batch->reader, bytes, size) ||
		tl_table_row_open(&decoder, header, bytes->data, bytes->size) != TL_OK ||
		header->ref.member != batch->header->member)
		return false;
	if (built->leaf.row_count == 0)
		return true;
	tl_table_ref_pack(&ref, &header->ref);
	return built->leaf.row_count < TL_BATCH_ROWS_MAX &&
		tl_table_ref_compare(&built->last_ref, &ref) < 0 &&
		header->table_version == built->leaf.table_version &&
		memcmp(header->table_id, built->leaf.table_id, TL_TABLE_ID_SIZE) == 0;
}

/* Where its rows go, or why they go nowhere. */
static void
open_target(Batch *batch, Section *section, bool only_check)
{
	const TlSectionLeaf *leaf = &section->built.leaf;
	Oid			relation = tl_table_shared_relation(leaf->table_id);
	TlTableVersion *version = palloc0(sizeof(TlTableVersion));

	section->version = version;
	if (!OidIsValid(relation))
		refuse(&section->refusal, ERRCODE_UNDEFINED_TABLE, "there is no such shared table");
	else if (!tl_table_definition_load_exact(version, leaf->table_id, leaf->table_version,
											 CurrentMemoryContext))
		refuse(&section->refusal, tl_error_sqlstate(TL_BAD_VERSION),
			   "the shared table has no such version");
	else if (per_statement(relation))
		refuse(&section->refusal, tl_error_sqlstate(TL_UNSUPPORTED_TYPE),
			   "signatures over statements are not checked on shared tables");
	else
		section->target = tl_table_target_open(relation, version, section->built.row_key,
											   only_check);
	batch->refused_sections |= section->target == NULL;
}

/* A statement's rows cannot be read before they are inserted. */
static bool
per_statement(Oid relation)
{
	ListCell   *cell;

	foreach(cell, tl_table_requirement_load(relation))
		if (((TlRequirement *) lfirst(cell))->per_statement)
			return true;
	return false;
}

/* NULL if the row is to be taken. */
static const Refusal *
refusal_of(const Batch *batch, const Section *section, uint32_t row)
{
	if (row < batch->refusal_count && batch->refusals[row].sqlstate != 0)
		return &batch->refusals[row];
	if (section->refusal.sqlstate != 0)
		return &section->refusal;
	return NULL;
}

static void
take_row(Batch *batch, Section *section, const TlRowHeader *header, const TlRefBytes *ref,
		 TlSpan bytes)
{
	const Refusal *refusal = refusal_of(batch, section, batch->row);
	TlPlace		place;

	if (refusal == NULL)
	{
		TlTableTarget *target = target_of(batch, section, ref);

		tl_table_target_make_room(target);
		ask_row(batch, target, ref, bytes);
	}
	batch->row++;
	if (refusal != NULL && refusal->sqlstate == tl_error_sqlstate(TL_BAD_REF))
		return;
	if (has_own_place(batch, ref, &place))
		refuse_ref(&place);
	tl_chain_foreign_runs_add(&section->runs, &header->ref);
	if (refusal == NULL)
		tl_node_apply_tell(batch->height, header->table_id, ref, bytes);
}

/* Of an own batch that came back the table may lack rows. */
static TlTableTarget *
target_of(const Batch *batch, Section *section, const TlRefBytes *ref)
{
	Relation	relation = tl_table_target_relation(section->target);
	TlRefBytes	found;

	if (!batch->own || batch->built)
		return section->target;
	if (section->scan == NULL)
		section->scan = tl_table_scan_open(relation, GetActiveSnapshot());
	tl_table_scan_start(section->scan, ref, ref);
	if (tl_table_scan_next(section->scan, &found))
		return section->target;
	if (section->lost == NULL)
		section->lost = tl_table_target_open(RelationGetRelid(relation), section->version,
											 section->built.row_key, false);
	return section->lost;
}

static void
close_targets(Section *section)
{
	if (section->scan != NULL)
		tl_table_scan_close(section->scan);
	if (section->lost != NULL)
		tl_table_target_close(section->lost);
	if (section->target != NULL)
		tl_table_target_close(section->target);
}

/*
 * Is the row in an earlier block, in a batch that this database has made?  Asked of
 * own batches that came back after a restore: others have it in foreign_rows.
 */
static bool
has_own_place(const Batch *batch, const TlRefBytes *ref, TlPlace *out)
{
	return batch->own && !batch->built && tl_chain_lookup(ref, out) &&
		out->height < batch->height;
}

static void
refuse_ref(const TlPlace *place)
{
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_BAD_REF)),
			errmsg("the ref is that of a row in block %lld", (long long) place->height));
}

/* Decode and check the row; ERROR if it breaks a rule. */
static void
ask_row(Batch *batch, TlTableTarget *target, const TlRefBytes *ref, TlSpan bytes)
{
	TlCollectedRow row = {.ref = *ref};
	const char *reason;
	TlStatus	status;

	batch->asking = true;
	row.slot = tl_table_target_row(target, bytes);
	row.relation = tl_table_target_relation(target);
	if (tl_chain_check_applies(batch->check, &row))
	{
		reason = tl_chain_check_row(batch->check, &row, &status);
		if (reason != NULL)
			ereport(ERROR,
					errcode(tl_error_sqlstate(status)),
					errmsg_internal("%s", reason));
	}
	batch->asking = false;
}

/* Something is wrong with a row: ask each alone, and note what. */
static void
ask_all(Batch *batch)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(caller, "telco_ledger asked batch",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext part = AllocSetContextCreate(context, "telco_ledger asked section",
											   ALLOCSET_DEFAULT_SIZES);
	Section    *section = palloc0(sizeof(Section));
	TlRowHeader row;
	TlSpan		bytes;

	MemoryContextSwitchTo(context);
	tl_node_body_open(&batch->reader, batch->header);
	batch->row = 0;
	while (tl_node_body_next_section(&batch->reader))
	{
		MemoryContextReset(part);
		MemoryContextSwitchTo(part);
		if (tl_node_body_left(&batch->reader) == TL_HASH_SIZE ||
			!open_section(batch, section, &row, &bytes))
			continue;
		do
		{
			TlRefBytes	ref;

			CHECK_FOR_INTERRUPTS();
			tl_table_ref_pack(&ref, &row.ref);
			section->built.leaf.row_count++;
			section->built.last_ref = ref;
			ask_alone(batch, section, &ref, bytes);
			batch->row++;
		} while (tl_node_body_left(&batch->reader) > 0 &&
				 next_row(batch, section, &row, &bytes));
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}

static void
ask_alone(Batch *batch, Section *section, const TlRefBytes *ref, TlSpan bytes)
{
	Refusal		refusal = {0};

	batch->asked_section = section;
	batch->asked_ref = *ref;
	batch->asked_bytes = bytes;
	if (!attempt(batch, try_asked, &refusal))
		note_refusal(batch, &refusal);
	section->target = NULL;
	section->refusal.sqlstate = 0;
}

static void
try_asked(Batch *batch)
{
	Section    *section = batch->asked_section;
	TlPlace		place;

	if (tl_chain_foreign_lookup(&batch->asked_ref, &place) ||
		has_own_place(batch, &batch->asked_ref, &place))
		refuse_ref(&place);
	batch->check = tl_chain_check_create(batch->context);
	tl_chain_check_begin(batch->check, GetActiveSnapshot(), batch->context);
	open_target(batch, section, true);
	if (section->target == NULL)
		return;
	ask_row(batch, section->target, &batch->asked_ref, batch->asked_bytes);
	tl_table_target_close(section->target);
}

/* Kept to the end of the transaction. */
static void
note_refusal(Batch *batch, const Refusal *refusal)
{
	MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);

	if (batch->row >= batch->refusal_count)
	{
		uint32_t	count = Max(batch->row + 1, 2 * batch->refusal_count);

		if (batch->refusals == NULL)
			batch->refusals = palloc0(sizeof(Refusal) * count);
		else
		{
			batch->refusals = repalloc(batch->refusals, sizeof(Refusal) * count);
			memset(&batch->refusals[batch->refusal_count], 0,
				   sizeof(Refusal) * (count - batch->refusal_count));
		}
		batch->refusal_count = count;
	}
	refuse(&batch->refusals[batch->row], refusal->sqlstate, refusal->reason);
	MemoryContextSwitchTo(caller);
}

/* Which rows were refused, and why. */
static void
tell_refused(Batch *batch)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(caller, "telco_ledger told batch",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext part = AllocSetContextCreate(context, "telco_ledger told section",
											   ALLOCSET_DEFAULT_SIZES);
	Section    *section = palloc0(sizeof(Section));
	Refusal		whole = {0};
	Refusal		taken = {0};
	TlPlace		place = {.batch = (int64_t) batch->header->batch,.height = batch->height};
	TlRowHeader row;
	TlSpan		bytes;

	MemoryContextSwitchTo(context);
	PushActiveSnapshot(GetTransactionSnapshot());
	if (batch->broken != TL_OK)
		refuse(&whole, tl_error_sqlstate(batch->broken), tl_status_text(batch->broken));
	refuse(&taken, tl_error_sqlstate(TL_BAD_REF), "the ref is that of an earlier row");
	tl_node_body_open(&batch->reader, batch->header);
	batch->row = 0;
	while (tl_node_body_next_section(&batch->reader))
	{
		MemoryContextReset(part);
		MemoryContextSwitchTo(part);
		if (tl_node_body_left(&batch->reader) == TL_HASH_SIZE ||
			!open_section(batch, section, &row, &bytes))
			continue;
		open_target(batch, section, true);
		if (section->target != NULL)
			tl_table_target_close(section->target);
		do
		{
			const Refusal *refusal = batch->broken != TL_OK ? &whole :
				refusal_of(batch, section, batch->row);
			TlRefBytes	ref;

			CHECK_FOR_INTERRUPTS();
			tl_table_ref_pack(&ref, &row.ref);
			section->built.leaf.row_count++;
			section->built.last_ref = ref;
			if (refusal != NULL && is_elsewhere(batch, &ref))
				refusal = &taken;
			if (refusal != NULL)
			{
				tl_chain_foreign_refuse(row.table_id, &ref, &place,
										unpack_sql_state(refusal->sqlstate),
										refusal->reason, bytes);
				tl_node_apply_tell_rejected(batch->height, batch->digest, &ref,
											unpack_sql_state(refusal->sqlstate), bytes);
			}
			batch->row++;
		} while (tl_node_body_left(&batch->reader) > 0 &&
				 next_row(batch, section, &row, &bytes));
	}
	PopActiveSnapshot();
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}

/* Has an earlier batch a row with this ref?  Then nothing is said about that one. */
static bool
is_elsewhere(const Batch *batch, const TlRefBytes *ref)
{
	TlPlace		place;

	return (tl_chain_foreign_lookup(ref, &place) &&
			(place.height != batch->height ||
			 place.batch != (int64_t) batch->header->batch)) ||
		has_own_place(batch, ref, &place);
}
