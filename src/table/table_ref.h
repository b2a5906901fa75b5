/*-------------------------------------------------------------------------
 *
 * table_ref.h
 *	  The SQL type ledger.ref: 16 bytes, big-endian, compared as bytes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_REF_H
#define TABLE_REF_H

#include "fmgr.h"

#include "tl_types.h"

/* What a Datum of type ledger.ref points to. */
typedef struct TlRefBytes
{
	uint8_t		bytes[TL_REF_SIZE];
} TlRefBytes;

#define DatumGetTlRefBytes(datum)	((TlRefBytes *) DatumGetPointer(datum))
#define TlRefBytesGetDatum(ref)		PointerGetDatum(ref)
#define PG_GETARG_TLREF(n)			DatumGetTlRefBytes(PG_GETARG_DATUM(n))
#define PG_RETURN_TLREF(ref)		return TlRefBytesGetDatum(ref)

/* "4294967295.65535.281474976710655.4294967295" and the final zero */
#define TL_REF_TEXT_SIZE			48

/*
 * A transaction of any incarnation as one number, in the order of refs: how
 * snapshots, probes and shared memory know it.
 */
static inline uint64_t
tl_table_ref_word(uint16_t incarnation, uint64_t transaction)
{
	return ((uint64_t) incarnation << 48) | transaction;
}

extern void tl_table_ref_pack(TlRefBytes *out, const TlRef *ref);
extern void tl_table_ref_unpack(TlRef *out, const TlRefBytes *ref);
extern char *tl_table_ref_text(const TlRef *ref);
extern int	tl_table_ref_compare(const TlRefBytes *left, const TlRefBytes *right);
extern Oid	tl_table_ref_type(void);

#endif							/* TABLE_REF_H */
