/*-------------------------------------------------------------------------
 *
 * proof_state.c
 *	  The set hash of a shared or a state table, computed again from its rows.
 *
 * One sequential scan.  A row of another member is in the table because a block
 * that was applied has it; an own one is there from its commit on, and counts
 * once its block is applied, unless that rejected it.  Rows are encoded without
 * a key: the blinding is not in the element (chain_state.c).  All rows of a state
 * table count: they are there because the blocks that are applied say so.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "chain_foreign.h"
#include "chain_lookup.h"
#include "crypto_set_sql.h"
#include "proof_state.h"
#include "table_am.h"
#include "table_definition.h"
#include "table_encode.h"
#include "table_state.h"
#include "tl_error.h"

static bool counts(const TlRefBytes *ref, uint32_t member, int64_t applied_height);

/* The id is told, unless NULL. */
void
tl_proof_state_scan(TlSetHash *out, uint8_t table_id[TL_TABLE_ID_SIZE], Oid relation_oid,
					uint32_t member, int64_t applied_height, Snapshot snapshot)
{
	static const uint8_t no_key[TL_ROW_KEY_SIZE];
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "ledger state of a row",
												  ALLOCSET_DEFAULT_SIZES);
	Relation	relation = table_open(relation_oid, AccessShareLock);
	AttrNumber	ref_attribute = tl_table_am_ref_attribute(relation);
	TupleTableSlot *slot = table_slot_create(relation, NULL);
	TableScanDesc scan = table_beginscan_strat(relation, snapshot, 0, NULL, true, false);
	TlTableEncoder *encoder;
	TlTableVersion version;

	tl_crypto_set_hash_init(out);
	if (tl_table_state_is_ours(relation))
		tl_table_state_version(&version, relation);
	else if (!tl_table_definition_load(&version, relation_oid, NULL, NULL, CurrentMemoryContext))
		elog(ERROR, "shared table \"%s\" has no definition", RelationGetRelationName(relation));
	if (table_id != NULL)
		memcpy(table_id, version.table_id, TL_TABLE_ID_SIZE);
	encoder = tl_table_encoder_open(relation, &version, CurrentMemoryContext);
	tl_table_encoder_set_key(encoder, no_key);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		MemoryContext caller = MemoryContextSwitchTo(context);
		bool		is_null;
		bool		counted = ref_attribute == InvalidAttrNumber;
		TlHash		element;
		TlSpan		bytes;

		CHECK_FOR_INTERRUPTS();
		if (!counted)
		{
			Datum		ref = slot_getattr(slot, ref_attribute, &is_null);

			counted = !is_null && counts(DatumGetTlRefBytes(ref), member, applied_height);
		}
		if (counted)
		{
			bytes = tl_table_encoder_row(encoder, slot);
			tl_error_check(tl_chain_state_row_element(&element, bytes.data, bytes.size),
						   "row of a shared table");
			if (!tl_crypto_set_hash_add(out, tl_crypto_set_hasher(), &element))
				elog(ERROR, "could not encrypt with AES-256-CTR");
		}
		MemoryContextSwitchTo(caller);
		MemoryContextReset(context);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	tl_table_encoder_close(encoder);
	table_close(relation, AccessShareLock);
	MemoryContextDelete(context);
}

static bool
counts(const TlRefBytes *bytes, uint32_t member, int64_t applied_height)
{
	TlPlace		place;
	TlRef		ref;

	tl_table_ref_unpack(&ref, bytes);
	return ref.member != member ||
		(tl_chain_foreign_first(bytes, &place) && place.height <= applied_height &&
		 !tl_chain_is_rejected(bytes) && !tl_chain_foreign_is_refused(bytes, &place));
}
