/*-------------------------------------------------------------------------
 *
 * table_state.h
 *	  The access method `ledger_state`: tables that contracts change.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_STATE_H
#define TABLE_STATE_H

#include "access/tableam.h"

#include "table_encode.h"
#include "tl_status.h"

/* A row came (1) or went (-1). */
typedef struct TlStateChange
{
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	TlHash		element;
	int			sign;
	SubTransactionId subtransaction;
} TlStateChange;

/* What stands for a row in the set hash of its table; a floor above says it. */
typedef TlStatus (*TlRowElement) (TlHash *out, const void *row, size_t size);

/* The row with that key has changed; before: its bytes, or nothing if it was not there. */
typedef void (*TlStateWatch) (const uint8_t table_id[TL_TABLE_ID_SIZE], const TlHash *key,
							  TlSpan before);

extern void tl_table_state_init(void);
extern bool tl_table_state_is_ours(Relation relation);
extern bool tl_table_state_is_state(Oid relation);
extern void tl_table_state_version(TlTableVersion *out, Relation relation);

/* The executor, around one call; schema: of the contract. */
extern void tl_table_state_begin(Oid schema, TlRowElement element);
extern void tl_table_state_bound(int changes_max, Size written_max);
extern void tl_table_state_end(void);
extern Oid	tl_table_state_executing(void);

/* Not by a call: a new version of the contract changes what its rows are. */
extern void tl_table_state_note_all(Oid relation, TlRowElement element, int sign);
extern void tl_table_state_forget(void);

/* All rows of all tables are replaced: nothing is noted. */
extern void tl_table_state_replace(bool on);

/* Until the transaction ends; from each subtransaction that changes rows. */
extern void tl_table_state_watch(TlStateWatch watch);

/* What has changed since this was asked last, in this transaction. */
extern const TlStateChange *tl_table_state_take(int *count);

#endif							/* TABLE_STATE_H */
