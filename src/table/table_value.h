/*-------------------------------------------------------------------------
 *
 * table_value.h
 *	  From the bytes of a value back to the value.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_VALUE_H
#define TABLE_VALUE_H

#include "table_type.h"
#include "tl_wire.h"

/* From now on this one reads bytes of values that rows of a quorum, or here, have had. */
extern void tl_table_value_judged(TlValueEncoder *type);

extern Datum tl_table_value_decode(TlValueEncoder *type, TlSpan bytes);
extern void tl_table_value_check_null(TlValueEncoder *type);

#endif							/* TABLE_VALUE_H */
