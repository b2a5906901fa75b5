/*-------------------------------------------------------------------------
 *
 * table_encode.h
 *	  From a stored row to its bytes, by one version of the definition.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_ENCODE_H
#define TABLE_ENCODE_H

#include "access/attnum.h"
#include "executor/tuptable.h"
#include "utils/rel.h"

#include "table_row.h"

/* One version of a ledger table's definition, without ledger_ref. */
typedef struct TlTableVersion
{
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	uint32_t	version;		/* from 1 */
	TlRef		ref;			/* of its row in ledger.table_version; zeros
								 * for the definition that is fixed by code */
	char	   *action;
	char	   *schema_name;
	char	   *table_name;
	int			column_count;
	AttrNumber *attribute_numbers;	/* ascending */
	char	  **column_names;
	char	  **type_names;
	uint32_t   *type_tags;
	bool		by_place;		/* in the bytes columns have their places here as
								 * numbers, from 1 (table_state.c) */
} TlTableVersion;

typedef struct TlTableEncoder TlTableEncoder;

extern TlTableEncoder *tl_table_encoder_open(Relation relation,
											 const TlTableVersion *version,
											 MemoryContext context);
extern void tl_table_encoder_set_key(TlTableEncoder *encoder,
									 const uint8_t row_key[TL_ROW_KEY_SIZE]);
extern TlSpan tl_table_encoder_row(TlTableEncoder *encoder,
								   TupleTableSlot *slot);
extern void tl_table_encoder_close(TlTableEncoder *encoder);

#endif							/* TABLE_ENCODE_H */
