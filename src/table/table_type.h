/*-------------------------------------------------------------------------
 *
 * table_type.h
 *	  Which types a ledger table may have, their tags, and the bytes of values.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_TYPE_H
#define TABLE_TYPE_H

#include "lib/stringinfo.h"
#include "utils/palloc.h"

#include "tl_types.h"

/* Top bit of a type tag: the rest is a hash of the qualified name. */
#define TL_TYPE_TAG_NAMED		UINT32_C(0x80000000)

/* How the values of one type become bytes; made once, used for every row. */
typedef struct TlValueEncoder TlValueEncoder;

extern bool tl_table_type_supported(Oid type, char **reason);
extern uint32_t tl_table_type_tag(Oid type);
extern char *tl_table_type_name(Oid type, int32 modifier);
extern bool tl_table_type_contains(Oid type, Oid wanted);
extern TlValueEncoder *tl_table_type_encoder(Oid type, MemoryContext context);
extern void tl_table_type_append(StringInfo out, TlValueEncoder *encoder,
								 Datum value);

#endif							/* TABLE_TYPE_H */
