/*-------------------------------------------------------------------------
 *
 * proof_verify_sort.c
 *	  Byte strings in bytewise order, more of them than memory holds.
 *
 * The server's own external sort, with work_mem, over one column of bytea: a
 * key that is written big-endian sorts as its parts do, from left to right.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplesort.h"
#include "utils/typcache.h"

#include "proof_verify_sort.h"

#define SORT_ENTRY_SIZE_MAX		256

struct TlSort
{
	Tuplesortstate *state;
	TupleTableSlot *in;
	TupleTableSlot *out;
	union
	{
		char		bytes[VARHDRSZ + SORT_ENTRY_SIZE_MAX];
		int32		align;
	}			entry;
};

TlSort *
tl_proof_sort_begin(void)
{
	TlSort	   *sort = palloc0(sizeof(TlSort));
	TupleDesc	description = CreateTemplateTupleDesc(1);
	AttrNumber	attribute = 1;
	Oid			less = lookup_type_cache(BYTEAOID, TYPECACHE_LT_OPR)->lt_opr;
	Oid			collation = InvalidOid;
	bool		nulls_first = false;

	TupleDescInitEntry(description, 1, "entry", BYTEAOID, -1, 0);
	sort->in = MakeSingleTupleTableSlot(description, &TTSOpsVirtual);
	sort->out = MakeSingleTupleTableSlot(description, &TTSOpsMinimalTuple);
	sort->state = tuplesort_begin_heap(description, 1, &attribute, &less,
									   &collation, &nulls_first, work_mem, NULL,
									   TUPLESORT_NONE);
	return sort;
}

void
tl_proof_sort_put(TlSort *sort, const void *data, size_t size)
{
	if (size > SORT_ENTRY_SIZE_MAX)
		elog(ERROR, "entry of %zu bytes is too large to be sorted", size);
	SET_VARSIZE(sort->entry.bytes, VARHDRSZ + size);
	memcpy(VARDATA(sort->entry.bytes), data, size);
	ExecClearTuple(sort->in);
	sort->in->tts_values[0] = PointerGetDatum(sort->entry.bytes);
	sort->in->tts_isnull[0] = false;
	ExecStoreVirtualTuple(sort->in);
	tuplesort_puttupleslot(sort->state, sort->in);
}

/* All are put. */
void
tl_proof_sort_perform(TlSort *sort)
{
	tuplesort_performsort(sort->state);
}

/* The next in order, valid until the next call; false at the end. */
bool
tl_proof_sort_next(TlSort *sort, TlSpan *out)
{
	bool		is_null;
	bytea	   *bytes;

	CHECK_FOR_INTERRUPTS();
	if (!tuplesort_gettupleslot(sort->state, true, false, sort->out, NULL))
		return false;
	bytes = DatumGetByteaPP(slot_getattr(sort->out, 1, &is_null));
	out->data = (const uint8_t *) VARDATA_ANY(bytes);
	out->size = VARSIZE_ANY_EXHDR(bytes);
	return true;
}

void
tl_proof_sort_end(TlSort *sort)
{
	ExecDropSingleTupleTableSlot(sort->in);
	ExecDropSingleTupleTableSlot(sort->out);
	tuplesort_end(sort->state);
	pfree(sort);
}
