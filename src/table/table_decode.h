/*-------------------------------------------------------------------------
 *
 * table_decode.h
 *	  From the bytes of another member's row to a row of a shared table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_DECODE_H
#define TABLE_DECODE_H

#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "utils/rel.h"

#include "table_encode.h"
#include "table_ref.h"

typedef struct TlTableDecoder TlTableDecoder;

extern TlTableDecoder *tl_table_decoder_open(Relation relation,
											 const TlTableVersion *version,
											 EState *estate);
extern void tl_table_decoder_set_key(TlTableDecoder *decoder,
									 const uint8_t row_key[TL_ROW_KEY_SIZE]);
extern void tl_table_decoder_row(TlTableDecoder *decoder, TupleTableSlot *slot,
								 TlSpan bytes);

#endif							/* TABLE_DECODE_H */
